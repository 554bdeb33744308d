"""Celery's message consumer, except that a malformed message does no harm.

Celery 5.7 refuses what it cannot decode, but a body such as `7` raises out of its loop: the worker ends and puts
the message back, so that it and every other worker end over it again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.worker import consumer, state
from vine import promise

#: What reading a malformed message raises. A lost connection raises something else.
MALFORMED = (TypeError, ValueError, AttributeError, LookupError, RecursionError)


class Consumer(consumer.Consumer):
    """The app's setting `worker_consumer` names this class."""

    def create_task_handler(self, promise: Any = promise) -> Callable[[Any], Any]:
        handle = super().create_task_handler(promise)

        def handle_or_refuse(message: Any) -> Any:
            try:
                _refuse_time_limits(message.headers)
                return handle(message)
            except MALFORMED as error:
                # It may count as work in progress already; then no further message would be fetched.
                for request in [r for r in state.reserved_requests if r.message is message]:
                    state.task_ready(request)
                return self.on_invalid_task(None, message, error)

        return handle_or_refuse


def _refuse_time_limits(headers: Any) -> None:
    """docmill sends none. One of the wrong shape would raise when the only place in the pool is taken already,
    and that place would never be free again."""
    if isinstance(headers, dict) and headers.get("timelimit") not in (None, [None, None]):
        raise ValueError("docmill sends no message with a time limit")
