"""The gate's judgement of a model version after its training: figures and thresholds as rows, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.sql import one_of
from db.tables import ModelGate


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure, its threshold, and whether it passed."""

    name: str
    value: float
    at_least: float | None
    at_most: float | None
    passed: bool

    def __str__(self) -> str:
        bars = (("at least", self.at_least), ("at most", self.at_most))
        bar = " and ".join(f"{words} {bar:.4g}" for words, bar in bars if bar is not None)
        limits = f" ({bar}{'' if self.passed else ': missed'})" if bar else ""
        return f"{self.name} {self.value:.4g}{limits}"


@dataclass(frozen=True)
class Judgement:
    """All of a gate's figures of one version, and the champion that it was compared with."""

    champion_version_id: int | None
    figures: Sequence[Judged]

    @property
    def passed(self) -> bool:
        return all(figure.passed for figure in self.figures)

    def __str__(self) -> str:
        return ", ".join(map(str, self.figures))


def write(session: Session, version_id: int, judgement: Judgement) -> None:
    """Store the figures of a new version."""
    owner = {"model_version_id": version_id, "champion_version_id": judgement.champion_version_id}
    rows = [owner | asdict(figure) for figure in judgement.figures]
    if rows:
        session.execute(insert(ModelGate), rows)


def of(session: Session, version_id: int) -> Judgement | None:
    """The judgement of a version; None if it was not judged, because its kind has no gate."""
    return of_many(session, [version_id]).get(version_id)


def of_many(session: Session, version_ids: Sequence[int]) -> dict[int, Judgement]:
    """The judgements of those of these versions that were judged."""
    query = select(ModelGate).where(one_of(ModelGate.model_version_id, version_ids)).order_by(ModelGate.name)
    rows: dict[int, list[ModelGate]] = {}
    for row in session.scalars(query):
        rows.setdefault(row.model_version_id, []).append(row)
    return {
        version_id: Judgement(
            judged[0].champion_version_id,
            [Judged(row.name, row.value, row.at_least, row.at_most, row.passed) for row in judged],
        )
        for version_id, judged in rows.items()
    }
