"""Requeueing what worker processes of this machine held: after a death that is known here, and when they stop.

Without this the chunks would wait until their leases run out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from db import chunks
from db.store import Store, is_infrastructure_error
from workers.processes.crash_reports import Dead

log = logging.getLogger("docmill.worker")

#: The fault of chunks whose worker died with its launcher.
_KILLED_AS_A_WHOLE = "its worker was killed as a whole, from outside"


def report_death(session: Session, dead: Dead, *, is_witness: bool) -> None:
    """Requeue what a dead process held. The death counts as a crash only for a witness: the Celery process that
    started it and lived on. A worker that was killed as a whole says nothing about a document."""
    freed: list[int] = []
    if dead.was_told_to_stop:
        chunks.give_back(session, dead.instance)
    elif is_witness:
        freed = chunks.crashed(session, dead.instance, dead.code, dead.detail)
        if not freed and dead.held is not None:
            chunks.crashed_late(session, *dead.held, dead.code, dead.detail)
    else:
        freed = chunks.lost(session, dead.instance, _KILLED_AS_A_WHOLE)
    if freed:
        log.warning("an earlier process died (%s); requeued chunks %s", dead.detail, freed)


def give_back(url: str, instances: Sequence[str]) -> None:
    """Requeue what these instances, which are being stopped, still hold. This is not a crash."""

    def step(session: Session) -> None:
        for instance in instances:
            chunks.give_back(session, instance)

    try_in_the_store(url, step, "give chunks back")


def try_in_the_store(url: str, step: Callable[[Session], None], what: str) -> None:
    """Run one transaction on a separate connection. If the store is away, log it and go on."""
    store = Store(url)
    try:
        with store.write() as session:
            step(session)
    except Exception as error:
        if not is_infrastructure_error(error):
            raise
        log.warning("cannot %s: the leases will run out by themselves", what)
    finally:
        store.close()
