"""deploy/three-machines: the files that `configure` writes, and real servers that run with them."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.security.production import free_port
from tests.servers import (
    _as_postgres_user,
    _postgres_binary,
    missing_postgres,
    missing_redis,
    short_folder,
    until,
)
from workers.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "three-machines"
#: In this machine's loopback network.
STORE, WORKER = "127.0.0.1", "127.0.0.2"


def configure(
    out: Path, *more: str, workers: tuple[str, ...] = (WORKER,)
) -> subprocess.CompletedProcess[str]:
    command = [FOLDER / "configure", "--store", STORE, "--workers", *workers, "--out", out, *more]
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    out = tmp_path_factory.mktemp("machines") / "out"
    ports = ("--postgres-port", str(free_port()), "--redis-port", str(free_port()))
    done = configure(out, *ports, workers=(WORKER, "127.0.0.3"))
    assert done.returncode == 0, done.stderr
    return out


def variables(path: Path) -> dict[str, str]:
    """As a shell reads them, and systemd."""
    command = ["sh", "-c", f"set -a; . {path}; env -0"]
    said = subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout
    found = dict(each.split("=", 1) for each in said.split("\0") if each)
    return {name: value for name, value in found.items() if name not in {"PWD", "_", "OLDPWD", "SHLVL"}}


# --- the files ---------------------------------------------------------------------------------------------------


def test_only_their_owner_may_read_the_files(machines: Path) -> None:
    for path in machines.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_worker_gets_no_more_than_it_needs(machines: Path) -> None:
    assert {path.name for path in (machines / "worker").iterdir()} == {
        "docmill.env", "ca.crt", "fstab", "nftables.conf",
    }  # fmt: skip
    assert variables(machines / "worker" / "docmill.env") == variables(machines / "store" / "docmill.env")
    # The authority's key could sign a second store.
    assert not list(machines.rglob("ca.key"))


def test_every_variable_is_a_setting(machines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = variables(machines / "worker" / "docmill.env")
    known = {f"DOCMILL_{name}".upper() for name in Settings.model_fields} | {"PGPASSWORD", "PGSSLROOTCERT"}

    assert set(given) <= known
    # Each unit has its own.
    assert "DOCMILL_HOME" not in given
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().redis_url.startswith("rediss://")
    assert "sslmode=verify-full" in Settings().database_url


def test_passwords_are_new_and_the_files_of_an_installation_are_left_alone(
    machines: Path, tmp_path: Path
) -> None:
    again = configure(machines)
    configure(tmp_path / "other")
    first, second = (
        set(re.findall(r"\b[0-9a-f]{48}\b", "".join(path.read_text() for path in folder.rglob("*.env"))))
        for folder in (machines, tmp_path / "other")
    )

    assert (again.returncode, "exists" in again.stderr) == (1, True)
    assert len(first) == len(second) == 4
    assert not first & second


def test_two_machines_of_one_address_are_refused(tmp_path: Path) -> None:
    assert "an address of its own" in configure(tmp_path / "out", workers=(STORE,)).stderr


def test_the_firewall_opens_the_stores_ports_to_workers_alone(machines: Path) -> None:
    settings = variables(machines / "store" / "docmill.env")
    store, worker = ((machines / name / "nftables.conf").read_text() for name in ("store", "worker"))
    ports = re.findall(
        r"@127\.0\.0\.1:(\d+)/", settings["DOCMILL_DATABASE_URL"] + settings["DOCMILL_REDIS_URL"]
    )

    for address in (WORKER, "127.0.0.3"):
        assert f"ip saddr {address} tcp dport {{ {', '.join(ports)}, 2049 }} accept" in store
    for text in (store, worker):
        assert "policy drop;" in text
    assert re.findall(r"dport (.*) accept", worker) == ["22"]
    if nft := shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin"):
        for name in ("store", "worker"):
            done = subprocess.run(
                [nft, "--check", "--file", machines / name / "nftables.conf"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert "syntax error" not in done.stderr


def test_the_installer_is_a_valid_script_and_names_files_that_exist(machines: Path) -> None:
    script = (FOLDER / "install").read_text()
    subprocess.run(["bash", "-n", FOLDER / "install"], check=True)
    written = {path.name for path in machines.rglob("*") if path.is_file()}

    named = set(re.findall(r'\$files/([\w.]+)"', script)) | {"server.crt", "server.key"}
    assert named == written
    paths = re.findall(r"\bdeploy/[\w./-]+", script)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    units = set(re.findall(r"docmill-[a-z]+", " ".join(re.findall(r"^\s+services (.*)$", script, re.M))))
    assert units == {"docmill-scheduler", "docmill-flower", "docmill-pages", "docmill-worker"}


def test_the_installer_says_how_to_call_it() -> None:
    done = subprocess.run(["bash", FOLDER / "install"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "install store FOLDER" in done.stderr


# --- real servers with them --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(machines: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL and Redis as `install store` configures them; the settings of docmill.env."""
    if missing := missing_postgres() or missing_redis():
        pytest.skip(missing)
    files, folder = machines / "store", short_folder("dm-three-")
    postgres = _start_postgres(files, folder)
    queue = _start_redis(files, folder)
    settings = variables(files / "docmill.env")
    try:
        until(lambda: _answers(settings, files / "ca.crt"), "PostgreSQL and Redis answering")
        yield settings | {"PGSSLROOTCERT": str(files / "ca.crt"), "SSL_CERT_FILE": str(files / "ca.crt")}
    finally:
        for process in (postgres, queue):
            process.terminate()
            process.wait()
        shutil.rmtree(folder)


