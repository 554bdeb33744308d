"""Running a job's documents in this process, outside any worker: for `docmill repro` and `docmill verify`.

Reads the store and never writes to it; keeps no lease; the runners are those that a worker would open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from db import results
from db.store import Store
from db.tables import Job
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Kind, NewText, Result, Row, RowsAbout, Stage, Vectors
from workers import kinds
from workers.running import batches, faults
from workers.running.opening import setup_for, vectors_of
from workers.settings import Settings


@dataclass(frozen=True)
class PastJob:
    """What an ended job asked for, with the model version that it used."""

    id: int
    kind: Kind
    parameters: dict[str, Any]
    collection_id: int
    model_version_id: int | None
    finished_at: datetime | None

    @classmethod
    def from_row(cls, job: Job) -> PastJob:
        """ValueError for a training job: it makes a model, and nothing of a single document."""
        kind = kinds.find(job.kind)
        if kind.train is not None:
            raise ValueError(
                f"job {job.id} trains a model ({kind.name}): it has no result of a single document"
            )
        return cls(job.id, kind, job.parameters, job.collection_id, job.model_version_id, job.finished_at)


def run_one(
    store: Store, settings: Settings, job: PastJob, document: Document, beat: Callable[[], None]
) -> list[Row] | DocumentError:
    """All stages on one document, alone. Whatever the runner raises comes through, traceback and all."""
    made: list[Row] = []
    for stage in job.kind.stages:
        setup = setup_for(store, settings, job.kind, stage, job, beat)
        fresh = [row for row in made if row.table in results.by_model_version()]
        if setup.corpus is not None and fresh:
            # The search needs the vector that was just made, which is not in the store.
            setup = replace(setup, corpus=_with(setup.corpus, document, fresh[0]))
        [result] = stage.open(setup).run([_as_read(document, stage)])
        if isinstance(result, DocumentError):
            return result
        made += [row for row in result if not isinstance(row, NewText | RowsAbout)]
    return made


def run_again(
    store: Store, settings: Settings, job: PastJob, documents: Sequence[Document]
) -> dict[int, list[Row] | DocumentError]:
    """All stages on documents that the job had, in a worker's batches, against the vectors of the job's time;
    what became of each, by document id."""
    made: dict[int, list[Row] | DocumentError] = {document.id: [] for document in documents}
    for stage in job.kind.stages:
        runner = stage.open(setup_for(store, settings, job.kind, stage, job, _no_beat, job.finished_at))
        going = [_as_read(d, stage) for d in documents if not isinstance(made[d.id], DocumentError)]
        for batch in batches.by_length(going, runner.batch_documents, runner.batch_chars):
            results: list[Result] = batches.halving(runner.run, batch, _blame, faults.is_not_the_documents)
            for document, result in zip(batch, results, strict=True):
                before = made[document.id]
                failed = isinstance(result, DocumentError) or isinstance(before, DocumentError)
                rows = [] if failed else [row for row in result if not isinstance(row, NewText | RowsAbout)]  # type: ignore[union-attr]
                made[document.id] = result if failed else [*before, *rows]  # type: ignore[assignment, misc]
    return made


def _no_beat() -> None:
    """There is no lease here."""


def _as_read(document: Document, stage: Stage) -> Document:
    return document if stage.reads == "text" else replace(document, text="")


def _blame(_: Document, error: Exception) -> Result:
    return faults.as_document_error(error)


def _with(corpus: Callable[[], Vectors], document: Document, row: Any) -> Callable[[], Vectors]:
    def with_it() -> Vectors:
        stored = corpus()
        blocks = [vector.tobytes() for vector in stored.matrix]
        terms = stored.terms or [b""] * len(blocks)
        assert stored.scales is not None
        scales = stored.scales.tolist()
        places = [*zip(stored.ids.tolist(), stored.keys, blocks, terms, scales, strict=True)]
        places = [place for place in places if place[0] != document.id]
        places.append((document.id, document.key, row.vector, row.terms, row.scale))
        ids, keys, vectors, terms, scales = zip(*sorted(places, key=itemgetter(0)), strict=True)
        return vectors_of(list(ids), list(keys), b"".join(vectors), terms, scales)

    return with_it
