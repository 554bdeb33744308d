"""Names on the wire, for those that do not load Celery."""

from __future__ import annotations

TASK_NAME = "docmill.run_chunk"


def queue_of(kind: str) -> str:
    """The queue of a kind of jobs: one for each kind, shared by all devices, so that a dead one strands nothing."""
    return f"docmill.{kind}"