def _start_postgres(files: Path, folder: Path) -> subprocess.Popen[bytes]:
    as_user = _as_postgres_user(folder)
    data = folder / "data"
    initdb = [
        *as_user,
        str(_postgres_binary("initdb")),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-N",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    server = [*as_user, str(_postgres_binary("postgres")), "-D", str(data), "-k", str(folder)]
    # The database, as `install` makes it: over the socket, before anybody else may connect.
    text = (files / "postgres.conf").read_text()
    port = re.findall(r"^port = (\d+)$", text, re.M)[0]
    first = _popen([*server, "-c", "listen_addresses=", "-p", port], folder / "log")
    psql = ["psql", "--quiet", "--host", str(folder), "--port", port, "--username", "postgres"]
    until(
        lambda: subprocess.run([*psql, "-c", ""], capture_output=True).returncode == 0, "PostgreSQL answering"
    )
    environment = os.environ | variables(files / "postgres.env")
    command = [*psql, "--set", "ON_ERROR_STOP=1", "--file", str(ROOT / "deploy" / "postgres.sql")]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    first.terminate()
    first.wait()
    for name in ("server.crt", "server.key"):
        text = text.replace(f"/etc/docmill/postgres/{name}", str(folder / name))
        shutil.copy(files / name, folder / name)
    (data / "postgresql.auto.conf").write_text(text)
    shutil.copy(files / "pg_hba.conf", data / "pg_hba.conf")
    if os.getuid() == 0:
        for name in ("server.crt", "server.key", "data/pg_hba.conf", "data/postgresql.auto.conf"):
            shutil.chown(folder / name, "postgres", "postgres")
    (folder / "server.key").chmod(0o600)
    return _popen(server, folder / "log")


def _popen(command: list[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)


def _start_redis(files: Path, folder: Path) -> subprocess.Popen[bytes]:
    """By the command of docmill-redis.service."""
    unit = (FOLDER / "docmill-redis.service").read_text().replace("\\\n", "")
    [line] = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    values = variables(files / "redis.env")
    line = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], line)
    line = line.replace("/opt/docmill/share", str(ROOT / "deploy")).replace("/etc/docmill/redis", str(files))
    # Twice the same address cannot be listened on.
    line = line.replace("--bind 127.0.0.1 127.0.0.1", "--bind 127.0.0.1")
    data = folder / "redis"
    data.mkdir()
    return _popen(line.split(), folder / "redis.log", **values, REDIS_RUN=str(data), REDIS_DATA=str(data))


def _answers(settings: dict[str, str], authority: Path) -> bool:
    try:
        connect(settings, authority).close()
        return bool(queue(settings, authority).ping())
    except (psycopg.OperationalError, redis.exceptions.ConnectionError):
        return False


def connect(settings: dict[str, str], authority: Path, **more: str) -> psycopg.Connection[tuple[object, ...]]:
    given = {"password": settings["PGPASSWORD"], "sslrootcert": str(authority)} | more
    return psycopg.connect(settings["DOCMILL_DATABASE_URL"], connect_timeout=5, **given)  # type: ignore[arg-type]


def queue(settings: dict[str, str], authority: Path) -> redis.Redis:
    return redis.Redis.from_url(settings["DOCMILL_REDIS_URL"], ssl_ca_certs=str(authority))


@pytest.mark.stack
@pytest.mark.long
def test_docmill_works_with_these_servers(store: dict[str, str], tmp_path: Path) -> None:
    environment = (
        os.environ | store | {"DOCMILL_HOME": str(tmp_path), "DOCMILL_MODELS_DIR": str(tmp_path / "m")}
    )

    def docmill(*words: str) -> str:
        command = [sys.executable, "-m", "docmill.cli", *words]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    docmill("db", "upgrade")
    said = docmill("doctor")

    assert re.search(r"(?m)^ok\s+store", said), said
    assert re.search(r"(?m)^ok\s+(redis|Redis)", said), said


@pytest.mark.stack
@pytest.mark.long
def test_who_is_not_a_machine_of_docmills_reaches_nothing(store: dict[str, str], machines: Path) -> None:
    authority = machines / "store" / "ca.crt"
    other = Path(ssl.get_default_verify_paths().openssl_cafile or "/etc/ssl/certs/ca-certificates.crt")
    passwords = variables(machines / "store" / "postgres.env")

    connect(store, authority, user="reader", password=passwords["READER_PASSWORD"]).close()
    for refused, words in (
        ({"password": "guessed"}, "password authentication failed"),
        ({"user": "postgres"}, "no pg_hba.conf entry"),
        ({"sslmode": "disable", "sslrootcert": ""}, "no pg_hba.conf entry"),
        ({"dbname": "postgres"}, "no pg_hba.conf entry"),
        ({"sslrootcert": str(other)}, "certificate verify failed|could not read root certificate"),
    ):
        with pytest.raises(psycopg.OperationalError, match=words):
            connect(store, authority, **refused)
    guessed = store | {"DOCMILL_REDIS_URL": re.sub(r":\w+@", ":guessed@", store["DOCMILL_REDIS_URL"])}
    with pytest.raises(redis.exceptions.AuthenticationError):
        queue(guessed, authority).ping()
    port = store["DOCMILL_REDIS_URL"].rpartition(":")[2].partition("/")[0]
    without_tls = redis.Redis(host=STORE, port=int(port), socket_timeout=5)
    with pytest.raises(redis.exceptions.ConnectionError):
        without_tls.ping()
