"""PostgreSQL's own programs, as child processes: pg_dump and pg_restore.

The password is never on a command line: it goes through the environment, which only the same user can read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import StoreError
from db.store import Store

#: Debian's folders of programs, one for each version: the command in PATH takes an old one at times.
_DEBIAN = Path("/usr/lib/postgresql")
#: The pause between two looks at a program.
_WAIT_SECONDS = 0.2
#: The last lines of what a program complained of.
_LINES = 3


def check_version(program: str, server: int) -> None:
    """Raise StoreError, with what to install, unless the program can work with a server of this version number
    (160004 is 16.4)."""
    major = _major(find(program, server // 10_000))
    if major < server // 10_000:
        raise StoreError(
            f"{program} is of version {major}, and the server of {server // 10_000}: an older {program} cannot read "
            f"it. Install postgresql-client-{server // 10_000} or newer"
        )


def find(program: str, server: int | None = None) -> Path:
    """The newest such program on this machine; StoreError if there is none."""
    found = sorted(_DEBIAN.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    on_path = shutil.which(program)
    if found and (on_path is None or Path(on_path).resolve().name == "pg_wrapper"):
        return found[-1]
    if on_path is None:
        package = f"postgresql-client-{server}" if server else "postgresql-client"
        raise StoreError(
            f"{program} was not found: install {package} (of the server's version or newer) where this command runs"
        )
    return Path(on_path)


def run(store: Store, program: str, *options: str, on_wait: Callable[[], None] = lambda: None) -> None:
    """Run a program on the store's database. StoreError with its own words if it fails; it is ended if the caller is
    interrupted."""
    with _connection(store) as (conninfo, environment), tempfile.TemporaryFile() as said:
        command = [str(find(program)), f"--dbname={conninfo}", "--no-password", *options]
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        ) as process:
            try:
                while process.poll() is None:
                    on_wait()
                    _wait(process)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            said.seek(0)
            raise StoreError(f"{program} failed on {store.name}: {_complaint(said.read())}")


def contents(dump: Path) -> list[str]:
    """The lines of a dump's table of contents, as pg_restore takes them back. StoreError if it cannot be read."""
    command = [str(find("pg_restore")), "--list", str(dump)]
    said = subprocess.run(command, capture_output=True, check=False, env=_environment())
    if said.returncode != 0:
        raise StoreError(f"{dump.name} is damaged: {_complaint(said.stderr)}")
    return [line for line in said.stdout.decode().splitlines() if line and not line.startswith(";")]


@contextmanager
def _connection(store: Store) -> Iterator[tuple[str, dict[str, str]]]:
    """What names the database on a command line, and the environment with the secrets."""
    from psycopg.conninfo import make_conninfo

    _, parameters = store.engine.dialect.create_connect_args(store.url)
    secrets = {name: parameters.pop(name, None) for name in ("password", "sslpassword")}
    environment = _environment()
    if secrets["password"]:
        environment["PGPASSWORD"] = str(secrets["password"])
    with tempfile.TemporaryDirectory(prefix="docmill-") as folder:
        if secrets["sslpassword"]:
            # There is no variable for it, so it goes into a file that only its owner can read.
            service = Path(folder) / "service"
            service.touch(mode=0o600)
            service.write_text(f"[docmill]\nsslpassword={secrets['sslpassword']}\n", encoding="utf-8")
            environment["PGSERVICEFILE"] = str(service)
            parameters["service"] = "docmill"
        known = {name: value for name, value in parameters.items() if name != "context"}
        yield make_conninfo(**known), environment


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C", "PGAPPNAME": "docmill"}


def _major(program: Path) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)", said.stdout)
    if found is None:
        raise StoreError(f"{program} --version says nothing of a version: {said.stdout}{said.stderr}".strip())
    return int(found[1])


def _wait(process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def _complaint(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    # The line "Command was: ..." repeats statements.
    kept = [line for line in lines if "Command was:" not in line and "Query was:" not in line]
    return "; ".join(kept[:_LINES]) or "it said nothing"
