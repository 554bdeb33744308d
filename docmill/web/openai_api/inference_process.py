"""The process that runs kinds for the server, so that the server loads no model: one JSON object a line in, one out.

{"kind": "...", "parameters": {...}, "model_version_id": 3, "texts": ["..."]}
{"rows": [{"TABLE": [{...}]}], "errors": [null]}  or  {"fault": "..."}
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from db.store import Store
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, NewText, Result, RowsAbout, Runner
from workers import kinds
from workers.running.opening import setup_for
from workers.settings import settings

#: Runners that stay open.
_MOST_OPEN = 4
#: Marks bytes in JSON.
BYTES = "base64"


@dataclass(frozen=True, slots=True)
class _Work:
    """What a stage is opened for."""

    parameters: dict[str, Any]
    model_version_id: int | None
    collection_id: int = 0


class Runners:
    """Open runners, the last used ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: OrderedDict[str, Runner] = OrderedDict()

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Run a kind's only stage on some texts."""
        runner = self._runner(asked)
        documents = [
            Document(number, str(number), text) for number, text in enumerate(asked["texts"], start=1)
        ]
        found = runner.run(documents)
        tables = [row.table for row in kinds.find(asked["kind"]).rows]
        return {
            "rows": [_rows(result, tables) for result in found],
            "errors": [
                [each.code, each.detail] if isinstance(each, DocumentError) else None for each in found
            ],
        }

    def _runner(self, asked: dict[str, Any]) -> Runner:
        key = json.dumps([asked["kind"], asked["parameters"], asked["model_version_id"]], sort_keys=True)
        if key not in self._open:
            kind = kinds.find(asked["kind"])
            work = _Work(asked["parameters"], asked["model_version_id"])
            [stage] = kind.stages
            setup = setup_for(self._store, settings(), kind, stage, work, lambda: None)
            while len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)
            self._open[key] = stage.open(setup)
        self._open.move_to_end(key)
        return self._open[key]


def _rows(result: Result, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {table: [] for table in tables}
    if not isinstance(result, DocumentError):
        for row in result:
            if not isinstance(row, RowsAbout | NewText):
                found[row.table].append(asdict(row))
    return found


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {BYTES: base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def answer_all(incoming: IO[str], outgoing: IO[str], runners: Runners) -> None:
    """Answer line by line until the server closes the pipe."""
    for line in incoming:
        try:
            answer = runners.run(json.loads(line))
        except Exception as error:
            answer = {"fault": f"{type(error).__name__}: {error}"}
        outgoing.write(json.dumps(answer, default=_as_json) + "\n")
        outgoing.flush()


def main(parent: int) -> None:
    """Answer on standard output until the server, process `parent`, closes the pipe or is gone; what libraries print
    goes to standard error."""
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    outgoing, sys.stdout = sys.stdout, sys.stderr
    store = Store(settings().database_url)
    answer_all(sys.stdin, outgoing, Runners(store))


def _leave_with(parent: int) -> None:
    """A request that hangs must not outlive the server. PR_SET_PDEATHSIG would not do: it looks at the thread that
    started this process, which ends sooner."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)
