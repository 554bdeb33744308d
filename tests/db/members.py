"""Short ways to register workers, to drain them, and to read what the registry shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sqlalchemy import update

from db import drains, registry
from db.drains import Target
from db.registry import Listed, Member
from db.sql import now
from db.states import WorkerPhase
from db.store import Store
from db.tables import Worker
from workers.processes import heartbeat


def register(
    store: Store,
    instance: str,
    name: str = "cpu-0@h",
    host: str = "h",
    role: str = "worker",
    **values: object,
) -> None:
    """A running worker, unless told otherwise."""
    member: Member = heartbeat.member(role, name, instance, "cpu", ["oracle"])
    with store.write() as session:
        registry.beat(
            session, [dataclasses.replace(member, host=host, **{"phase": WorkerPhase.RUNNING} | values)]
        )


def was_seen(store: Store, instance: str, seconds_ago: float) -> None:
    with store.write() as session:
        change = {"last_seen_at": now(-seconds_ago)}
        session.execute(update(Worker).where(Worker.instance == instance).values(change))


def drain(store: Store, *targets: Target, exits: bool = False) -> None:
    with store.write() as session:
        for target in targets:
            drains.drain(session, target, exits=exits, by="me@here")


def undrain(store: Store, target: Target) -> bool:
    with store.write() as session:
        return drains.undrain(session, target)


def listing(store: Store) -> Sequence[Listed]:
    with store.read() as session:
        return registry.listing(session)


def state(store: Store, instance: str = "i1") -> str:
    [found] = [one for one in listing(store) if one.instance == instance]
    return found.state
