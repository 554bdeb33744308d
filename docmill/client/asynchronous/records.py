"""Records of an asynchronous program, read in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from db.documents import Added
from readers.frames import Records
from scheduler.adding import Tell


class Stop:
    """Tells a thread to stop adding after the batch that it is at."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Stop."""
        self._is_set = True

    def before(self, tell: Tell | None) -> Tell:
        """What is called after each batch: raises once it is set, and otherwise tells."""

        def after_batch(added: Added, n_bad: int) -> None:
            if self._is_set:
                raise asyncio.CancelledError
            if tell is not None:
                tell(added, n_bad)

        return after_batch


def in_a_thread(records: Records, loop: asyncio.AbstractEventLoop) -> Records:
    """Records that a thread can read, while the loop runs. An asynchronous generator becomes an iterator; everything
    else stays what it is."""
    return _each(aiter(records), loop) if hasattr(records, "__aiter__") else records


def _each(records: AsyncIterator[Any], loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    async def next_record() -> tuple[Any, bool]:
        try:
            return await anext(records), True
        except StopAsyncIteration:
            return None, False

    while True:
        record, is_one = asyncio.run_coroutine_threadsafe(next_record(), loop).result()
        if not is_one:
            return
        yield record
