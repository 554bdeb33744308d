"""`docmill submit` killed at any moment and run again: one job, with all its documents, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.store import Store
from tests.db.builders import add_documents, job_of, sql
from tests.faults.stack import Stack
from tests.servers import RedisServer

pytestmark = pytest.mark.stack

N_DOCUMENTS = 500
#: A submission takes about a second, most of it imports: these moments lie before, in and after its transaction.
MOMENTS = (0.2, 0.5, 0.7, 0.9, 1.1, 1.4)


@pytest.fixture
def stack(store: Store, redis_server: RedisServer, tmp_path: Path) -> Iterator[Stack]:
    """Commands alone: neither scheduler nor workers are needed to submit."""
    url = store.url.render_as_string(hide_password=False)
    stack = Stack(
        "sqlite" if store.is_sqlite else "postgresql", url=url, folder=tmp_path / "stack", redis=redis_server
    )
    add_documents(store, N_DOCUMENTS)
    yield stack
    stack.store.close()


def _submit(key: str) -> tuple[str, ...]:
    return ("submit", "oracle", "--collection", "news", "--key", key)


def test_a_submission_that_is_killed_and_run_again_is_one_job(stack: Stack) -> None:
    for i, moment in enumerate(MOMENTS):
        process = stack.docmill(*_submit(f"night-{i}"))
        time.sleep(moment)  # The fault is a point in time; whatever it hits, the job must be one.
        process.kill()
        process.wait()
    assert sql(stack.store, "SELECT count(*) FROM job WHERE n_documents <> :n", n=N_DOCUMENTS) == [(0,)]
    for i in range(len(MOMENTS)):
        done = stack.run(*_submit(f"night-{i}"))
        assert done.returncode == 0, done.stderr
    assert sql(stack.store, "SELECT count(*), min(n_documents) FROM job") == [(len(MOMENTS), N_DOCUMENTS)]
    ((in_chunks,),) = sql(stack.store, "SELECT sum(n_documents) FROM chunk")
    assert in_chunks == N_DOCUMENTS * len(MOMENTS)


def test_a_job_that_submit_printed_is_there_with_all_its_documents(stack: Stack) -> None:
    done = stack.run(*_submit("tonight"))
    again = stack.run(*_submit("tonight"))
    assert done.returncode == again.returncode == 0, done.stderr + again.stderr
    ((job_id,),) = sql(stack.store, "SELECT id FROM job")
    assert str(job_id) in done.stdout
    assert str(job_id) in again.stdout
    assert job_of(stack.store, job_id).n_documents == N_DOCUMENTS
