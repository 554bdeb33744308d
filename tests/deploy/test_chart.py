"""The Helm chart, as helm renders it: valid by Kubernetes' own schemas, and true to docmill's settings and commands."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.deploy import chart, commands
from workers.settings import Settings

Objects = list[dict[str, Any]]

VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
PROJECT = tomllib.loads((chart.ROOT / "pyproject.toml").read_text())["project"]
#: Variables of others: libpq's, Flower's, and what Kubernetes puts into others.
OTHERS = {
    "PGPASSWORD", "PGSSLROOTCERT", "REDIS_PASSWORD", "FLOWER_PASSWORD", "FLOWER_BASIC_AUTH",
    "DOCMILL_METRICS_HOST", "DOCMILL_METRICS_PORT",
}  # fmt: skip


# --- as Kubernetes sees it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_every_object_is_valid_by_the_schemas_of_kubernetes(everything: Objects, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    of_kubernetes = [each for each in everything if "keda" not in each["apiVersion"] + each["kind"]]
    of_kubernetes = [each for each in of_kubernetes if each["kind"] != "PodMonitor"]

    assert len(of_kubernetes) > 10
    for each in of_kubernetes:
        kubernetes_validate.validate(each, version, strict=True)


def test_helm_finds_no_fault() -> None:
    done = chart.helm("lint", "--strict", values=chart.EVERYTHING)

    assert done.returncode == 0, done.stdout


def test_an_object_is_named_once(objects: Objects) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]

    assert len(names) == len(set(names))
    assert all(each["metadata"]["namespace"] == "documents" for each in objects)


def test_the_smallest_installation_needs_nothing_that_others_install(smallest: Objects) -> None:
    groups = {each["apiVersion"].rpartition("/")[0] for each in smallest}

    assert groups == {"", "apps", "batch", "policy", "networking.k8s.io"}


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("image", "set image.repository"), ("secret", "set secret"), ("database", "set database.url"),
        ("redis", "set redis.url"), ("models", "set models.storageClass"),
    ],
)  # fmt: skip
def test_a_required_value_that_is_missing_is_named(missing: str, words: str) -> None:
    assert words in chart.refusal({name: value for name, value in chart.REQUIRED.items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedulers": {"replicas": 2}},
        {"workers": {"cpu": {"replica": 2}}},
        {"workers": {"cpu": {"kinds": ["x'; DROP TABLE job; --"], "scaling": {"enabled": True}}}},
        {"settings": {"LEASE_SECONDS": 60}},
        {"settings": {"DOCMILL_GRACE_SECONDS": -1}},
        {"database": {"url": "postgresql://docmill:secret@store.example/docmill"}},
    ],
)
def test_a_value_that_does_not_exist_or_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    assert "values" in chart.refusal(chart.REQUIRED | wrong)


# --- as docmill sees it -----------------------------------------------------------------------------------------


def test_every_variable_is_a_setting(objects: Objects) -> None:
    known = {f"DOCMILL_{name}".upper() for name in Settings.model_fields} | OTHERS | {"AWS_REGION"}

    for part, container in chart.containers(objects):
        assert not set(chart.environment(container)) - known, part


def test_the_settings_are_listed_with_docmills_defaults() -> None:
    defaults = {f"DOCMILL_{name}".upper(): field.default for name, field in Settings.model_fields.items()}

    assert VALUES["settings"]
    assert VALUES["settings"].items() <= defaults.items()


def test_the_environment_is_one_that_docmill_starts_with(
    everything: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = chart.render(chart.REQUIRED | {"settings": {"DOCMILL_WINDOW": 4_000_000}})

    for objects in (everything, large):
        for _, container in chart.containers(objects):
            for name, value in chart.environment(container).items():
                monkeypatch.setenv(name, "secret" if value is None else value)
            Settings()
    assert Settings().window == 4_000_000


def test_every_command_and_option_exists(everything: Objects) -> None:
    started = [container["command"] for _, container in chart.containers(everything)]
    started += [
        probe["exec"]["command"]
        for _, container in chart.containers(everything)
        for name, probe in container.items()
        if name.endswith("Probe") and "exec" in probe
    ]

    for command in started:
        assert command[0] == "docmill"
        assert commands.unknown(command[1:]) == [], command


def test_a_probe_looks_at_its_own_pod_alone(objects: Objects) -> None:
    for part, container in chart.containers(objects):
        probes = {name: probe for name, probe in container.items() if name.endswith("Probe")}
        if part == "scheduler" or part.startswith("worker"):
            expected = ["docmill", "alive", part.partition("-")[0]]
            assert {name: probe["exec"]["command"] for name, probe in probes.items()} == {
                "startupProbe": expected, "livenessProbe": expected,
            }  # fmt: skip
        assert "doctor" not in json.dumps(probes)


def test_the_images_are_those_of_this_version(objects: Objects) -> None:
    about = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    flavours = {part: container["image"].rpartition("-")[2] for part, container in chart.containers(objects)}

    assert about["appVersion"] == PROJECT["version"]
    for _, container in chart.containers(objects):
        tag = container["image"].removeprefix("registry.example/docmill:")
        assert re.fullmatch(rf"{re.escape(PROJECT['version'])}-(cpu|gpu)", tag)
    assert [part for part, flavour in flavours.items() if flavour == "gpu"] == (
        ["worker-gpu"] if "worker-gpu" in flavours else []
    )


# --- what it promises -------------------------------------------------------------------------------------------


def test_a_pod_meets_the_restricted_standard(objects: Objects) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a read-only root."""
    for part, pod in chart.pods(objects).items():
        spec = pod["spec"]
        [container] = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True, part
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        kinds = {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]}
        assert kinds <= {"emptyDir", "persistentVolumeClaim", "secret"}
        assert spec["automountServiceAccountToken"] is False
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]


