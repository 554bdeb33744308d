"""Any order of claims, writes, deaths, cancels, pauses, resumes, retries and removals: hypothesis looks for one that
loses or repeats a document. Time passes when the machine says so, by moving the leases in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
)

from db import chunks, jobs, removal
from db.chunks import Claim, Written
from db.errors import ConflictError, FencedError, NothingToDoError
from db.store import Store
from tests.db import builders
from tests.db.machines import OverAStore, run_on_postgres, run_on_sqlite

N_DOCUMENTS = 6
#: Processes that claim. The first two share a name: two homes on one host, or two hosts of one hostname.
INSTANCES = ("a.1", "b.1", "c.1", "c.2")
NAMES = {"a.1": "cpu-0@host", "b.1": "cpu-0@host", "c.1": "cpu-1@host", "c.2": "cpu-1@host"}
#: What a worker may find of a document.
ANSWERS = st.sampled_from(["ok", "RUNNER_ERROR"])


@dataclass
class Held:
    """A claim as its worker remembers it, whether or not it still holds."""

    claim: Claim
    instance: str
    suspect: int | None = None


@dataclass
class Model:
    """What must be true, kept in memory."""

    #: (job, document) -> code; grows, never changes.
    outcomes: dict[tuple[int, int], str] = field(default_factory=dict)
    #: chunk -> the claim that holds it now.
    holders: dict[int, Held] = field(default_factory=dict)
    #: chunk -> highest fence seen.
    fences: dict[int, int] = field(default_factory=dict)
    #: chunk -> deaths that happened over it, and claims that were lost.
    crashes: Counter[int] = field(default_factory=Counter)
    losses: Counter[int] = field(default_factory=Counter)
    #: Claims whose lease ran out and whose holder may still be reported dead.
    lost: list[Held] = field(default_factory=list)
    #: Documents that were removed.
    removed: set[int] = field(default_factory=set)


class Chunks(OverAStore):
    """Two chunks of three documents in each job, four processes of three workers, two of them of one name, some of
    them zombies."""

    def __init__(self) -> None:
        super().__init__()
        collection = builders.add_documents(self.store, N_DOCUMENTS)
        self.collection = collection
        self.model = Model()
        self.claims: list[Held] = []
        self.n_poison = 0
        self.jobs = [builders.submit(self.store, collection, per_chunk=3).job_id]

    # --- workers -------------------------------------------------------------------------------------------------

    @rule(instance=st.sampled_from(INSTANCES), data=st.data())
    def claim(self, instance: str, data: st.DataObject) -> None:
        every = [chunk for job_id in self.jobs for chunk in builders.chunks_of(self.store, job_id)]
        chunk = data.draw(st.sampled_from(every))
        state = builders.job_of(self.store, chunk.job_id).state
        taken = builders.claim(self.store, chunk.id, instance, name=NAMES[instance])
        assert (taken is not None) == (chunk.state == "ready" and state == "running")
        if taken is None:
            return
        assert taken.fence > self.model.fences.get(chunk.id, 0)
        self.model.fences[chunk.id] = taken.fence
        held = Held(taken, instance)
        self.model.holders[chunk.id] = held
        self.claims.append(held)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), answer=ANSWERS, close=st.booleans(), n=st.integers(0, 3))
    def write(self, data: st.DataObject, answer: str, close: bool, n: int) -> None:
        """A worker, zombie or not, writes some or all of what was open when it looked."""
        held = data.draw(st.sampled_from(self.claims))
        claim = held.claim
        still_open = [id_ for id_ in claim.document_ids if (claim.job_id, id_) not in self.model.outcomes]
        chosen = still_open if close else still_open[:n]
        written = Written(chosen) if answer == "ok" else Written((), [(id_, answer, "why") for id_ in chosen])
        with self._fenced(held), self.store.write() as session:
            chunks.write(session, claim, written, builders.LEASE, close=close)
        if self._holds(held):
            self.model.outcomes |= {
                (claim.job_id, id_): "REMOVED" if id_ in self.model.removed else answer for id_ in chosen
            }
            held.suspect = None
            if close:
                del self.model.holders[claim.chunk_id]

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def suspect(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.claims))
        claim = held.claim
        still_open = [id_ for id_ in claim.document_ids if (claim.job_id, id_) not in self.model.outcomes]
        if not still_open:
            return
        with self._fenced(held):
            builders.suspect(self.store, claim, still_open[0])
        held.suspect = still_open[0]

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.claims))
        with self._fenced(held), self.store.write() as session:
            chunks.put_back(session, held.claim, "no disk")
        if self._holds(held):
            del self.model.holders[held.claim.chunk_id]
        builders.let_backoffs_pass(self.store)

    @rule(instance=st.sampled_from(["a", "b", "c", *INSTANCES]))
    def give_back(self, instance: str) -> None:
        """A process, or a worker with all its processes, is stopped."""
        with self.store.write() as session:
            n = chunks.give_back(session, instance)
        mine = (instance, f"{instance}.1", f"{instance}.2")
        assert n == len(self._free(lambda held: held.instance in mine))

    # --- faults --------------------------------------------------------------------------------------------------

    @rule(instance=st.sampled_from(INSTANCES))
    def crash(self, instance: str) -> None:
        freed = builders.crash(self.store, instance)
        expected = self._free(lambda held: held.instance == instance)
        self.model.crashes.update(held.claim.chunk_id for held in expected)
        self._after_deaths(freed, expected)

    @rule(instance=st.sampled_from(INSTANCES))
    def die_with_the_launcher(self, instance: str) -> None:
        freed = builders.lose(self.store, instance)
        expected = self._free(lambda held: held.instance == instance)
        self._count_losses(expected)
        self._after_deaths(freed, expected)

    @precondition(lambda self: self.model.lost)
    @rule(data=st.data())
    def report_a_death_late(self, data: st.DataObject) -> None:
        """The lease had run out before; meanwhile anything may have become of the chunk."""
        held = data.draw(st.sampled_from(self.model.lost))
        self.model.lost.remove(held)
        assert builders.crash_late(self.store, held.claim)
        assert not builders.crash_late(self.store, held.claim)
        [(state,)] = builders.sql(
            self.store, "SELECT state FROM chunk WHERE id = :id", id=held.claim.chunk_id
        )
        if state != "closed":
            self.model.crashes[held.claim.chunk_id] += 1
            self.model.losses[held.claim.chunk_id] -= 1
        builders.let_backoffs_pass(self.store)
        n_poison = self.n_poison
        self._expect_poison(held)
        if self.n_poison > n_poison:
            self.model.holders.pop(held.claim.chunk_id, None)

    @rule(data=st.data(), deaths=st.integers(1, 4))
    def die_over_a_document(self, data: st.DataObject, deaths: int) -> None:
        """Enough of it, and the document is poison."""
        ready = builders.sql(
            self.store,
            "SELECT c.id FROM chunk c JOIN job j ON j.id = c.job_id "
            "WHERE c.state = 'ready' AND j.state = 'running' ORDER BY c.id",
        )
        if not ready:
            return
        (chunk_id,) = data.draw(st.sampled_from(ready))
        for _ in range(deaths):
            taken = builders.held(self.store, chunk_id, "w5")
            self.model.fences[chunk_id] = taken.fence
            held = Held(taken, "w5")
            still_open = [id_ for id_ in taken.document_ids if (taken.job_id, id_) not in self.model.outcomes]
            if still_open:
                held.suspect = still_open[0]
                builders.suspect(self.store, taken, still_open[0])
            self.model.crashes[chunk_id] += 1
            self._after_deaths(builders.crash(self.store, "w5"), [held])

    @rule()
    def every_lease_expires(self) -> None:
        builders.let_leases_expire(self.store)
        expected = self._free(lambda _: True)
        self._count_losses(expected)
        self._after_deaths(builders.reap(self.store), expected)
        assert builders.reap(self.store) == []

    def _count_losses(self, expected: list[Held]) -> None:
        self.model.losses.update(held.claim.chunk_id for held in expected)
        self.model.lost += expected

    def _after_deaths(self, freed: list[int], expected: list[Held]) -> None:
        assert sorted(freed) == sorted(held.claim.chunk_id for held in expected)
        builders.let_backoffs_pass(self.store)
        for held in expected:
            self._expect_poison(held)

    def _expect_poison(self, held: Held) -> None:
        """The store alone counts deaths; it may give up a document only if it is the suspect."""
        claim = held.claim
        for (id_,) in builders.sql(
            self.store,
            "SELECT document_id FROM outcome WHERE job_id = :job AND error_code = 'POISON'",
            job=claim.job_id,
        ):
            if (claim.job_id, id_) not in self.model.outcomes and id_ in claim.document_ids:
                assert held.suspect is not None
                self.model.outcomes[(claim.job_id, id_)] = "POISON"
                self.n_poison += 1

    # --- people --------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        self._change(data, jobs.pause, ("running", "paused"))

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        self._change(data, jobs.resume, ("running", "paused"))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        def stop(session: Any, job_id: int) -> None:
            jobs.stop(session, job_id, "CANCELLED", "asked for")

        self._change(data, stop, ("running", "paused", "cancelling"))

    @rule(data=st.data())
    def close_some_of_a_cancelled_job(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.jobs))
        closing = builders.job_of(self.store, job_id).state == "cancelling"
        still_open = [chunk for chunk in builders.chunks_of(self.store, job_id) if chunk.state != "closed"]
        n = builders.stop_some(self.store, job_id, limit=1)
        assert n == (1 if closing and still_open else 0)
        for chunk in still_open[:n]:
            self.model.holders.pop(chunk.id, None)
            for id_ in chunk.document_ids:
                self.model.outcomes.setdefault((job_id, id_), "CANCELLED")

    @precondition(lambda self: len(self.jobs) < 3)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.jobs))
        failed = {id_ for (job, id_), code in self.model.outcomes.items() if job == job_id and code != "ok"}
        failed -= self.model.removed
        if not failed:
            with pytest.raises(NothingToDoError):
                builders.submit(self.store, self.collection, per_chunk=3, failed_in_job_id=job_id)
            return
        submitted = builders.submit(self.store, self.collection, per_chunk=3, failed_in_job_id=job_id)
        assert submitted.n_documents == len(failed)
        self.jobs.append(submitted.job_id)

    @rule(number=st.integers(0, N_DOCUMENTS - 1))
    def remove(self, number: int) -> None:
        with self.store.write() as session:
            found = removal.erase(
                session, self.collection, [f"k{number}"], removal.start(session, self.collection)
            )
        gone = {
            id_ for (id_,) in builders.sql(self.store, "SELECT id FROM document WHERE erased_at IS NOT NULL")
        }
        assert len(gone - self.model.removed) == found.n_versions
        self.model.removed = gone

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.jobs))
        state = builders.job_of(self.store, job_id).state
        all_closed = all(chunk.state == "closed" for chunk in builders.chunks_of(self.store, job_id))
        assert builders.finish(self.store, job_id) == (all_closed and state in ("running", "cancelling"))

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def the_outcomes_are_those_of_the_model(self) -> None:
        rows = builders.sql(self.store, "SELECT job_id, document_id, error_code FROM outcome")
        assert {(job, id_): code or "ok" for job, id_, code in rows} == self.model.outcomes

    @invariant()
    def the_counts_of_the_chunks_are_those_of_the_outcomes(self) -> None:
        ((n,),) = builders.sql(self.store, "SELECT COALESCE(SUM(n_ok + n_error), 0) FROM chunk")
        assert n == len(self.model.outcomes)

    @invariant()
    def what_is_counted_for_ever_is_what_was_written(self) -> None:
        rows = builders.sql(
            self.store, "SELECT label, SUM(n) FROM tally WHERE name = 'documents' GROUP BY label"
        )
        assert {label: int(n) for label, n in rows} == Counter(self.model.outcomes.values())

    @invariant()
    def leased_chunks_are_those_that_somebody_holds(self) -> None:
        rows = builders.sql(self.store, "SELECT id FROM chunk WHERE state = 'leased'")
        assert {id_ for (id_,) in rows} == set(self.model.holders)

    @invariant()
    def only_what_happened_is_counted(self) -> None:
        """No crash of a worker that lives, whatever another of its name does."""
        rows = builders.sql(self.store, "SELECT id, n_crashes, n_lost FROM chunk")
        assert {id_: n for id_, n, _ in rows if n} == +self.model.crashes
        assert {id_: n for id_, _, n in rows if n} == +self.model.losses

    def teardown(self) -> None:
        """However it went so far: with workers that do their work, every job ends complete."""
        if not hasattr(self, "jobs"):
            return
        for job_id in self.jobs:
            if builders.job_of(self.store, job_id).state == "paused":
                with self.store.write() as session:
                    jobs.resume(session, job_id)
            builders.let_leases_expire(self.store)
            builders.reap(self.store)
            builders.let_backoffs_pass(self.store)
            while builders.stop_some(self.store, job_id):
                pass
            self._work_off(job_id)
            builders.finish(self.store, job_id)
            job = builders.job_of(self.store, job_id)
            assert job.state in ("finished", "cancelled")
            assert len(builders.outcomes(self.store, job_id)) == job.n_documents

    def _work_off(self, job_id: int) -> None:
        done = {
            id_
            for (id_,) in builders.sql(
                self.store, "SELECT document_id FROM outcome WHERE job_id = :j", j=job_id
            )
        }
        for chunk in builders.chunks_of(self.store, job_id):
            if chunk.state != "closed":
                held = builders.held(self.store, chunk.id, "last")
                builders.write_ok(self.store, held, [id_ for id_ in held.document_ids if id_ not in done])

    # --- helpers -------------------------------------------------------------------------------------------------

    def _holds(self, held: Held) -> bool:
        return self.model.holders.get(held.claim.chunk_id) is held

    def _free(self, which: Any) -> list[Held]:
        freed = [held for held in self.model.holders.values() if which(held)]
        for held in freed:
            del self.model.holders[held.claim.chunk_id]
        return freed

    @contextmanager
    def _fenced(self, held: Held) -> Iterator[None]:
        """What is inside must be refused if the worker no longer holds the chunk, and only then."""
        if self._holds(held):
            yield
        else:
            with pytest.raises(FencedError):
                yield

    def _change(self, data: st.DataObject, change: Any, allowed: tuple[str, ...]) -> None:
        job_id = data.draw(st.sampled_from(self.jobs))
        state = builders.job_of(self.store, job_id).state
        with self.store.write() as session:
            if state in allowed:
                change(session, job_id)
            else:
                with pytest.raises(ConflictError):
                    change(session, job_id)


def test_no_order_of_events_loses_or_repeats_a_document_on_sqlite(sqlite_template: Path) -> None:
    run_on_sqlite(Chunks, sqlite_template, examples=20, steps=40)


def test_no_order_of_events_loses_or_repeats_a_document_on_postgresql(postgres_store: Store) -> None:
    run_on_postgres(Chunks, postgres_store, examples=10, steps=30)
