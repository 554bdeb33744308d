"""The only Celery task. Its message says which chunk may be ready, and nothing else."""

from __future__ import annotations

import os
import signal
from typing import Any

import billiard
import billiard.pool
from celery import signals

from workers import tracing
from workers.app import app
from workers.names import TASK_NAME
from workers.processes import crash_reports, process, requeue
from workers.running.chunk_report import Failed, Refused
from workers.settings import settings

#: A worker that may not claim takes its next message after this time: at full speed it would use up the messages that
#: others are waiting for. Its launcher stops it before long, if it may claim nothing at all.
REFUSED_SECONDS = 5.0


class ChunkFailedError(Exception):
    """Tells Celery that a chunk has only errors, or was put back. The store knows already; nothing is undone."""


@app.task(name=TASK_NAME, ignore_result=True, throws=(ChunkFailedError,))
def run_chunk(chunk_id: int) -> str:
    """Run a chunk if it is still ready. Messages may come twice, late or never: the store decides. `throws` makes
    Celery log a ChunkFailedError in one line, without a traceback."""
    from workers.running import chunk_run

    said = chunk_run.run(process.current(), chunk_id)
    if isinstance(said, Refused):
        process.current().pause(REFUSED_SECONDS)
    if isinstance(said, Failed):
        raise ChunkFailedError(str(said))
    return said


#: At its end, a child waits up to 300 times 0.1 s until its parent has read every result, and a parent that is
#: stopping reads none. Nothing is lost: results are in the store.
_TRIES_TO_HAND_OVER = 10


@signals.worker_process_init.connect
def _start(**_: Any) -> None:
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = _TRIES_TO_HAND_OVER
    process.start()
    tracing.start("docmill-worker")


@signals.worker_process_shutdown.connect
def _end(**_: Any) -> None:
    tracing.stop()


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    crash_reports.record_ready(settings().home_path, settings().instance)


@signals.worker_shutting_down.connect
def _stop(how: str, **_: Any) -> None:
    """At a warm shutdown, the child ends its batch and gives the chunk back, instead of finishing the chunk. At a cold
    one, the child has been ended in the middle of its work by now (and Celery sends no worker_shutdown later)."""
    if how == "Cold":
        requeue.give_back(settings().url, [settings().instance])
    for child in billiard.active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGUSR2)
