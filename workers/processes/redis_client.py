"""docmill's own connections to Redis and Sentinel, beside Celery's: to check versions and roles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers.redis_address import RedisAddress

if TYPE_CHECKING:
    import redis

#: How long to wait for a connection, and for an answer.
CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 5.0


@dataclass(frozen=True)
class Server:
    """What a Redis says of itself."""

    #: "Redis 7.0.15", "Valkey 8.1.1 (as Redis 7.2.4)"
    product: str
    #: The version of Redis that it is, or that it is compatible with.
    version: str
    is_primary: bool
    n_replicas: int
    #: "host:port" if it was reached through Sentinel.
    address: str = ""


@dataclass(frozen=True)
class Witness:
    """What one Sentinel says."""

    address: tuple[str, int]
    #: "host:port" of the primary; None if it does not answer, or does not know it.
    primary: str | None
    fault: str = ""
    quorum: int = 0


@contextmanager
def connected(address: RedisAddress) -> Iterator[redis.Redis]:
    """A client that asks once, and does not try again. Of Sentinels: a client of the primary that they name."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
    from redis.sentinel import Sentinel

    address.check_files()
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    if not address.is_sentinel:
        client = redis.Redis.from_url(address.url, **options, **address.tls())
        with client:
            yield client
        return
    tls = {"ssl": True} | address.tls() if address.is_tls else {}
    login = {"username": address.user, "password": address.password, "db": address.db}
    options |= login | tls
    # redis-py does not annotate it.
    sentinel: Any = Sentinel(address.sentinels, sentinel_kwargs=address.sentinel_options(), **options)  # type: ignore[no-untyped-call]
    with sentinel, sentinel.master_for(address.master) as client:
        yield client


def describe(client: redis.Redis) -> Server:
    """Raises redis.RedisError if it does not answer."""
    server: dict[str, Any] = client.info("server")
    replication: dict[str, Any] = client.info("replication")
    version = str(server["redis_version"])
    product = f"Redis {version}"
    if server.get("server_name") == "valkey":
        product = f"Valkey {server['valkey_version']} (compatible with Redis {version})"
    found = getattr(client.connection_pool, "master_address", None)
    return Server(
        product,
        version,
        replication["role"] == "master",
        int(replication.get("connected_slaves", 0)),
        f"{found[0]}:{found[1]}" if found else "",
    )


def witnesses(address: RedisAddress) -> list[Witness]:
    """What each Sentinel says, in the order of the URL."""
    return [_ask(address, sentinel) for sentinel in address.sentinels]


def _ask(address: RedisAddress, sentinel: tuple[str, int]) -> Witness:
    import redis

    host, port = sentinel
    try:
        with redis.Redis(host, port, **address.sentinel_options()) as client:
            state = client.sentinel_masters().get(address.master)
    except redis.RedisError as error:
        return Witness(sentinel, None, str(error))
    if state is None:
        return Witness(sentinel, None, f"has no primary named {address.master}")
    return Witness(sentinel, f"{state['ip']}:{state['port']}", quorum=int(state["quorum"]))
