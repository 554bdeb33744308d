"""rediss:// means TLS with a certificate that is verified."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.broker import Broker
from tests.security.production import free_port
from tests.servers import RedisServer, missing_redis, short_folder
from workers.app import make_app
from workers.settings import settings


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Certificates for 127.0.0.1 and for another host, each signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    folder = short_folder("dm-tls-")
    for name, subject in (("here", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.invalid")):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                   "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={subject}",
                   "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["here", "elsewhere"])
def server(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Redis with TLS and one of the certificates."""
    if missing := missing_redis():
        pytest.skip(missing)
    name, port = request.param, free_port()
    options = {"tls-port": str(port), "tls-cert-file": f"{folder}/{name}.crt", "tls-key-file": f"{folder}/{name}.key",
               "tls-auth-clients": "no"}  # fmt: skip
    redis = RedisServer(options)
    redis.start()
    monkeypatch.setenv("DOCMILL_REDIS_URL", f"rediss://127.0.0.1:{port}/0")
    settings.cache_clear()
    yield name
    redis.stop()
    redis.remove()


def test_a_certificate_that_nobody_vouches_for_is_refused(server: str) -> None:
    with pytest.raises(Exception, match=r"self-signed|certificate verify failed"):
        ping()


def test_a_certificate_counts_only_for_its_own_host(
    server: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{folder}/{server}.crt")
    if server == "here":
        ping()
    else:
        with pytest.raises(Exception, match=r"IP address mismatch|certificate verify failed"):
            ping()


def test_celery_is_told_to_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", "rediss://127.0.0.1:1/0")
    settings.cache_clear()

    assert make_app().conf.broker_use_ssl["ssl_cert_reqs"] == ssl.CERT_REQUIRED


def ping() -> None:
    broker = Broker(make_app())
    try:
        broker.ping()
    finally:
        broker.close()
