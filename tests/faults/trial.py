"""One trial: a job in the middle of its work, a fault, and every checker once the system is quiet again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.faults.checkers import Expected, Findings, check
from tests.faults.stack import COLLECTION, LEASE_SECONDS, START_SECONDS, TICK_SECONDS, Database, Stack
from tests.load import at_this_load
from tests.servers import until

N_DOCUMENTS = 2_000
#: design.md: work goes on within lease + tick + model load after the fault ends.
RECOVERY_SECONDS = LEASE_SECONDS + TICK_SECONDS + START_SECONDS
#: A job ends in this time after its fault, on a machine with nothing else to do.
END_SECONDS = 150.0

BOTH: tuple[Database, ...] = ("sqlite", "postgresql")
ON_SQLITE: tuple[Database, ...] = ("sqlite",)
ON_POSTGRES: tuple[Database, ...] = ("postgresql",)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong while a job runs. `inject` does it, returns once it is over, and says how often."""

    name: str
    inject: Callable[[Stack, int], int]
    databases: tuple[Database, ...] = BOTH
    #: The stores on which it runs in every `pytest`; `make faults` runs it on all.
    quick: tuple[Database, ...] = ()
    #: No process died whose worker lived to see it, so no chunk may count a crash.
    harmless: bool = False
    #: The job is cancelled by it.
    cancels: bool = False
    #: Documents that misbehave: key -> text; and how they must end: key -> codes.
    texts: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    n_documents: int = N_DOCUMENTS
    #: It needs a stack that is made for it alone.
    own_stack: Callable[[Database], Stack] | None = None
    #: What is to be there before the job is submitted.
    prepare: Callable[[Stack], None] | None = None
    #: The time from the end of the fault to the next outcome, at most.
    recovery_seconds: float = RECOVERY_SECONDS


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    fault: str
    database: Database
    n_documents: int
    n_faults: int
    findings: Findings
    recovery_seconds: float
    #: What else is wrong, in words.
    complaint: str = ""

    @property
    def is_clean(self) -> bool:
        return self.findings == Findings() and not self.complaint


def texts_of(fault: Fault) -> dict[str, str]:
    """The documents of a fault's collection."""
    return {f"k{i}": f"text {i}" for i in range(fault.n_documents)} | dict(fault.texts)


def collection_of(fault: Fault) -> str:
    return fault.name if fault.texts or fault.n_documents != N_DOCUMENTS else COLLECTION


def run(stack: Stack, fault: Fault) -> Row:
    """Submit, inject in the middle, await recovery and end, check."""
    texts = texts_of(fault)
    if collection_of(fault) != COLLECTION:
        stack.add(list(texts.values()), collection_of(fault))
    if fault.prepare is not None:
        fault.prepare(stack)
    stack.heal()
    job_id = stack.submit(collection_of(fault))
    until(
        lambda: stack.n_done(job_id) >= len(texts) // 10,
        "the first tenth of the job",
        at_this_load(END_SECONDS),
    )
    n_faults = fault.inject(stack, job_id)
    recovery_seconds = _recovery(stack, job_id)
    until(
        lambda: stack.state(job_id) in ("finished", "cancelled"),
        f"the end of the job after {fault.name!r}",
        at_this_load(END_SECONDS),
    )
    findings = check(stack, Expected(job_id, texts, fault.codes, cancelled=fault.cancels))
    return Row(
        fault.name,
        stack.database,
        len(texts),
        n_faults,
        findings,
        recovery_seconds,
        _complaint(stack, fault, job_id, recovery_seconds),
    )


def _recovery(stack: Stack, job_id: int) -> float:
    """Seconds until the next commit of the job."""
    ended_at, before = time.monotonic(), stack.n_done(job_id)
    until(
        lambda: stack.n_done(job_id) > before or stack.state(job_id) in ("finished", "cancelled"),
        "the next outcome after the fault",
        at_this_load(END_SECONDS),
    )
    return time.monotonic() - ended_at


def _complaint(stack: Stack, fault: Fault, job_id: int, recovery_seconds: float) -> str:
    found = []
    if recovery_seconds > fault.recovery_seconds:
        found.append(f"recovered after {recovery_seconds:.1f} s, not {fault.recovery_seconds:.1f} s")
    if fault.harmless and (n := stack.n_crashes(job_id)):
        found.append(f"{n} crashes counted where none happened")
    if (state := stack.state(job_id)) != ("cancelled" if fault.cancels else "finished"):
        found.append(f"the job is {state}")
    return "; ".join(found)


def spread(stack: Stack, job_id: int, times: int) -> Iterator[int]:
    """Moments spread over the rest of a job: each comes when so much more of it is done."""
    ((total,),) = stack.rows("SELECT n_documents FROM job WHERE id = :job", job=job_id)
    start = stack.n_done(job_id)
    for i in range(times):
        goal = start + (total * 0.9 - start) * i / times
        until(
            lambda goal=goal: stack.n_done(job_id) >= goal, f"{goal:.0f} documents", at_this_load(END_SECONDS)
        )  # type: ignore[misc]
        if stack.n_done(job_id) >= total:
            return
        yield i
