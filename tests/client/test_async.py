"""The asynchronous client has the methods of the other one, with the same parameters and results."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from docmill import AsyncClient, AsyncJob, Client, Job
from docmill.errors import ConflictError, NotFoundError, WaitTimeoutError
from tests.client.conftest import Way

TEXTS = [{"id": f"k{i}", "text": f"First {i}. Second {i}.", "company": "X"} for i in range(3)]


def public(of: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(of, callable)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (Job, AsyncJob)])
def test_both_clients_have_the_same_methods_with_the_same_parameters(
    blocking: type, asynchronous: type
) -> None:
    ours, theirs = public(blocking), public(asynchronous)
    assert set(ours) == set(theirs)
    for name, signature in ours.items():
        assert signature.parameters == theirs[name].parameters, name
    assert inspect.signature(Client).parameters == inspect.signature(AsyncClient).parameters


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (Job, AsyncJob)])
def test_both_clients_return_the_same(blocking: type, asynchronous: type) -> None:
    for name, signature in public(blocking).items():
        other = public(asynchronous)[name]
        is_coroutine = inspect.iscoroutinefunction(getattr(asynchronous, name))
        expected = str(signature.return_annotation).replace("Iterator", "AsyncIterator")
        expected = expected.replace("Job", "AsyncJob").replace("AsyncJobProgress", "JobProgress")
        assert other.return_annotation == expected, name
        is_iterated = "Iterator" in expected or name in ("results", "errors")
        assert is_coroutine != is_iterated, name


def test_every_method_is_described() -> None:
    for one in (Client, Job, AsyncClient, AsyncJob):
        for name in public(one):
            assert inspect.getdoc(getattr(one, name)), (one, name)


def test_from_records_to_results(way_on_both: Way) -> None:
    async def records() -> AsyncIterator[dict[str, Any]]:
        for record in TEXTS:
            await asyncio.sleep(0)
            yield record

    async def program() -> None:
        async with way_on_both.async_client() as client:
            assert (await client.add(records(), collection="inbox")).n_new == 3
            assert (await client.add(TEXTS, collection="inbox")).n_unchanged == 3
            job = await client.submit("oracle", collection="inbox")
            with pytest.raises(WaitTimeoutError):
                await job.wait(timeout_seconds=0, poll_seconds=0)
            waiting = asyncio.create_task(job.wait(poll_seconds=0.01))
            await asyncio.to_thread(way_on_both.work, job.id)
            assert (await waiting).n_ok == 3
            assert [row["document_key"] async for row in job.results()] == ["k0", "k1", "k2"]
            frame = await job.results(as_="polars", meta=["company"])
            assert frame["company"].to_list() == ["X"] * 3
            assert [row async for row in job.errors()] == []
            assert (await job.errors(as_="arrow")).num_rows == 0
            assert [one.job_id for one in await client.jobs()] == [job.id]
            assert [row["document_key"] async for row in client.documents("inbox", limit=2)] == ["k0", "k1"]
            with pytest.raises(ConflictError):
                await job.cancel()
            with pytest.raises(NotFoundError):
                await client.job(99)
            assert (await client.job(job.id)) == job
        # A closed client opens new connections.
        assert (await job.progress()).ended
        await client.close()

    asyncio.run(program())


def test_whoever_stops_reading_leaves_nothing_open(way_on_both: Way) -> None:
    with way_on_both.client() as client:
        client.add(({"id": str(i), "text": "One. Two."} for i in range(1_500)), collection="inbox")

    async def program() -> int:
        async with way_on_both.async_client() as client:
            async for row in client.documents("inbox"):
                assert row["document_key"] == "0"
                break
            job = await client.submit("oracle", collection="inbox")
            async for _ in job.results():
                break
            async for _ in client.labels():
                break
            return len([row async for row in client.documents("inbox")])

    assert asyncio.run(program()) == 1_500


def test_the_event_loop_goes_on_while_documents_are_added(way: Way) -> None:
    turns: list[str] = []
    go_on = threading.Event()

    def records() -> Any:
        yield {"id": "a", "text": "one"}
        # Read in a thread: the loop sets the event meanwhile.
        assert go_on.wait(20)
        yield {"id": "b", "text": "two"}

    async def program() -> None:
        async with way.async_client() as client:
            adding = asyncio.create_task(client.add(records(), collection="inbox"))
            await asyncio.sleep(0)
            turns.append("the loop")
            go_on.set()
            assert (await adding).n_new == 2

    asyncio.run(program())
    assert turns == ["the loop"]


def test_an_add_that_is_cancelled_keeps_what_it_counted(way: Way) -> None:
    counted: list[int] = []

    async def program() -> int:
        stored = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell(added: Any, _n_bad: int) -> None:
            counted.append(added.n_new)
            loop.call_soon_threadsafe(stored.set)

        async def endless() -> AsyncIterator[dict[str, Any]]:
            number = 0
            while True:
                number += 1
                yield {"id": f"k{number}", "text": "A text."}

        async with way.async_client() as client:
            adding = asyncio.create_task(client.add(endless(), collection="inbox", tell=tell))
            await stored.wait()
            adding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await adding
            return int((await client.collection("inbox"))["n_documents"])

    assert asyncio.run(program()) >= counted[0] > 0
