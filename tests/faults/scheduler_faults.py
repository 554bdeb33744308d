"""Faults around the scheduler's own steps: a large job cancelled beside the others, and SIGTERM in each step."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from db import documents, jobs, schedules
from db.chunks import ChunkSize
from db.jobs import NewJob
from scheduler.requests import JobRequest
from tests.faults.stack import COLLECTION, Stack
from tests.faults.trial import ON_POSTGRES, Fault
from tests.load import at_this_load
from tests.servers import until

#: Large beside the job that goes on: hundreds of chunks.
N_GIANT = 20_000
GIANT = "giant"
#: What is promised, and what a busy machine adds.
STOP_SECONDS = 2.0 + 1.0


def cancel_a_large_job(stack: Stack, job_id: int) -> int:
    """Two of them, while the job goes on."""
    giants = [_giant(stack) for _ in range(2)]
    for giant in giants:
        _cancel(stack, giant)
    before = stack.n_done(job_id)
    until(
        lambda: stack.n_done(job_id) > before or stack.state(job_id) == "finished",
        "the next outcome of the other job",
        30,
    )
    for giant in giants:
        _await_all_cancelled(stack, giant)
    return len(giants)


def term_while_cancelling(stack: Stack, job_id: int) -> int:
    giant = _giant(stack)
    _cancel(stack, giant)
    n = 0
    for share in (0.05, 0.3, 0.6):
        until(lambda share=share: stack.n_done(giant) >= N_GIANT * share, "more of the cancelling")  # type: ignore[misc]
        n += _term(stack)
    _await_all_cancelled(stack, giant)
    return n


def term_while_opening(stack: Stack, job_id: int) -> int:
    """A job of many chunks that waited is opened, step by step."""
    first = _small(stack)
    waiting = _giant(stack, after=first, per_chunk=5)
    until(lambda: _in_state(stack, waiting, "ready") > 0, "the first open chunks")
    n = _term(stack)
    until(lambda: _in_state(stack, waiting, "blocked") == 0, "all of them")
    _cancel(stack, waiting)
    _await_all_cancelled(stack, waiting)
    return n


def term_while_counting(stack: Stack, job_id: int) -> int:
    giant = _giant(stack)
    _cancel(stack, giant)
    until(lambda: not _in_state(stack, giant, "ready"), "the last chunk of the cancelled job")
    n = _term(stack)
    _await_all_cancelled(stack, giant)
    return n


def term_while_feeding(stack: Stack, job_id: int) -> int:
    """Feeding is what it does most."""
    return sum(_term(stack) for _ in range(3))


def term_while_reaping(stack: Stack, job_id: int) -> int:
    until(lambda: _killed_with_a_lease(stack, job_id), "a kill while a chunk is held")
    reaped = "SELECT id FROM chunk WHERE state = 'ready' AND n_lost + n_crashes > 0"
    until(lambda: stack.rows(reaped) or stack.state(job_id) == "finished", "a reaped chunk")
    n = _term(stack)
    stack.heal()
    return n + 1


def _killed_with_a_lease(stack: Stack, job_id: int) -> bool:
    """Kill the workers; False if they held nothing at that moment, and are started again."""
    stack.busy_child()
    stack.kill_everything()
    if stack.rows("SELECT id FROM chunk WHERE state = 'leased'") or stack.state(job_id) == "finished":
        return True
    stack.heal()
    return False


def term_while_firing(stack: Stack, job_id: int) -> int:
    """A schedule that submits a large job each minute, and is removed again."""
    with stack.store.write() as session:
        request = JobRequest("nothing", GIANT).as_json()
        schedules.add(session, "often", "* * * * *", "UTC", [request] * 3, schedules.clock(session))
    n = _term(stack)
    until(lambda: stack.rows("SELECT id FROM run"), "the firing")
    with stack.store.write() as session:
        schedules.remove(session, "often")
    ((n_runs, n_jobs),) = stack.rows(
        "SELECT count(DISTINCT run_id), count(run_id) FROM job WHERE run_id IS NOT NULL"
    )
    assert n_jobs == 3 * n_runs, f"{n_jobs} jobs in {n_runs} firings"
    for (number,) in stack.rows("SELECT id FROM job WHERE run_id IS NOT NULL"):
        if stack.state(number) not in ("finished", "cancelled"):
            _cancel(stack, number)
    until(
        lambda: not stack.rows("SELECT id FROM job WHERE run_id IS NOT NULL AND finished_at IS NULL"),
        "the end of what was fired",
    )
    return n


# --- the pieces they share ---------------------------------------------------------------------------------------


def _term(stack: Stack) -> int:
    """SIGTERM to every scheduler; others take their place. How many there were."""
    old = list(stack.schedulers)
    began = time.monotonic()
    for scheduler in old:
        scheduler.send_signal(signal.SIGTERM)
    for scheduler in old:
        # One that had not begun to work yet ends by the signal itself.
        assert scheduler.wait(60) in (0, -signal.SIGTERM)
    took = time.monotonic() - began
    allowed = at_this_load(STOP_SECONDS)
    assert took < allowed, (
        f"the scheduler ended {took:.1f} s after SIGTERM; {allowed:.1f} s are allowed at this load"
    )
    stack.schedulers.clear()
    stack.start_scheduler()
    return len(old)


def _giant(stack: Stack, *, after: int | None = None, per_chunk: int = 50) -> int:
    """A job over many documents that nobody works on."""
    with stack.store.write() as session:
        new = NewJob(
            kind="nothing",
            parameters={},
            collection_id=documents.collection_id(session, GIANT),
            chunk_size=ChunkSize(per_chunk, 1_000_000),
            after_job_id=after,
        )
        return _number(jobs.submit(session, new))


def _small(stack: Stack) -> int:
    """A job that goes before the others and is soon over."""
    with stack.store.write() as session:
        new = NewJob(
            "oracle", {"seconds": 0.0, "batch": 8}, documents.collection_id(session, COLLECTION), priority=9
        )
        return _number(jobs.submit(session, new))


def _number(submitted: jobs.Submitted) -> int:
    assert submitted.job_id is not None
    return submitted.job_id


def _giant_documents(stack: Stack) -> None:
    """They are there before the job begins: in SQLite, adding them would keep the workers from renewing."""
    if not stack.rows("SELECT id FROM collection WHERE name = :name", name=GIANT):
        stack.add([f"text {i}" for i in range(N_GIANT)], GIANT)


def _cancel(stack: Stack, job_id: int) -> None:
    with stack.store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "asked for")


def _in_state(stack: Stack, job_id: int, state: str) -> int:
    query = "SELECT count(*) FROM chunk WHERE job_id = :job AND state = :state"
    return int(stack.rows(query, job=job_id, state=state)[0][0])


def _await_all_cancelled(stack: Stack, job_id: int) -> None:
    until(lambda: stack.state(job_id) == "cancelled", "the end of the cancelled job", 120)
    query = (
        "SELECT count(*), count(DISTINCT document_id) FROM outcome"
        " WHERE job_id = :job AND error_code = 'CANCELLED'"
    )
    assert stack.rows(query, job=job_id) == [(N_GIANT, N_GIANT)]


def _fault(
    name: str, inject: Callable[[Stack, int], int], *, harmless: bool = True, quick: bool = False
) -> Fault:
    return Fault(
        name,
        inject,
        harmless=harmless,
        quick=ON_POSTGRES if quick else (),
        n_documents=4_000,
        prepare=_giant_documents,
    )


FAULTS = (
    _fault("large jobs are cancelled beside it", cancel_a_large_job, quick=True),
    _fault("TERM of the scheduler while it cancels", term_while_cancelling, quick=True),
    _fault("TERM of the scheduler while it opens", term_while_opening),
    _fault("TERM of the scheduler while it counts", term_while_counting),
    _fault("TERM of the scheduler while it feeds", term_while_feeding),
    _fault("TERM of the scheduler while it reaps", term_while_reaping, harmless=False),
    _fault("TERM of the scheduler while it fires", term_while_firing),
)
