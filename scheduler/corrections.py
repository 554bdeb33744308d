"""Which corrections a training learns: labels that were given where its model is used (db.corrections)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import corrections
from db.tables import Document
from readers import label_text

#: At most this many labels are named in a message.
NAMED = 5


@dataclass(frozen=True)
class Corrections:
    """The corrections that a training takes, and why it leaves out others."""

    document_ids: tuple[int, ...] = ()
    #: Where they were given.
    collections: tuple[str, ...] = ()
    #: In words, how many of each sort.
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """ "with 3 corrections from inbox; left out: 1 correction with several labels"; empty for none at all."""
        n = len(self.document_ids)
        parts = []
        if n:
            parts.append(f"with {n:,} {_corrections(n)} from {', '.join(self.collections)}")
        if self.left_out:
            why = ", ".join(f"{m:,} {_corrections(m)} {what}" for what, m in self.left_out.items())
            parts.append(f"left out: {why}")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "n_documents": len(self.document_ids),
            "collections": list(self.collections),
            "left_out": dict(self.left_out),
        }


def choose(session: Session, model: str, trained_on: Collection[int]) -> Corrections:
    """The corrections of a model that is to be trained on these collections. One is left out if its label is none that
    the training documents have: it was given for another model, or is a typing error."""
    elsewhere = corrections.used_in(session, model) - set(trained_on)
    given = corrections.given_in(session, elsewhere)
    if not given:
        return Corrections()
    known, several = _labels(session, trained_on)
    taken: list[int] = []
    left_out: Counter[str] = Counter()
    for id_, theirs in given.items():
        reason = _reason_against(theirs, known, several=several)
        if reason:
            left_out[reason] += 1
        else:
            taken.append(id_)
    where = set(session.scalars(select(Document.collection_id).where(Document.id.in_(taken)).distinct()))
    return Corrections(tuple(sorted(taken)), tuple(corrections.names(session, where)), left_out)


def _reason_against(theirs: tuple[str, ...], known: set[str], *, several: bool) -> str:
    if not several and len(theirs) != 1:
        what = "several labels" if theirs else "no label"
        return f"with {what}, where the training documents have one each"
    unknown = sorted(set(theirs) - known)
    if not unknown:
        return ""
    there_are = ", ".join(map(repr, sorted(known)[:NAMED])) + (", ..." if len(known) > NAMED else "")
    return f"with the label {unknown[0]!r}, which no training document has (they have {there_are})"


def _labels(session: Session, collections: Collection[int]) -> tuple[set[str], bool]:
    """The labels of the documents of these collections, and whether a document may have several."""
    came = session.scalars(
        select(Document.label)
        .where(Document.collection_id.in_(collections), Document.is_latest, Document.label.is_not(None))
        .distinct()
    ).all()
    own = corrections.given_in(session, collections).values()
    several = any(label_text.several(str(each)) is not None for each in came) or any(len(g) != 1 for g in own)
    known = {label for each in came for label in label_text.each(str(each))}
    return known | {label for each in own for label in each}, several


def _corrections(n: int) -> str:
    return "correction" if n == 1 else "corrections"
