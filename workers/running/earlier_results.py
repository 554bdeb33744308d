"""What earlier jobs like a running one have found: whose results stand, and their rows on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from db import earlier
from db.store import Store
from db.tables import Job
from nlp_tasks import heartbeat
from nlp_tasks.kind import Earlier, RankedRow
from workers.kinds import work_of

#: Rows that are read between two heartbeats.
ROWS = 500


def earlier_results(store: Store, job_id: int, row: type[RankedRow]) -> Earlier:
    """The newest results of one row class from the jobs like this one. ConflictError while one of them has not ended,
    if there are documents whose results this job may have to update."""
    import numpy as np

    found: list[tuple[int, int, float]] = []
    known: set[int] = set()
    #: The jobs, newest first, and where in `found` the results of each begin.
    jobs: list[int] = []
    begins: list[int] = []
    with store.read() as session:
        job = session.get_one(Job, job_id)
        its_work = work_of(job)
        for before in earlier.jobs_like(session, job, its_work):
            jobs.append(before)
            begins.append(len(found))
            found += heartbeat.beating(earlier.results_of(session, before, row.table), every=ROWS)
            done = earlier.done_by(session, before)
            # A result without rows: an older one of the same document no longer counts.
            found += [(id_, 0, np.inf) for id_ in done]
            known.update(done)
        own = earlier.documents_of(session, job_id)
        ids, first = np.unique(np.array([id_ for id_, _, _ in found], np.int64), return_index=True)
        others = ~np.isin(ids, np.array(own, np.int64))
        if others.any():
            earlier.insist_on_its_turn(session, job, its_work)
    chosen = first[others]
    #: For each document with a result, the place in `jobs` of the newest job that has one.
    newest = np.searchsorted(np.array(begins, np.int64), first, side="right") - 1

    def written(document_ids: Sequence[int]) -> set[int]:
        with store.read() as session:
            return earlier.written_by(session, job_id, row.table, document_ids)

    def rows(document_ids: Sequence[int]) -> Iterator[tuple[int, int, float]]:
        asked = np.isin(ids, np.array(document_ids, np.int64))
        with store.read() as session:
            for which in np.unique(newest[asked]).tolist():
                of_job = ids[asked & (newest == which)].tolist()
                yield from earlier.rows_of(session, jobs[which], row.table, row.tied, of_job)

    return Earlier(
        known,
        ids[others],
        np.array([n for _, n, _ in found], np.int64)[chosen],
        np.array([least for _, _, least in found], np.float32)[chosen],
        written,
        rows,
    )
