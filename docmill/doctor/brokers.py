"""The checks of Redis: whether it answers, which server is the primary, and whether Sentinel could replace it."""

from __future__ import annotations

from db.database_errors import first_line
from docmill.doctor.findings import Finding
from workers.processes import redis_client
from workers.processes.redis_client import Server, Witness
from workers.processes.redis_version import refuse_if_old
from workers.redis_address import RedisAddress, at
from workers.settings import Settings

_URL_FIX = "check DOCMILL_REDIS_URL, and that Redis runs"


def findings(now_settings: Settings) -> list[Finding]:
    """The first is of the primary, which is all that the queue needs; then one of the Sentinels, if there are any."""
    address = now_settings.redis
    found = [_primary(address, is_embedded=not now_settings.redis_url)]
    if address.is_sentinel:
        found.append(_sentinels(address.master, redis_client.witnesses(address)))
    return found


def _primary(address: RedisAddress, *, is_embedded: bool) -> Finding:
    try:
        with redis_client.connected(address) as client:
            server = redis_client.describe(client)
        refuse_if_old(server.version, address.name)
    except Exception as error:
        fix = "docmill up" if is_embedded else _URL_FIX
        return Finding("redis", False, f"{address.name}: {first_line(error)}", fix)
    return _of_role(address, server)


def _of_role(address: RedisAddress, server: Server) -> Finding:
    replicas = "1 replica" if server.n_replicas == 1 else f"{server.n_replicas} replicas"
    if not server.is_primary:
        detail = f"{address.name}: {server.product} is a replica, which refuses every write"
        fix = "point DOCMILL_REDIS_URL at the primary, or at Sentinel: sentinel://host1:26379,host2:26379/NAME/0"
        return Finding("redis", False, detail, fix)
    if not address.is_sentinel:
        more = f", primary with {replicas}" if server.n_replicas else ""
        return Finding("redis", True, f"{address.name}: {server.product}{more}")
    detail = f"{address.name}: the primary is {server.address}, {server.product} with {replicas}"
    return Finding("redis", True, detail, None if server.n_replicas else _NO_REPLICA)


_NO_REPLICA = "start a replica: without one, nothing can take the primary's place"


def _sentinels(master: str, said: list[Witness]) -> Finding:
    """Whether they answer, agree, and are enough for a failover."""
    silent = [f"{at(one.address)} {one.fault}" for one in said if one.primary is None]
    named = {one.primary for one in said if one.primary is not None}
    n_there = len(said) - len(silent)
    detail = f"{n_there} of {len(said)} answer"
    if len(named) > 1:
        fix = "wait until a failover has ended; if it stays so, SENTINEL RESET on the ones that are wrong"
        return Finding(
            "sentinel", False, f"{detail}, and name different primaries: {', '.join(sorted(named))}", fix
        )
    if silent:
        fix = f"start them: a failover of {master} needs the votes of more than half of all Sentinels"
        return Finding("sentinel", False, f"{detail}: {'; '.join(silent)}", fix)
    quorum = max(one.quorum for one in said)
    return Finding("sentinel", True, f"{detail} and name {named.pop()}; quorum {quorum}")
