"""Submitting, feeding, scheduling, and the docmill command.

`from scheduler import submit` is how a script submits a job; see scheduler.client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.client import JobHandle, submit

__all__ = ["JobHandle", "submit"]


def __getattr__(name: str) -> Any:
    # On demand, so that `docmill --help` does not wait for SQLAlchemy.
    if name in __all__:
        from scheduler import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
