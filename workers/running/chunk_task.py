"""The one Celery task: a message says which chunk may be ready, and nothing else."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import billiard
from celery import signals

from db import chunks
from db.store import Store, is_infrastructure_error
from workers.app import app
from workers.names import TASK_NAME
from workers.processes import process
from workers.running.chunk_report import Failed
from workers.settings import settings

log = logging.getLogger("docmill.worker")


class ChunkFailedError(Exception):
    """How Celery learns that a chunk came to nothing. The store has the outcomes already: nothing is undone."""


@app.task(name=TASK_NAME, ignore_result=True, throws=(ChunkFailedError,))
def run_chunk(chunk_id: int) -> str:
    """Run a chunk, if it is still to be run. Messages may come twice, late or never: the store decides. Celery logs
    a ChunkFailedError, which `throws` names, in one line and without a traceback."""
    from workers.running import chunk_run

    said = chunk_run.run(process.current(), chunk_id)
    if isinstance(said, Failed):
        raise ChunkFailedError(str(said))
    return said


@signals.worker_process_init.connect
def _start(**_: Any) -> None:
    process.start()


@signals.worker_shutting_down.connect
def _stop(how: str, **_: Any) -> None:
    """A warm shutdown lets the child end its batch and give the chunk back, instead of working it to its end. A
    cold one has ended the child in mid-work by now (and Celery sends no worker_shutdown after it)."""
    if how == "Cold":
        _give_back()
    for child in billiard.active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGUSR2)


def _give_back() -> None:
    """What this worker held is ready again, and nobody counts a crash."""
    store = Store(settings().url)
    try:
        with store.write() as session:
            chunks.give_back(session, settings().instance)
    except Exception as error:
        if not is_infrastructure_error(error):
            raise
        log.warning("cannot give chunks back: the lease will run out by itself")
    finally:
        store.close()
