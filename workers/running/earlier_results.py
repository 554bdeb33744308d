"""What earlier jobs like a running one have found: whose results stand, and their lists on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from db import earlier
from db.store import Store
from db.tables import Job
from nlp_tasks import heartbeat
from nlp_tasks.kind import Earlier, ListRow
from workers.kinds import work_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Rows that are read between two heartbeats.
ROWS = 500


def earlier_results(store: Store, job_id: int, row: type[ListRow]) -> Earlier:
    """The newest lists from the jobs like this one. ConflictError while one of them has not ended, if there are
    documents whose lists this job may have to update, or whose vectors it does not make itself."""
    import numpy as np

    listed: list[tuple[int, float]] = []
    done: list[int] = []
    #: The jobs, newest first, and where in `listed` and `done` those of each begin.
    jobs: list[int] = []
    lists_begin: list[int] = []
    done_begins: list[int] = []
    with store.read() as session:
        job = session.get_one(Job, job_id)
        its_work = work_of(job)
        for before in earlier.jobs_like(session, job, its_work):
            jobs.append(before)
            lists_begin.append(len(listed))
            done_begins.append(len(done))
            listed += heartbeat.beating(earlier.least_of(session, before, row.table), every=ROWS)
            done += earlier.done_by(session, before)
        ids, first = np.unique(np.array([id_ for id_, _ in listed], np.int64), return_index=True)
        others = np.isin(ids, np.array(earlier.documents_of(session, job_id), np.int64), invert=True)
        if others.any() or job.where_clause is not None:
            earlier.insist_on_its_turn(session, job, its_work)
    #: The job of each document's newest list.
    newest = _job_at(first, jobs, lists_begin)

    def written(document_ids: Sequence[int]) -> set[int]:
        with store.read() as session:
            return earlier.written_by(session, job_id, row.table, document_ids)

    def lists(document_ids: Sequence[int]) -> Iterator[tuple[int, int, Any]]:
        asked = np.isin(ids, np.array(document_ids, np.int64))
        columns = [field.name for field in fields(row)]
        with store.read() as session:
            for made_by in np.unique(newest[asked]).tolist():
                of_job = ids[asked & (newest == made_by)].tolist()
                for id_, *values in earlier.lists_of(session, made_by, row.table, columns, of_job):
                    yield id_, made_by, row(*values)

    # From the oldest job to the newest: the first place of a document is in the job that first had it.
    known, oldest = np.unique(np.array(done[::-1], np.int64), return_index=True)
    return Earlier(
        known,
        _job_at(len(done) - 1 - oldest, jobs, done_begins),
        ids[others],
        np.array([least for _, least in listed], np.float32)[first[others]],
        written,
        lists,
    )


def _job_at(places: NDArray[np.int64], jobs: list[int], begins: list[int]) -> NDArray[np.int64]:
    """The job to which each place belongs, of jobs that begin at these places."""
    import numpy as np

    which = np.searchsorted(np.array(begins, np.int64), places, side="right") - 1
    return np.array(jobs, np.int64)[which]
