"""What the work of a thread is about, for its log lines: job, chunk, document. Kept in a context variable, so that a
library's line in the middle of the work has it too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_EMPTY: dict[str, Any] = {}
_fields: ContextVar[dict[str, Any]] = ContextVar("docmill_log", default=_EMPTY)
#: How scheduler.broker describes a message, which Celery repeats in its own lines.
_DESCRIBED = re.compile(r"job (\d+), ([\w-]+)")


def begin(**fields: Any) -> None:
    """From now on, lines of this thread are about this and nothing else. Not taken back at the end of the work:
    Celery's last line about it comes after that."""
    _fields.set(fields)


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Inside, lines are about this too."""
    before = _fields.set(_fields.get() | fields)
    try:
        yield
    finally:
        _fields.reset(before)


def current() -> dict[str, Any]:
    return _fields.get()


def carried(call: Callable[P, T]) -> Callable[P, T]:
    """The same for another thread, where it is about what it is about here. Call it once."""
    return partial(copy_context().run, call)


def of_message(data: Any) -> dict[str, Any]:
    """What a line of Celery's about a message is about, from what it gives to log handlers."""
    found = _DESCRIBED.match(str(data.get("args", ""))) if isinstance(data, dict) else None
    return {"job": int(found[1]), "kind": found[2]} if found else {}