def test_a_pod_runs_as_the_images_user_and_may_write_its_home(objects: Objects) -> None:
    dockerfile = (chart.ROOT / "Dockerfile").read_text()
    user, group = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.M)[-1]
    [home] = re.findall(r"DOCMILL_HOME=(\S+)", dockerfile)

    for part, pod in chart.pods(objects).items():
        context = pod["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == (user, group)
        [container] = pod["spec"]["containers"]
        paths = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        in_memory = {volume["name"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume}
        assert {paths[home], paths["/tmp"]} <= in_memory, part


def test_every_mount_has_its_volume_and_every_volume_is_mounted(objects: Objects) -> None:
    for part, pod in chart.pods(objects).items():
        [container] = pod["spec"]["containers"]
        mounted = [mount["name"] for mount in container["volumeMounts"]]
        assert sorted(mounted) == sorted(volume["name"] for volume in pod["spec"]["volumes"]), part


def test_the_models_are_where_the_image_looks_for_them(objects: Objects) -> None:
    [folder] = re.findall(r"DOCMILL_MODELS_DIR=(\S+)", (chart.ROOT / "Dockerfile").read_text())
    [claim] = chart.of_kind(objects, "PersistentVolumeClaim")

    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for part, pod in chart.pods(objects).items():
        if part == "scheduler" or part.startswith("worker"):
            [container] = pod["spec"]["containers"]
            assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {folder}
            claims = [volume.get("persistentVolumeClaim", {}) for volume in pod["spec"]["volumes"]]
            assert {"claimName": claim["metadata"]["name"]} in claims


def test_the_pages_read_the_models_and_have_memory_for_one(objects: Objects) -> None:
    [folder] = re.findall(r"DOCMILL_MODELS_DIR=(\S+)", (chart.ROOT / "Dockerfile").read_text())
    [claim] = chart.of_kind(objects, "PersistentVolumeClaim")
    spec = chart.pods(objects)["pages"]["spec"]
    [container] = spec["containers"]

    assert {"name": "models", "mountPath": folder, "readOnly": True} in container["volumeMounts"]
    claims = [volume.get("persistentVolumeClaim", {}) for volume in spec["volumes"]]
    assert {"claimName": claim["metadata"]["name"]} in claims
    assert container["resources"]["limits"]["memory"] == "4Gi"


def test_no_password_is_in_the_objects(everything: Objects) -> None:
    assert not chart.of_kind(everything, "Secret")
    for _, container in chart.containers(everything):
        for each in container["env"]:
            if each["name"] in {"PGPASSWORD", "REDIS_PASSWORD", "FLOWER_PASSWORD"}:
                reference = each["valueFrom"]["secretKeyRef"]
                assert reference["name"] == "docmill-passwords"
                # In a value, $(NAME) is replaced only if NAME stands before it.
        names = [each["name"] for each in container["env"]]
        for index, each in enumerate(container["env"]):
            for used in re.findall(r"\$\((\w+)\)", each.get("value") or ""):
                assert used in names[:index], each["name"]


def test_a_pod_that_stops_may_end_its_batch() -> None:
    objects = chart.render(chart.REQUIRED | {"settings": {"DOCMILL_GRACE_SECONDS": 90.5}})

    for part, pod in chart.pods(objects).items():
        if part.startswith("worker"):
            assert pod["spec"]["terminationGracePeriodSeconds"] == 121


def test_the_tables_are_migrated_before_an_install_or_upgrade(objects: Objects) -> None:
    [job] = chart.of_kind(objects, "Job")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert chart.pods([job])["migrate"]["spec"]["containers"][0]["command"] == ["docmill", "db", "upgrade"]
    # A hook runs before anything that the chart makes: it may need nothing of it.
    made = {each["metadata"]["name"] for each in objects} - {job["metadata"]["name"]}
    assert not [name for name in made if f'"{name}"' in json.dumps(job["spec"])]
    assert "persistentVolumeClaim" not in json.dumps(job)


def test_a_pod_has_at_most_one_gpu(everything: Objects) -> None:
    gpus = {
        part: container["resources"]["limits"].get("nvidia.com/gpu", 0)
        for part, container in chart.containers(everything)
    }

    assert gpus.pop("worker-gpu") == 1
    assert set(gpus.values()) == {0}
    [strategy] = [
        each["spec"]["strategy"]["rollingUpdate"]
        for each in chart.of_kind(everything, "Deployment")
        if each["metadata"]["name"] == "night-docmill-worker-gpu"
    ]
    # A pod that waits for a GPU which the old pod holds would stop the rollout for good.
    assert strategy["maxSurge"] == 0


def test_two_schedulers_run_by_default(smallest: Objects) -> None:
    replicas = {
        each["metadata"]["name"]: each["spec"].get("replicas")
        for each in chart.of_kind(smallest, "Deployment")
    }

    assert replicas == {
        "night-docmill-scheduler": 2, "night-docmill-worker-cpu": 2,
        "night-docmill-flower": 1, "night-docmill-pages": 1, "night-docmill-metrics": 1,
    }  # fmt: skip


# --- how the parts find each other ------------------------------------------------------------------------------


def test_every_selector_selects_the_pods_of_one_part(objects: Objects) -> None:
    labels = {part: pod["metadata"]["labels"] for part, pod in chart.pods(objects).items()}

    def selected(selector: dict[str, str]) -> set[str]:
        return {part for part, has in labels.items() if selector.items() <= has.items()}

    for each in chart.of_kind(objects, "Deployment", "PodDisruptionBudget", "Service"):
        selector = each["spec"]["selector"]
        part = each["metadata"]["labels"]["app.kubernetes.io/component"]
        assert selected(selector.get("matchLabels", selector)) == {part}
    for each in chart.of_kind(objects, "NetworkPolicy"):
        part = each["metadata"]["labels"]["app.kubernetes.io/component"]
        expected = {part} if part in ("flower", "pages") else set(labels)
        assert selected(each["spec"]["podSelector"]["matchLabels"]) == expected


def test_every_named_port_is_one_of_the_container(objects: Objects) -> None:
    ports = {
        part: {port["name"]: port["containerPort"] for port in container.get("ports", ())}
        for part, container in chart.containers(objects)
    }

    for service in chart.of_kind(objects, "Service"):
        part = service["metadata"]["labels"]["app.kubernetes.io/component"]
        [port] = service["spec"]["ports"]
        assert ports[part][port["targetPort"]] == port["port"]
    for part, container in chart.containers(objects):
        command, variables = container["command"], chart.environment(container)
        for number in ports[part].values():
            asked = command[command.index("--port") + 1] if "--port" in command else None
            assert str(number) == (asked or variables["DOCMILL_METRICS_PORT"])
        for probe in (probe for name, probe in container.items() if name.endswith("Probe")):
            for how in ("httpGet", "tcpSocket"):
                assert how not in probe or probe[how]["port"] in ports[part]


def test_what_a_policy_lets_in_is_a_port_of_the_pods_that_it_selects(everything: Objects) -> None:
    named = {part: {port["name"] for port in container.get("ports", ())}
             for part, container in chart.containers(everything)}  # fmt: skip
    let_in = {
        port["port"]: {part for part, ports in named.items() if port["port"] in ports}
        for policy in chart.of_kind(everything, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", ())
        for port in rule["ports"]
    }

    assert let_in == {
        "http": {"flower", "pages"},
        "metrics": {"metrics", "scheduler", "worker-cpu", "worker-gpu"},
    }


def test_prometheus_finds_every_pod_with_metrics(smallest: Objects, everything: Objects) -> None:
    measured = {part for part, container in chart.containers(smallest)
                for port in container.get("ports", ()) if port["name"] == "metrics"}  # fmt: skip
    annotated = {
        part: pod["metadata"].get("annotations", {}).get("prometheus.io/port")
        for part, pod in chart.pods(smallest).items()
    }
    [monitor] = chart.of_kind(everything, "PodMonitor")

    assert {part for part, port in annotated.items() if port == "9464"} == measured
    [rule] = monitor["spec"]["selector"]["matchExpressions"]
    assert set(rule["values"]) == set(annotated) - measured


def test_a_pod_reaches_the_store_redis_and_name_servers_alone(smallest: Objects) -> None:
    [policy] = [
        each["spec"]
        for each in chart.of_kind(smallest, "NetworkPolicy")
        if each["metadata"]["name"].endswith("-network")
    ]
    ports = {(port["port"], port["protocol"]) for rule in policy["egress"] for port in rule["ports"]}

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert ports == {(53, "UDP"), (53, "TCP"), (5432, "TCP"), (6379, "TCP")}


def test_nodes_are_drained_one_pod_of_a_part_at_a_time(everything: Objects) -> None:
    budgets = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["maxUnavailable"]
        for each in chart.of_kind(everything, "PodDisruptionBudget")
    }

    assert budgets == {"scheduler": 1, "worker-cpu": 1, "worker-gpu": 1}


# --- the documentation of the values ----------------------------------------------------------------------------


def test_every_value_is_in_the_schema_of_the_values() -> None:
    schema = json.loads((chart.CHART / "values.schema.json").read_text())
    missing: list[str] = []

    def walk(values: dict[str, Any], part: dict[str, Any], path: str) -> None:
        if "$ref" in part:
            part = schema["definitions"][part["$ref"].rpartition("/")[2]]
        known = part.get("properties")
        if known is None or not isinstance(values, dict):
            return
        for name, value in values.items():
            if name in known:
                walk(value, known[name], f"{path}.{name}")
            elif not part.get("patternProperties"):
                missing.append(f"{path}.{name}")

    walk(VALUES, schema, "")

    assert missing == []
