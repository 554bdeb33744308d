"""One claimed chunk of a kind that works on documents: load, run, write, close."""

from __future__ import annotations

from db.states import ErrorCode
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Kind, Stage
from workers.processes import log_context
from workers.processes.process import Process
from workers.running.batch_runner import BatchRunner
from workers.running.lease import Lease
from workers.running.loading import Loading
from workers.running.runners import runner_for
from workers.running.storing import Done, Storing
from workers.running.write_behind import WriteBehind


class DocumentsRun:
    """The run of one claim."""

    def __init__(self, process: Process, lease: Lease, kind: Kind) -> None:
        self._process = process
        self._lease = lease
        self._kind = kind
        self._stage: Stage = kind.stages[lease.claim.stage]
        self._loading = Loading(process, lease, kind)
        is_last = lease.claim.stage == len(kind.stages) - 1
        self._storing = Storing(process, lease, self._loading.still_pending, with_outcomes=is_last)

    def run(self) -> str:
        """See the chunk through; returns what came of it, in words."""
        pending = self._loading.pending()
        rest: Done = []
        if pending:
            runner = BatchRunner(
                self._process,
                self._lease.claim,
                runner_for(self._process, self._lease, self._kind, self._stage),
                self._stage.name,
            )
            if self._lease.claim.careful:
                self._run_one_by_one(runner, pending)
            else:
                rest = self._run_all(runner, pending)
            runner.remember()
        self._storing.write([*rest, *self._removed()], close=True)
        return self._storing.report()

    def _removed(self) -> Done:
        """The documents that were removed before they were run."""
        error = DocumentError(ErrorCode.REMOVED, "the document was removed before the job came to it")
        return [(Document(id_, "", ""), error) for id_ in self._loading.removed]

    def _run_one_by_one(self, runner: BatchRunner, ids: list[int]) -> None:
        """A worker died over this chunk: announce each document, so that the next death names its cause, and write
        each result at once."""
        for id_ in ids:
            for document in self._loading.load([id_]):
                with log_context.about(document=id_):
                    self._lease.beat()
                    self._storing.suspect(document)
                    self._storing.write(runner.run([document]))

    def _run_all(self, runner: BatchRunner, ids: list[int]) -> Done:
        """While a block is run, the next one is loaded and the last one is written. Returns the results that are not
        written yet."""
        with self._loading.ahead(ids) as blocks, WriteBehind(self._storing.write) as behind:
            for block in blocks:
                for batch in runner.batches(block):
                    self._lease.beat()
                    behind.add(runner.run(batch))
            behind.wait()
        return behind.rest
