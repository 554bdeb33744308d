"""The units of deploy/systemd and deploy/three-machines: valid to systemd, and true to docmill's commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import commands
from workers.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
OURS = sorted(FOLDER.glob("*.service"))
REDIS = ROOT / "deploy" / "three-machines" / "docmill-redis.service"
LONG_RUNNING = [path for path in OURS if "migrate" not in path.name] + [REDIS]
#: The systemd of Debian 12; an older one does not know --offline.
OLDEST = 252


def read(path: Path) -> dict[str, list[str]]:
    """The values of each key, in all sections; continued lines are joined."""
    text = path.read_text().replace("\\\n", "")
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
        found.setdefault(name, []).append(value)
    return found


def name_of(path: Path) -> str:
    return path.name


@pytest.fixture(scope="module")
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.split()[1]) < OLDEST:
        pytest.skip(f"systemd is older than {OLDEST}")
    return program


def test_systemd_finds_no_fault(analyze: str, tmp_path: Path) -> None:
    """With this environment's docmill in place of the one in /opt, and this repository's redis-start."""
    for path in [*OURS, REDIS, FOLDER / "docmill.target"]:
        text = path.read_text().replace("/opt/docmill/bin", str(Path(sys.executable).parent))
        text = text.replace("/opt/docmill/share", str(ROOT / "deploy"))
        (tmp_path / path.name.replace("@.", "@1.")).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))

    done = subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_no_unit_is_much_exposed(analyze: str) -> None:
    """On systemd's scale from 0 to 100. A worker needs the devices of its GPU."""
    units = [str(path) for path in [*OURS, REDIS]]
    command = [analyze, "security", "--offline=yes", "--threshold=25", *units]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_every_command_and_option_exists(path: Path) -> None:
    [line] = read(path)["ExecStart"]
    program, *words = shlex.split(line)

    assert program == "/opt/docmill/bin/docmill"
    assert commands.unknown(words) == []


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_every_variable_is_a_setting_or_of_the_unit(path: Path) -> None:
    unit = read(path)
    given = {each.split("=")[0] for line in unit.get("Environment", ()) for each in line.split()}
    used = set(re.findall(r"\$\{(\w+)\}", " ".join(unit["ExecStart"])))

    assert used <= given
    ours = {name for name in given if name.startswith("DOCMILL_")}
    assert ours <= {f"DOCMILL_{name}".upper() for name in Settings.model_fields}


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_a_part_may_write_its_own_home_alone(path: Path) -> None:
    unit = read(path)
    [home] = [
        each.partition("=")[2]
        for line in unit["Environment"]
        for each in line.split()
        if each.startswith("DOCMILL_HOME=")
    ]

    assert home == f"/var/lib/{unit['StateDirectory'][0]}"
    assert unit["ProtectSystem"] == ["strict"]
    writable = {"docmill-scheduler.service", "docmill-worker@.service"}
    assert unit.get("ReadWritePaths", []) == (["-/srv/docmill/models"] if path.name in writable else [])


def test_homes_are_of_one_unit_each() -> None:
    homes = [read(path)["StateDirectory"][0] for path in OURS]

    # `docmill alive` and the reports of crashes are about one launcher in one home.
    assert len(set(homes)) == len(homes)
    assert "docmill/worker-%i" in homes


def test_a_worker_may_end_its_batch_and_outlives_a_process_that_is_killed() -> None:
    unit = read(FOLDER / "docmill-worker@.service")

    assert int(unit["TimeoutStopSec"][0]) > Settings.model_fields["grace_seconds"].default + 20
    # Only the launcher is told: it lets each worker finish its batch.
    assert unit["KillMode"] == ["mixed"]
    # systemd's default stops the whole unit when the kernel kills one of its processes for memory.
    assert unit["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize("path", LONG_RUNNING, ids=name_of)
def test_what_runs_for_ever_is_always_restarted(path: Path) -> None:
    unit = read(path)

    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["PartOf"] == unit["WantedBy"] == ["docmill.target"]


@pytest.mark.parametrize("path", [*OURS, REDIS], ids=name_of)
def test_no_password_is_in_a_unit_or_on_a_command_line(path: Path) -> None:
    unit = read(path)

    assert not [line for line in unit.get("Environment", ()) if "PASS" in line or "AUTH" in line]
    assert "PASSWORD" not in " ".join(unit["ExecStart"])
    assert all("/etc/docmill/" in line for line in unit["EnvironmentFile"])


def test_the_user_has_the_ids_of_the_image() -> None:
    [user] = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.M)

    assert f"u docmill {user} " in (FOLDER / "docmill.sysusers.conf").read_text()
