"""Which jobs do the same work: the key that says whether a result stands.

A result stands for a version of a document if a job gave it that was alike: the same kind, the same parameters, the
same model version, the same epoch of the kind's code. A version is a text (`db.documents`): its label, its place in a
file and the order of a file's records are no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Job


@dataclass(frozen=True)
class Work:
    """What a job does to a document."""

    kind: str
    #: With every default.
    parameters: Mapping[str, Any]
    model_version_id: int | None = None
    epoch: int = 1
    #: Of the kind's parameters. Older jobs lack those that the kind has got since, and did what the default does.
    defaults: Mapping[str, Any] = field(default_factory=dict)
    #: Parameters that change no result.
    ignored: Set[str] = frozenset()

    def has_parameters(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a job with these parameters gives the same results."""
        return self._compared(parameters) == self._compared(self.parameters)

    def _compared(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        everything = {**self.defaults, **parameters}
        return {name: value for name, value in everything.items() if name not in self.ignored}


@dataclass(frozen=True)
class Jobs:
    """The jobs of a kind over a collection, by what sets them apart from some work."""

    alike: tuple[int, ...] = ()
    other_parameters: tuple[int, ...] = ()
    other_code: tuple[int, ...] = ()
    other_model: tuple[int, ...] = ()

    @property
    def others(self) -> tuple[int, ...]:
        return (*self.other_parameters, *self.other_code, *self.other_model)


def compared(session: Session, work: Work, collection: int, *, but: int = 0) -> Jobs:
    """The jobs of this kind over a collection, `but` one."""
    rows = session.execute(
        select(Job.id, Job.parameters, Job.epoch, Job.model_version_id)
        .where(Job.kind == work.kind, Job.collection_id == collection, Job.id != but)
        .order_by(Job.id)
    )
    found: dict[str, list[int]] = {name: [] for name in Jobs.__dataclass_fields__}
    for job_id, parameters, epoch, version in rows:
        found[_difference(work, parameters, epoch, version)].append(job_id)
    return Jobs(**{name: tuple(ids) for name, ids in found.items()})


def _difference(work: Work, parameters: Mapping[str, Any], epoch: int, version: int | None) -> str:
    if not work.has_parameters(parameters):
        return "other_parameters"
    if epoch != work.epoch:
        return "other_code"
    return "alike" if version == work.model_version_id else "other_model"
