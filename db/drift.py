"""Drift of a classifier: how far the labels that it gives to new documents are from those that it gave before.

The measure is the population stability index (PSI), as it is used for scoring models: the sum over labels of
(p - q) ln(p / q), where p and q are a label's shares among the new and the earlier documents. By a common rule of
thumb, under 0.1 little has changed, and from 0.25 on much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

#: Fewer documents on one side say nothing.
LEAST_DOCUMENTS = 100
#: Added to each count: a label that one side lacks would make the index infinite.
PRIOR = 0.5

#: The newest label that a version of the model gave to each document, by whether the document was added after the
#: newest version's training was submitted. An abstention counts as a label.
_LABELS = """
WITH versions AS (
    SELECT v.id, j.created_at AS began_at, v.version
    FROM model_version v JOIN model m ON m.id = v.model_id LEFT JOIN job j ON j.id = v.job_id
    WHERE m.name = :model
), newest AS (
    SELECT c.document_id, MAX(c.job_id) AS job_id
    FROM classification c JOIN job j ON j.id = c.job_id
    WHERE c.rank = 1 AND j.model_version_id IN (SELECT id FROM versions)
    GROUP BY c.document_id
)
SELECT c.label, CASE WHEN d.added_at > (SELECT began_at FROM versions ORDER BY version DESC LIMIT 1)
                     THEN 1 ELSE 0 END AS is_new, COUNT(*) AS n
FROM newest n JOIN classification c ON c.job_id = n.job_id AND c.document_id = n.document_id AND c.rank = 1
JOIN document d ON d.id = n.document_id
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Drift:
    """The PSI, or None if there are fewer than LEAST_DOCUMENTS on one side, and the numbers of documents."""

    psi: float | None
    n_before: int
    n_new: int


def of(session: Session, model: str) -> Drift:
    """The drift of a model's labels since its newest version was trained: documents added since then, against those
    that were there, each with the newest label that the model gave it."""
    before: dict[str | None, int] = {}
    new: dict[str | None, int] = {}
    for label, is_new, n in session.execute(text(_LABELS), {"model": model}):
        (new if is_new else before)[label] = n
    n_before, n_new = sum(before.values()), sum(new.values())
    enough = min(n_before, n_new) >= LEAST_DOCUMENTS
    return Drift(psi(before, new) if enough else None, n_before, n_new)


def psi(before: Mapping[str | None, int], new: Mapping[str | None, int]) -> float:
    """The population stability index of two counts by label."""
    labels = set(before) | set(new)
    n_before = sum(before.values()) + PRIOR * len(labels)
    n_new = sum(new.values()) + PRIOR * len(labels)
    found = 0.0
    for label in labels:
        p, q = (new.get(label, 0) + PRIOR) / n_new, (before.get(label, 0) + PRIOR) / n_before
        found += (p - q) * math.log(p / q)
    return found
