"""What the documents of a trial do to the process that works on them, and a record of each run. Standard library only.

PEERS_RUNS      a file that gets a line "worker document" for each run of a document; empty for none
PEERS_WORKER    the name of the worker in it
PEERS_PAUSE     seconds that a document takes
PEERS_PLANTED   "raise 7": document 7 raises each time; "kill 7": it kills its process each time;
                "kill-once-written 7": it kills its process once, when its result has been committed
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

_runs = os.environ.get("PEERS_RUNS", "")
_worker = os.environ.get("PEERS_WORKER", "")
_pause = float(os.environ.get("PEERS_PAUSE", "0"))
_how, _, _which = os.environ.get("PEERS_PLANTED", "").partition(" ")
_planted = int(_which or 0)


def before(document: int) -> None:
    """Record the run, take the time, and do what is planted."""
    if _runs:
        _append(f"{_worker} {document}\n")
    if _pause:
        time.sleep(_pause)
    if document != _planted:
        return
    if _how == "raise":
        raise ValueError(f"document {document} raises")
    if _how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def written(documents: Iterable[int]) -> None:
    """To be called as soon as the results of these documents are committed."""
    if _how == "kill-once-written" and _planted in documents and _is_first():
        os.kill(os.getpid(), signal.SIGKILL)


def _append(line: str) -> None:
    file = os.open(_runs, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(file, line.encode())
    os.close(file)


def _is_first() -> bool:
    try:
        Path(f"{_runs}.killed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
