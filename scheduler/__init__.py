"""Submitting, feeding, scheduling, and the docmill command.

`from scheduler import add, submit` is how a script adds documents and submits a job; see scheduler.adding and
scheduler.client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.adding import Report, add
    from scheduler.client import JobHandle, submit

__all__ = ["JobHandle", "Report", "add", "submit"]


def __getattr__(name: str) -> Any:
    # On demand, so that `docmill --help` does not wait for SQLAlchemy.
    if name in __all__:
        from scheduler import adding, client

        return getattr(client if hasattr(client, name) else adding, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
