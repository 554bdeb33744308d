"""Why a step takes a document, in words: "newer model: topics@6 -> topics@7"."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy.orm import Session

from db import model_versions
from db.nights.plans import Listed, StepPlan
from db.nights.verdicts import Verdict
from db.tables import Job


class Why:
    """The reasons of one step."""

    def __init__(self, session: Session, step: StepPlan) -> None:
        self._session = session
        self._step = step
        self._of_job = cache(self._uncached)

    def of(self, listed: Listed) -> str:
        """In words."""
        return self._of_job(listed.reason, listed.last_job_id)

    def _uncached(self, reason: str, job_id: int | None) -> str:
        job = self._session.get(Job, job_id) if job_id is not None else None
        if job is None:
            return reason
        if reason == Verdict.NEWER_MODEL:
            return f"{reason}: {self._ref(job.model_version_id)} -> {self._ref(self._step.model_version_id)}"
        if reason == Verdict.PARAMETERS:
            return f"{reason}: {_changes(job.parameters, dict(self._step.parameters))} (job {job_id})"
        return f"{reason} (job {job_id})"

    def _ref(self, version_id: int | None) -> str:
        return model_versions.by_id(self._session, version_id).ref if version_id is not None else "none"


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    names = sorted(name for name in now if before.get(name, now[name]) != now[name])
    return ", ".join(f"{name} {before.get(name)} -> {now[name]}" for name in names)
