"""docker-compose.yml, run for real: by Docker, or by the project's compose-lab, which needs no registry."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SECONDS = 600.0
#: The revision in the name of a migration's file, as in 2026_11_26_0047_devices.py.
_REVISION = re.compile(r"/\d{4}_\d\d_\d\d_(\d{4})_\w+\.py$")


def lab_program() -> Path:
    named = os.environ.get("DOCMILL_COMPOSE_LAB")
    return Path(named) if named else ROOT.parent / "shared" / "tools" / "compose-lab"


def missing() -> str | None:
    """What to install, if neither is there."""
    if os.getuid() != 0:
        return "run it as root: it looks for the processes of containers"
    if lab_program().exists():
        return None
    if not shutil.which("docker"):
        return "neither Docker nor compose-lab is there"
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return None if asked.returncode == 0 else "Docker has no `compose`: install docker-compose-plugin"


class Lab:
    """The services of one checkout. All labs have the project's name, so one runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tool = lab_program()
        self.is_podman = tool.exists()
        self._compose = [str(tool), "compose"] if self.is_podman else ["docker", "compose"]
        self._engine = [str(tool), "podman"] if self.is_podman else ["docker"]
        self._build = [str(tool), "build"] if self.is_podman else ["docker", "compose", "build"]
        self.services = yaml.safe_load((folder / "docker-compose.yml").read_text())["services"]
        if self.is_podman:
            self._lower_limits()

    def _lower_limits(self) -> None:
        """Without this, podman asks for more than a sandbox may have, and `exec` fails."""
        most = {"nofile": 8192, "nproc": 8192}
        override = {"services": {name: {"ulimits": most} for name in self.services}}
        (self.folder / "docker-compose.override.yml").write_text(yaml.safe_dump(override))

    def build(self) -> None:
        self._run(self._build)

    def up(self) -> None:
        self._run([*self._compose, "up", "--detach"])

    def stop(self) -> None:
        """Stop and remove the containers; the volumes stay."""
        self._run([*self._compose, "down", "--timeout", "60"])

    def remove(self) -> None:
        self._run([*self._compose, "down", "--volumes", "--timeout", "5"])

    def container(self, service: str) -> str:
        labels = (f"label=com.docker.compose.service={service}", "label=com.docker.compose.project=docmill")
        filters = [word for label in labels for word in ("--filter", label)]
        [found] = self._ask("ps", "--all", "--quiet", *filters).split()
        return found

    def exec(self, service: str, *command: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
        words = [*self._engine, "exec", self.container(service), *command]
        return subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, check=False, timeout=seconds
        )

    def docmill(self, *words: str) -> str:
        """A command that may be run again: under load, names of containers are not always resolved."""
        for _ in range(10):
            done = self.exec("scheduler", "docmill", *words)
            if done.returncode == 0:
                return done.stdout
            time.sleep(2)
        sys.exit(f"docmill {' '.join(words)}: {done.stdout}{done.stderr}")

    def sql(self, query: str) -> list[list[str]]:
        """As the user who may only read."""
        command = 'PGPASSWORD=$READER_PASSWORD psql -U reader -h 127.0.0.1 -d docmill -qAt -F "|" -c "$0"'
        done = self.exec("postgres", "sh", "-c", command, query)
        if done.returncode:
            raise ConnectionError(done.stderr)
        return [line.split("|") for line in done.stdout.splitlines()]

    def kill(self, service: str) -> bool:
        """Kill -9 of all its processes. Returns whether it came back by itself, as `restart` says."""
        container = self.container(service)
        os.kill(self._pid(container), signal.SIGKILL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep(0.5)
            if self._state(container) == "running":
                return True
        self._ask("start", container)
        return False

    def logs(self, service: str) -> str:
        return self._ask("logs", "--tail", "40", self.container(service))

    def _pid(self, container: str) -> int:
        return int(self._ask("inspect", "--format", "{{.State.Pid}}", container))

    def _state(self, container: str) -> str:
        # A container that was restarted has another process; podman says "running" for a moment after a kill.
        status, pid = self._ask("inspect", "--format", "{{.State.Status}} {{.State.Pid}}", container).split()
        return status if pid != "0" and Path(f"/proc/{pid}").exists() else "gone"

    def _ask(self, *words: str) -> str:
        command = [*self._engine, *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ChildProcessError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-4000:]}")


def checkout(reference: str, folder: Path) -> Path:
    """The files of a commit."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", reference], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive.stdout, check=True)
    return folder


def before_migration(commit: str, root: Path = ROOT) -> str:
    """The newest commit before this one with an older schema: an upgrade from it migrates the store."""

    def schema(of: str) -> str:
        names = _git(root, "ls-tree", "--name-only", of, "db/migrations/versions/").split()
        return max((found[1] for name in names if (found := _REVISION.search(name))), default="")

    mine = schema(commit)
    for before in _git(root, "rev-list", "--first-parent", f"{commit}~1").split():
        if schema(before) < mine and _has_one_head(root, before):
            return before
    sys.exit(f"no commit before {commit} has an older schema: give --previous")


def _has_one_head(root: Path, commit: str) -> bool:
    """Whether its migrations are one chain. Between merges of branches they are not, and nothing can be migrated."""
    files = "db/migrations/versions/"
    own = re.findall(
        r'^revision\b.*"(\w+)"', _git(root, "grep", "-h", "^revision", commit, "--", files), re.M
    )
    older = _git(root, "grep", "-h", "^down_revision", commit, "--", files)
    return len(set(own) - set(re.findall(r'"(\w+)"', older))) == 1


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout
