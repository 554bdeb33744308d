"""The live progress: one query a second for everybody, and it goes on whatever a listener or the store does."""

from __future__ import annotations

import asyncio
import json

from db.store import Store
from docmill.web.views.events import Progress
from tests.db.builders import a_job, chunks_of, held, write_ok


def test_it_tells_how_far_open_jobs_are(store: Store) -> None:
    job_id = a_job(store, 4, per_chunk=2)
    write_ok(store, held(store, chunks_of(store, job_id)[0].id))

    async def first() -> str:
        progress = Progress(store, 0.01)
        async for told in progress.listen():
            return told
        raise AssertionError

    assert json.loads(asyncio.run(first())) == [{"job": job_id, "share": 0.5, "state": "running"}]


def test_many_listeners_cost_one_query_a_turn(store: Store) -> None:
    a_job(store, 1)
    progress = Progress(store, 0.05)
    asked = 0
    read = progress._read

    def counted() -> str:
        nonlocal asked
        asked += 1
        return read()

    progress._read = counted  # type: ignore[method-assign]

    async def one(turns: int) -> int:
        heard = 0
        async for _ in progress.listen():
            heard += 1
            if heard == turns:
                break
        return heard

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(one(5) for _ in range(200)))

    assert asyncio.run(all_of_them()) == [5] * 200
    # One that came late waits for a turn of its own.
    assert 5 <= asked <= 10


def test_a_fault_of_one_turn_ends_no_stream(store: Store) -> None:
    progress = Progress(store, 0.01)
    faults = iter([TypeError("a fault"), None])
    read = progress._read

    def faulty() -> str:
        if (fault := next(faults, None)) is not None:
            raise fault
        return read()

    progress._read = faulty  # type: ignore[method-assign]

    async def two() -> list[str]:
        heard = []
        async for told in progress.listen():
            heard.append(told)
            if len(heard) == 2:
                return heard
        return heard

    assert asyncio.run(asyncio.wait_for(two(), 30)) == ["[]", "[]"]
