"""docker-compose.yml: plain users, nothing published that need not be, no secret on a command line."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Of the profile metrics.
WATCHING = {"metrics", "prometheus", "grafana"}


def test_all_parts_are_there() -> None:
    assert set(SERVICES) == {
        "redis", "postgres", "migrate", "scheduler", "worker-cpu", "worker-gpu", "flower", "pages",
        "metrics", "prometheus", "grafana",
    }  # fmt: skip
    assert SERVICES["worker-cpu"]["profiles"] == ["cpu"]
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["metrics"]} == WATCHING


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"postgres"}))
def test_a_service_runs_as_a_plain_user(name: str) -> None:
    user = SERVICES[name]["user"]

    # Grafana's image gives its folders to the group 0, which has no rights of root's.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) or (name, user) == ("grafana", "472:0")
    assert "cap_add" not in SERVICES[name]


def test_postgres_keeps_only_what_becoming_a_plain_user_takes() -> None:
    assert set(SERVICES["postgres"]["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_no_further_privileges(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_contained(name: str) -> None:
    service = SERVICES[name]

    assert service["init"] is True
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["mem_limit"]
    assert 0 < service["pids_limit"] <= 2000
    assert service["logging"]["driver"] == "json-file"
    assert service["logging"]["options"]["max-size"] == "10m"
    assert int(service["logging"]["options"]["max-file"]) > 1


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"redis", "postgres", "prometheus", "grafana"}))
def test_what_docmill_writes_outside_volumes_is_in_memory(name: str) -> None:
    [home] = re.findall(r"DOCMILL_HOME=(\S+)", (ROOT / "Dockerfile").read_text())

    # Without options: podman refuses the ones that would name an owner.
    assert home in SERVICES[name]["tmpfs"]


def test_a_health_check_looks_at_its_own_service_alone() -> None:
    checks = {name: service.get("healthcheck", {}).get("test", []) for name, service in SERVICES.items()}

    assert checks["scheduler"] == ["CMD", "docmill", "alive", "scheduler"]
    assert checks["worker-cpu"] == checks["worker-gpu"] == ["CMD", "docmill", "alive", "worker"]
    assert "127.0.0.1:5555" in " ".join(checks["flower"])
    assert "127.0.0.1:8484/health" in " ".join(checks["pages"])
    assert SERVICES["migrate"]["healthcheck"] == {"disable": True}
    assert not [name for name, words in checks.items() if "doctor" in " ".join(words)]
    # The image itself has none: which one is right depends on the command.
    assert "HEALTHCHECK" not in (ROOT / "Dockerfile").read_text()


def test_only_pages_are_published_and_on_loopback_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(published) == {"flower", "pages", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    for name in published:
        assert set(SERVICES[name]["networks"]) == {"inside", "outside"}


def test_redis_and_postgres_are_on_a_network_without_a_way_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["redis"]["networks"] == SERVICES["postgres"]["networks"] == ["inside"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_on_a_command_line(name: str) -> None:
    assert "PASSWORD" not in str(SERVICES[name].get("command"))


def test_it_refuses_to_start_without_passwords() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    secrets = re.findall(r"\$\{(\w+_PASSWORD)([^}]*)\}", text)

    assert len({name for name, _ in secrets}) == 6
    # Compose would ask for this one where the profile metrics is not used, and with an .env from before it.
    assert all(rest.startswith(":?") for name, rest in secrets if name != "GRAFANA_PASSWORD")


@pytest.mark.parametrize("password", ["", "a-canary-of-a-password"])
def test_grafana_refuses_to_start_without_its_password(password: str) -> None:
    done = subprocess.run(
        ["sh", ROOT / "deploy" / "compose" / "grafana-start"],
        env={"PATH": os.defpath, "GF_SECURITY_ADMIN_PASSWORD": password},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    # /run.sh is the image's own.
    assert ("/run.sh" if password else "set GRAFANA_PASSWORD in .env") in done.stderr
    assert "canary" not in done.stderr


def test_prometheus_asks_services_that_exist_at_ports_that_they_listen_on() -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus.yml").read_text())["scrape_configs"]
    static = {target for job in jobs for each in job.get("static_configs", ()) for target in each["targets"]}
    found = {
        (name, each["port"])
        for job in jobs
        for each in job.get("dns_sd_configs", ())
        for name in each["names"]
    }

    assert {target.split(":")[0] for target in static} | {name for name, _ in found} <= set(SERVICES)
    [port] = {port for _, port in found}
    assert (
        _environment("worker-cpu", "METRICS_PORT") == _environment("scheduler", "METRICS_PORT") == str(port)
    )
    assert static == {f"metrics:{port}", "flower:5555"}
    assert str(port) in SERVICES["metrics"]["command"]


def test_the_pages_let_in_nobody_without_a_key_and_wait_for_no_redis() -> None:
    from tests.deploy import commands

    pages = SERVICES["pages"]
    assert "--keys-only" in pages["command"]
    assert commands.unknown(pages["command"][1:]) == []
    assert "redis" not in pages["depends_on"]


def test_the_pages_may_run_a_model() -> None:
    pages, [models] = SERVICES["pages"], SERVICES["pages"]["volumes"]

    # `docmill serve` runs models for OpenAI's interface, and takes files into /tmp, which is memory.
    assert pages["mem_limit"] == "${PAGES_MEMORY:-4g}"
    assert "# PAGES_MEMORY=4g" in (ROOT / ".env.example").read_text().splitlines()
    assert pages["pids_limit"] == SERVICES["worker-cpu"]["pids_limit"]
    assert models == f"{SERVICES['worker-cpu']['volumes'][0]}:ro"


def test_every_file_that_is_mounted_exists() -> None:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    paths = {volume.split(":")[0] for volume in volumes if volume.startswith("./")}

    # Rules and boards of the profile metrics: where these folders are missing, Compose makes them.
    paths -= {"./deploy/prometheus", "./deploy/grafana"}
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert set(COMPOSE["volumes"]) == {volume.split(":")[0] for volume in volumes if volume[0].isalpha()}


def test_a_worker_may_end_its_batch() -> None:
    grace = int(
        re.fullmatch(r"\$\{DOCMILL_GRACE_SECONDS:-(\d+)\}", _environment("worker-cpu", "GRACE_SECONDS"))[1]
    )  # type: ignore[index]

    assert int(SERVICES["worker-cpu"]["stop_grace_period"].removesuffix("s")) > grace


def test_every_tunable_setting_reaches_the_containers_with_its_default() -> None:
    from workers.settings import Settings

    # Not for people to tune, or fixed by the image and the compose file.
    fixed = {"home", "database_url", "redis_url", "models_dir", "device", "worker", "instance"}
    fixed |= {"metrics_host", "metrics_port", "device_model", "device_share"}
    # Of clients, which run elsewhere.
    fixed |= {"server_url", "server_key"}
    wanted = {
        name: f"${{DOCMILL_{name.upper()}:-{field.default}}}"
        for name, field in Settings.model_fields.items()
        if name not in fixed
    }

    assert {name: _environment("worker-cpu", name) for name in wanted} == wanted


def test_the_image_runs_as_the_services_user() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert re.findall(r"^USER (\S+)$", dockerfile, re.M)[-1] == SERVICES["scheduler"]["user"]


def _environment(service: str, name: str) -> str:
    return str(SERVICES[service]["environment"][f"DOCMILL_{name.upper()}"])
