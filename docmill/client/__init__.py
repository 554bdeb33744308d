"""The Python client: add documents, submit jobs, wait for them, read their results.

    from docmill import Client

    with Client() as client:
        client.add("filings/", collection="inbox")
        job = client.submit("summarize", collection="inbox", parameters={"sentences": 2})
        job.wait()
        for row in job.results():
            print(row["document_key"], row["summary"])

`Client()` is for the store of the environment, `Client("postgresql://...")` for another one, and
`Client("http://host:8484", key="docmill_...")` for a server (`docmill serve`): the methods, the results and the errors
are the same. `AsyncClient` has them as coroutines. Neither Redis nor a worker has to run on a client's machine, and it
never imports torch. The errors are in `docmill.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from docmill.client import choosing
from docmill.client.asynchronous.client import AsyncClient
from docmill.client.asynchronous.job import AsyncJob
from docmill.client.blocking.client import Client
from docmill.client.blocking.job import Job
from docmill.client.choosing import Connection
from readers import ReadOptions
from readers.frames import Records
from scheduler.adding import Report, Tell

__all__ = ["AsyncClient", "AsyncJob", "Client", "Job", "add", "job", "submit"]


class _Default(Client):
    """A client of what the settings name, which is looked up at every call."""

    def __init__(self) -> None:
        pass

    def _connect(self) -> Connection:
        return choosing.shared()


_default = _Default()


def add(
    *what: str | PathLike[str] | Records,
    collection: str,
    options: ReadOptions | None = None,
    tell: Tell | None = None,
    extract: Mapping[str, Any] | None = None,
    extract_again: bool = False,
) -> Report:
    """`Client().add`."""
    return _default.add(
        *what,
        collection=collection,
        options=options,
        tell=tell,
        extract=extract,
        extract_again=extract_again,
    )


def submit(
    kind: str,
    *,
    collection: str | Sequence[str],
    model: str | None = None,
    parameters: dict[str, Any] | None = None,
    priority: int = 5,
    key: str | None = None,
    after: int | None = None,
    only_new: bool = False,
    where: str | None = None,
    corrections: bool = True,
    submitter: str | None = None,
    exclusive: bool = False,
    unique: bool = False,
) -> Job:
    """`Client().submit`."""
    return _default.submit(
        kind,
        collection=collection,
        model=model,
        parameters=parameters,
        priority=priority,
        key=key,
        after=after,
        only_new=only_new,
        where=where,
        corrections=corrections,
        submitter=submitter,
        exclusive=exclusive,
        unique=unique,
    )


def job(job_id: int) -> Job:
    """`Client().job`."""
    return _default.job(job_id)
