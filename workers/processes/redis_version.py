"""Which versions of Redis will do."""

from __future__ import annotations

import re
import subprocess

from db.errors import StoreError
from workers.processes import redis_client
from workers.settings import Settings

#: kombu 5.7 sends ZADD with GT, which older versions take for a syntax error.
OLDEST = (6, 2)


def refuse_if_old(version: str, name: str) -> None:
    """Raises StoreError in one sentence."""
    if _numbers(version) < OLDEST:
        raise StoreError(
            f"Redis at {name} is version {version}, and docmill needs {OLDEST[0]}.{OLDEST[1]} or later: upgrade it, "
            "or point DOCMILL_REDIS_URL at another"
        )


def check(settings: Settings) -> None:
    """Refuse an old Redis before anything starts, and files of TLS that cannot be read. A Redis that does not answer
    is waited for later."""
    import redis

    try:
        with redis_client.connected(settings.redis) as client:
            version = str(client.info("server")["redis_version"])
    except redis.RedisError:
        return
    refuse_if_old(version, settings.redis_name)


def is_old_program(path: str) -> bool:
    """Whether this redis-server is too old; one that cannot say its version is."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return True
    found = re.search(r"v=(\d[\d.]*)", said)
    return found is None or _numbers(found[1]) < OLDEST


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
