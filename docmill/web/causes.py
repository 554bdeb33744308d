"""Why documents of a job failed: the causes with their number and an example, found without reading every failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

Item = TypeVar("Item")

#: Failures of one cause are counted up to this number, of one job or of each of many. If one cause has more, its number
#: is the rest of the job's.
MOST_COUNTED, MOST_COUNTED_OF_EACH = 5_000, 1_000
#: Causes of a job that are looked for, on average.
MOST_CAUSES = 50
#: Documents of a cause that are looked at for a later success.
MOST_TRIED_AGAIN = 20
#: Jobs of one query, and causes of one.
BATCH, BATCH_OF_CAUSES = 25, 5
#: These documents were not tried.
NOT_TRIED = ("CANCELLED", "CARRIED_OVER")
#: Each step finds the next code in the index; no step reads the failures between.
_CAUSES = """
WITH RECURSIVE cause(job_id, code) AS (
    SELECT j.id, (SELECT MIN(o.error_code) FROM outcome o WHERE o.job_id = j.id AND o.state = 'error')
    FROM job j WHERE j.id IN ({jobs})
    UNION ALL
    SELECT c.job_id, (SELECT MIN(o.error_code) FROM outcome o
                      WHERE o.job_id = c.job_id AND o.state = 'error' AND o.error_code > c.code)
    FROM cause c WHERE c.code IS NOT NULL
)
SELECT c.job_id, c.code,
       (SELECT COUNT(*) FROM (SELECT 1 FROM outcome o
                              WHERE o.job_id = c.job_id AND o.state = 'error' AND o.error_code = c.code
                              LIMIT :counted) counted) AS n
FROM cause c WHERE c.code IS NOT NULL LIMIT :most
"""
_EXAMPLE = """
SELECT o.document_id, o.error_detail, d.key AS document_key, d.source, c.files_of_id IS NOT NULL AS is_file,
       COALESCE(t.name, c.name) AS collection, SUBSTR(d.text, 1, :chars) AS excerpt
FROM (SELECT document_id, error_detail FROM outcome
      WHERE job_id = :job AND state = 'error' AND error_code = :code LIMIT 1) o
JOIN document d ON d.id = o.document_id JOIN collection c ON c.id = d.collection_id
LEFT JOIN collection t ON t.id = c.files_of_id
"""
#: Of some documents of a cause, how many were looked at, and how many no later job of the kind has a result for and
#: were not replaced.
_STILL = """
SELECT {place} AS place, COUNT(*) AS n_seen,
       SUM(CASE WHEN d.is_latest AND NOT EXISTS (
                    SELECT 1 FROM outcome l JOIN job j ON j.id = l.job_id
                    WHERE l.document_id = o.document_id AND l.job_id > {job} AND l.state = 'ok'
                    AND j.kind = :kind{place})
                THEN 1 ELSE 0 END) AS n_still
FROM (SELECT document_id FROM outcome
      WHERE job_id = {job} AND state = 'error' AND error_code = :code{place} LIMIT {most}) o
JOIN document d ON d.id = o.document_id
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Documents of a job that failed for one reason."""

    job_id: int
    code: str
    n: int
    #: There are more than `n`.
    is_more: bool


def of_job(session: Session, job_id: int, n_error: int) -> list[Cause]:
    """The causes of a job with this number of failures, the most frequent first."""
    return _of_jobs(session, {job_id: n_error}, MOST_COUNTED).get(job_id, [])


def of_jobs(session: Session, n_errors: Mapping[int, int]) -> dict[int, list[Cause]]:
    """The same of many jobs, by their numbers of failures."""
    found: dict[int, list[Cause]] = {}
    for some in _batches(list(n_errors), BATCH):
        found |= _of_jobs(session, {job_id: n_errors[job_id] for job_id in some}, MOST_COUNTED_OF_EACH)
    return found


def _of_jobs(session: Session, n_errors: Mapping[int, int], counted: int) -> dict[int, list[Cause]]:
    query = _CAUSES.format(jobs=", ".join(str(int(job_id)) for job_id in n_errors))
    rows = session.execute(text(query), {"counted": counted + 1, "most": MOST_CAUSES * len(n_errors)})
    counts: dict[int, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row.job_id, {})[row.code] = row.n
    return {job_id: _causes(job_id, found, n_errors[job_id], counted) for job_id, found in counts.items()}


def _causes(job_id: int, counts: dict[str, int], n_error: int, counted: int) -> list[Cause]:
    many = [code for code, n in counts.items() if n > counted]
    if len(many) == 1:
        others = sum(counts.values()) - counts[many[0]]
        counts[many[0]] = max(n_error - others, counted)
        many = []
    found = [Cause(job_id, code, counted if code in many else n, code in many) for code, n in counts.items()]
    return sorted(found, key=lambda cause: (-cause.n, cause.code))


def example(session: Session, cause: Cause, chars: int = 200) -> dict[str, Any]:
    """One of its documents, with what was seen and the beginning of its text."""
    values = {"job": cause.job_id, "code": cause.code, "chars": chars}
    row = session.execute(text(_EXAMPLE), values).mappings().first()
    return dict(row) if row is not None else {}


def still_failing(session: Session, found: Sequence[tuple[Cause, str]]) -> list[int]:
    """Of each cause, with the kind of its job: how many documents no later job of the kind has done. Of many, only some
    are looked at: if all of these are done, the cause is over, otherwise all count."""
    n_still: list[int] = []
    for some in _batches(found, BATCH_OF_CAUSES):
        queries, values = [], dict[str, Any]()
        for place, (cause, kind) in enumerate(some):
            values |= {f"code{place}": cause.code, f"kind{place}": kind}
            queries.append(_STILL.format(place=place, job=int(cause.job_id), most=MOST_TRIED_AGAIN))
        rows = {row.place: row for row in session.execute(text(" UNION ALL ".join(queries)), values)}
        for place, (cause, _) in enumerate(some):
            n = int(rows[place].n_still or 0)
            n_still.append(n if rows[place].n_seen < MOST_TRIED_AGAIN or not n else cause.n)
    return n_still


def _batches(found: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(found), size):
        yield found[first : first + size]
