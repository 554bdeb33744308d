"""Renders the chart of deploy/kubernetes with the real `helm`, which deploy/fetch-helm fetches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "kubernetes" / "docmill"

#: What an installation must set.
REQUIRED: dict[str, Any] = {
    "image": {"repository": "registry.example/docmill"},
    "secret": "docmill-passwords",
    "database": {"url": "postgresql://docmill@store.example/docmill?sslmode=verify-full"},
    "redis": {"url": "rediss://docmill:$(REDIS_PASSWORD)@redis.example:6379/0"},
    "models": {"storageClass": "nfs"},
}
#: Everything that can be turned on.
EVERYTHING: dict[str, Any] = REQUIRED | {
    "database": REQUIRED["database"] | {"reader": {"host": "store.example"}},
    "tls": {"caSecret": "authority"},
    "documents": {"existingClaim": "documents"},
    "extraEnv": [{"name": "AWS_REGION", "value": "eu-central-1"}],
    "scheduler": {"notifySecret": "notifications", "nodeSelector": {"pool": "small"}},
    "workers": {
        "cpu": {"scaling": {"enabled": True}, "priorityClassName": "batch"},
        "gpu": {
            "enabled": True, "kinds": ["classify", "train"], "scaling": {"enabled": True, "max": 3},
            "runtimeClassName": "nvidia", "nodeSelector": {"gpu": "h100"},
        },
    },
    "pages": {"hosts": ["docmill.example.com"]},
    "metrics": {"podMonitor": True},
    "networkPolicy": {
        "storeAt": [{"ipBlock": {"cidr": "10.1.0.0/24"}}],
        "redisAt": [{"ipBlock": {"cidr": "10.1.0.0/24"}}],
        "flowerFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}],
        "pagesFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}],
        "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
    },
    "podAnnotations": {"example.com/owner": "night"},
}  # fmt: skip


def helm(*arguments: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    program = shutil.which("helm", path=path)
    if program is None:
        pytest.skip(f"helm is not installed: deploy/fetch-helm {Path(sys.executable).parent}")
    command = [program, *arguments, str(CHART), "--values", "-"]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    done = helm("template", "night", "--namespace", "documents", values=values)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def refusal(values: dict[str, Any]) -> str:
    done = helm("template", "night", values=values)
    assert done.returncode != 0
    return done.stderr


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] in kinds]


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod that each Deployment or Job makes, by the name of its part."""
    return {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["template"]
        for each in of_kind(objects, "Deployment", "Job")
    }


def containers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part, pod in pods(objects).items():
        [container] = pod["spec"]["containers"]
        yield part, container


def environment(container: dict[str, Any]) -> dict[str, str | None]:
    """The values; None where a Secret has it."""
    return {each["name"]: each.get("value") for each in container["env"]}
