"""What DOCMILL_REDIS_URL may say, and what becomes of it for Celery, for redis-py and for people."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from kombu import Connection

from db.errors import StoreError
from workers.app import make_app
from workers.processes import redis_version
from workers.redis_address import parse
from workers.settings import Settings, settings

SECRET = "c4n;4ry@/"
WRITTEN = "c4n%3B4ry%40%2F"
SENTINELS = f"sentinel://me:{WRITTEN}@one,two:26380,[::1]:26381/the-primary/3"


def test_each_sentinel_is_an_alternative_with_the_login_of_redis() -> None:
    address = parse(SENTINELS)

    urls = address.broker_url.split(";")
    assert urls == [f"sentinel://me:{WRITTEN}@{host}/3" for host in ("one:26379", "two:26380", "[::1]:26381")]
    assert address.transport_options()["master_name"] == "the-primary"
    with Connection(address.broker_url) as connection:
        assert (connection.userid, connection.password, connection.virtual_host) == ("me", SECRET, "3")
        connection.maybe_switch_next()
        assert (connection.hostname, connection.password, connection.virtual_host) == ("two", SECRET, "3")
        assert WRITTEN not in connection.as_uri()


def test_people_see_the_sentinels_and_no_password() -> None:
    address = parse(SENTINELS + "?sentinel_password=" + WRITTEN)

    assert address.name == "sentinel://one:26379,two:26380,[::1]:26381/the-primary/3"
    assert "c4n" not in repr(address)
    assert address.sentinel_options()["password"] == SECRET


def test_a_sentinel_is_asked_once() -> None:
    """redis-py tries one that is gone again for seconds, before the next is asked."""
    options = parse("sentinel://one/name").sentinel_options()

    assert options["retry"].get_retries() == 0
    assert options["socket_connect_timeout"] < 5


def test_tls_takes_its_files_from_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    files = "ssl_ca_certs=/etc/ca.pem&ssl_certfile=/etc/me.pem&ssl_keyfile=/etc/me.key"
    for scheme, hosts in (("rediss", "h:6380/0"), ("sentinels", "a,b/name/0")):
        monkeypatch.setenv("DOCMILL_REDIS_URL", f"{scheme}://me:hunter2@{hosts}?{files}")
        settings.cache_clear()

        conf = make_app().conf

        assert conf.broker_use_ssl == {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_ca_certs": "/etc/ca.pem",
            "ssl_certfile": "/etc/me.pem",
            "ssl_keyfile": "/etc/me.key",
        }
        assert "ssl_" not in conf.broker_url
    assert conf.broker_transport_options["sentinel_kwargs"]["ssl_ca_certs"] == "/etc/ca.pem"


def test_a_file_of_tls_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", f"rediss://h:6380/0?ssl_ca_certs={tmp_path}/no.pem")
    with pytest.raises(
        StoreError, match=r"ssl_ca_certs=.*/no\.pem cannot be read \(No such file or directory\)"
    ):
        redis_version.check(Settings())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"sentinel://me:{SECRET}@one/name", "cannot be read|no URL of Redis Sentinel"),
        (f"sentinel://me:{WRITTEN}@one,two", "NAME is what the Sentinels call the primary"),
        (f"sentinel://me:{WRITTEN}@/name/0", "no URL of Redis Sentinel"),
        (f"sentinel://me:{WRITTEN}@one/name/zero", "no URL of Redis Sentinel"),
        (f"sentinel://me:{WRITTEN}@one:c4n4ry/name", "cannot be read"),
        (f"sentinel://me:{WRITTEN}@one/name?ssl_ca_certs=/x", "sentinel:// knows: sentinel_username"),
        (f"sentinels://me:{WRITTEN}@one/name?cert=c4n4ry", "ssl_ca_certs"),
        (f"rediss://me:{WRITTEN}@one:1/0?ssl_cert_reqs=none", "rediss:// knows: ssl_ca_certs"),
        (f"redis://me:{WRITTEN}@one:1/0?c4n4ry", "redis:// knows: none"),
        (f"amqp://me:{WRITTEN}@one:1/0", "this is no Redis URL"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_without_repeating_it(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse(url)
    assert "c4n" not in str(caught.value)
