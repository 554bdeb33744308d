"""Why documents of a job failed: the causes with their number and an example, found without reading every failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

#: Failures of one cause are counted up to this number. If one cause has more, its number is the rest of the job's.
MOST_COUNTED = 5_000
#: Causes of a job that are looked for.
MOST_CAUSES = 50
#: Documents of a cause that are looked at for a later success.
MOST_TRIED_AGAIN = 100
#: These documents were not tried.
NOT_TRIED = ("CANCELLED", "CARRIED_OVER")
#: Each step finds the next code in the index; no step reads the failures between.
_CAUSES = """
WITH RECURSIVE cause(code) AS (
    SELECT (SELECT MIN(error_code) FROM outcome WHERE job_id = :job AND state = 'error')
    UNION ALL
    SELECT (SELECT MIN(o.error_code) FROM outcome o
            WHERE o.job_id = :job AND o.state = 'error' AND o.error_code > c.code)
    FROM cause c WHERE c.code IS NOT NULL
)
SELECT code FROM cause WHERE code IS NOT NULL LIMIT :most
"""
_COUNT = """
SELECT COUNT(*) FROM (SELECT 1 FROM outcome WHERE job_id = :job AND state = 'error' AND error_code = :code
                      LIMIT :most) counted
"""
_EXAMPLE = """
SELECT o.document_id, o.error_detail, d.key AS document_key, d.source, c.files_of_id IS NOT NULL AS is_file,
       COALESCE(t.name, c.name) AS collection, SUBSTR(d.text, 1, :chars) AS excerpt
FROM (SELECT document_id, error_detail FROM outcome
      WHERE job_id = :job AND state = 'error' AND error_code = :code LIMIT 1) o
JOIN document d ON d.id = o.document_id JOIN collection c ON c.id = d.collection_id
LEFT JOIN collection t ON t.id = c.files_of_id
"""
#: Of some documents of a cause, those that no later job of the kind has a result for and that were not replaced.
_STILL = """
SELECT COUNT(*) AS n_seen,
       SUM(CASE WHEN d.is_latest AND NOT EXISTS (
                    SELECT 1 FROM outcome l JOIN job j ON j.id = l.job_id
                    WHERE l.document_id = o.document_id AND l.job_id > :job AND l.state = 'ok' AND j.kind = :kind)
                THEN 1 ELSE 0 END) AS n_still
FROM (SELECT document_id FROM outcome WHERE job_id = :job AND state = 'error' AND error_code = :code LIMIT :most) o
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
    codes = session.scalars(text(_CAUSES), {"job": job_id, "most": MOST_CAUSES}).all()
    if len(codes) == 1:
        return [Cause(job_id, codes[0], n_error, is_more=False)]
    counts = {code: _count(session, job_id, code) for code in codes}
    many = [code for code, n in counts.items() if n > MOST_COUNTED]
    if len(many) == 1 and len(codes) < MOST_CAUSES:
        counts[many[0]] = max(n_error - sum(counts.values()) + counts[many[0]], MOST_COUNTED)
        many = []
    found = [
        Cause(job_id, code, min(n, MOST_COUNTED) if code in many else n, code in many)
        for code, n in counts.items()
    ]
    return sorted(found, key=lambda cause: (-cause.n, cause.code))


def example(session: Session, cause: Cause, chars: int = 200) -> dict[str, Any]:
    """One of its documents, with what was seen and the beginning of its text."""
    values = {"job": cause.job_id, "code": cause.code, "chars": chars}
    row = session.execute(text(_EXAMPLE), values).mappings().first()
    return dict(row) if row is not None else {}


def still_failing(session: Session, cause: Cause, kind: str) -> int:
    """How many of its documents no later job of the kind has done. Of many, only some are looked at: if all of these
    are done, the cause is over, otherwise all count."""
    values = {"job": cause.job_id, "code": cause.code, "kind": kind, "most": MOST_TRIED_AGAIN}
    row = session.execute(text(_STILL), values).one()
    n_still = int(row.n_still or 0)
    return n_still if row.n_seen < MOST_TRIED_AGAIN or not n_still else cause.n


def _count(session: Session, job_id: int, code: str) -> int:
    values = {"job": job_id, "code": code, "most": MOST_COUNTED + 1}
    return session.scalar(text(_COUNT), values) or 0
