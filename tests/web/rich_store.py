"""A store with a bad night in it, for tests of the pages and for looking at them.

    python -m tests.web.rich_store FILE.db

writes one to look at: DOCMILL_DATABASE_URL=sqlite:///FILE.db docmill serve
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from db import chunks, model_versions, registry
from db.chunks import Written
from db.documents import NewDocument
from db.gates import Judged, Judgement
from db.results import Rows
from db.store import Store
from db.tables import (
    Job,
    LabelMoves,
    ModelVersion,
    Night,
    NightPlan,
    NightPlanPart,
    NightPlanStep,
    Run,
    RunGrowth,
    Schedule,
    Worker,
)
from tests.db.builders import add, finish, held, submit, the_chunk
from workers.processes.heartbeat import member

BODY = (
    "한국은행은 기준금리를 인상했다. 물가가 오르고 있기 때문이다. The bank raised its rate by a quarter point.\n"
    "Analysts expected it. 시장은 크게 움직이지 않았다.\n"
)
NIGHTS, DOCUMENTS = 14, 12


@dataclass(frozen=True)
class Words:
    """What people chose: names, texts, details."""

    key: str = "2026/기사"
    body: str = BODY
    label: str = "economy"
    detail: str = "page 14: the stream ends early"
    collection: str = "inbox"
    model: str = "topics"
    schedule: str = "nightly"
    note: str = "1 of 2 jobs gave no result"
    worker: str = "gpu-0@gpu-b"
    where: str = "published >= '2026-01-01'"
    submitter: str = "kim@desk"


def fill(store: Store, words: Words | None = None) -> int:
    """Write it; returns the job of the last night that failed in part."""
    told = words or Words()
    collection = add(store, [_document(told, n) for n in range(DOCUMENTS)], told.collection)
    add(store, [_document(told, n, "New: " + told.body + told.body) for n in range(3)], told.collection)
    schedule_id, runs = _nights(store, told)
    _models(store, told, collection)
    for n, run_id in enumerate(runs[:-1], start=1):
        _summaries(store, told, collection, run_id, failing=1 if n % 5 == 0 else 0)
    last = _summaries(store, told, collection, runs[-1], failing=5)
    _similar(store, collection, told)
    _all_failed(store, told, collection, runs[-1])
    _plan(store, told, runs[-1])
    _growth(store, runs)
    submit(store, collection, kind="summarize", per_chunk=4, where=None, submitter=told.submitter)
    with store.write() as session:
        session.execute(update(Job).values(submitter=told.submitter))

        alive = member("worker", "cpu-0@here", "alive", "cpu", ["summarize"])
        lost = member("worker", told.worker, "lost", "cuda:0", ["summarize"])
        registry.beat(session, [alive, lost, member("scheduler", "scheduler@here", "sched", None, [])])
        long_ago = datetime.now(UTC) - timedelta(hours=6)
        session.execute(
            update(Worker)
            .where(Worker.instance == lost.instance)
            .values(last_seen_at=long_ago, started_at=long_ago)
        )
    assert schedule_id
    return last


def _document(told: Words, n: int, body: str | None = None) -> NewDocument:
    meta = {"published": "2026-11-25", told.label: told.detail}
    return NewDocument(f"{told.key}{n}", f"{body or told.body} {n}", None, f"{told.key}{n}:1", meta=meta)


def _nights(store: Store, told: Words) -> tuple[int, list[int]]:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with store.write() as session:
        schedule = Schedule(
            name=told.schedule, cron="0 2 * * *", time_zone="Asia/Seoul", requests=[], next_at=now, deadline="07:00",
            catchup="latest", overlap="skip",
        )  # fmt: skip
        session.add(schedule)
        session.flush()
        found = []
        for n in range(NIGHTS):
            due = now - timedelta(days=NIGHTS - 1 - n, hours=3)
            took = timedelta(minutes=20 + 3 * (n % 4) + (25 if n == NIGHTS - 1 else 0))
            run = Run(
                schedule_id=schedule.id, due_at=due, started_at=due, ended_at=due + took, cause="time",
                state="failed" if n == NIGHTS - 1 else "succeeded", deadline_at=due + timedelta(minutes=40),
                is_late=n == NIGHTS - 1, note=told.note if n == NIGHTS - 1 else None,
            )  # fmt: skip
            session.add(run)
            session.flush()
            found.append(run.id)
        return schedule.id, found


def _summaries(store: Store, told: Words, collection: int, run_id: int, failing: int) -> int:
    job_id = submit(store, collection, kind="summarize", per_chunk=100, run_id=run_id, where=None).job_id
    claim = held(store, the_chunk(store, job_id).id)
    ids = list(claim.document_ids)
    bad, good = ids[len(ids) - failing :], ids[: len(ids) - failing]
    codes = ["CORRUPT", "CORRUPT", "POISON", "EMPTY_TEXT", "CORRUPT"]
    rows = {
        "summary": Rows(
            ("document_id", "summary", "method", "n_sentences"), [(d, told.body[:60], "m", 5) for d in good]
        ),
        "summary_sentence": Rows(
            ("document_id", "position", "start_char", "end_char", "score"), [(d, 1, 0, 18, 1.0) for d in good]
        ),
    }
    errors = [(d, codes[n % 5], told.detail) for n, d in enumerate(bad)]
    with store.write() as session:
        chunks.write(session, claim, Written(good, errors, rows=rows), 60, close=True)
    assert finish(store, job_id)
    return job_id


def _growth(store: Store, runs: list[int]) -> None:
    """What each night changed, as it would have been counted."""
    now = datetime.now(UTC)
    with store.write() as session:
        for n, run_id in enumerate(runs):
            size = 41_000_000_000 + 300_000_000 * n - (900_000_000 if n > 9 else 0)
            session.add(
                RunGrowth(
                    run_id=run_id, store_bytes=size, newest_document_id=n, n_added=37 + 11 * (n % 5) if n else None,
                    counted_to=n, counted_at=now,
                )
            )  # fmt: skip
        version = session.scalar(select(func.max(ModelVersion.id)))
        jobs = session.scalars(select(Job).where(Job.run_id.in_(runs)).order_by(Job.id)).all()
        for n, job in enumerate(jobs):
            moved = 3 + (40 if n == len(jobs) - 1 else n % 4)
            session.add(
                LabelMoves(job_id=job.id, n_compared=1_204, n_moved=moved, counted_to=1, counted_at=now)
            )
            job.model_version_id = version


def _similar(store: Store, collection: int, told: Words) -> None:
    job_id = submit(store, collection, kind="classify", per_chunk=100, model_ref=told.model).job_id
    claim = held(store, the_chunk(store, job_id).id)
    ids = claim.document_ids
    rows = {
        "classification": Rows(
            ("document_id", "rank", "label", "score", "reason"), [(d, 1, told.label, 0.87, None) for d in ids]
        ),
        "label_term": Rows(
            ("document_id", "rank", "label", "term", "weight"),
            [(d, r, told.label, term, 0.5) for d in ids for r, term in ((1, "금리"), (2, "rate"))],
        ),
        "keyword": Rows(("document_id", "rank", "term", "score"), [(d, 1, "물가", 0.9) for d in ids]),
        "entity": Rows(
            ("document_id", "rank", "start_char", "end_char", "label", "text", "score", "source", "normal"),
            [(d, 1, 0, 4, told.label, told.body[:4], 0.8, "model", told.label) for d in ids],
        ),
        "generation": Rows(
            ("document_id", "text", "finish_reason", "n_prompt_tokens", "n_tokens", "n_cut_chars", "model"),
            [(d, told.body, "stop", 9, 4, 0, told.model) for d in ids],
        ),
        "generation_field": Rows(
            ("document_id", "rank", "path", "type", "text", "number", "boolean"),
            [(d, 1, told.label, "text", told.body[:9], None, None) for d in ids],
        ),
        "neighbour": Rows(
            ("document_id", "rank", "neighbour_id", "score"),
            [(d, 1, other, 0.5) for d, other in zip(ids, [*ids[1:], ids[0]], strict=True)],
        ),
        "neighbour_term": Rows(
            ("document_id", "neighbour_rank", "rank", "term", "weight"),
            [(d, 1, 1, told.label, 0.3) for d in ids],
        ),
    }
    with store.write() as session:
        chunks.write(session, claim, Written(ids, rows=rows), 60, close=True)
    assert finish(store, job_id)


def _all_failed(store: Store, told: Words, collection: int, run_id: int) -> None:
    job_id = submit(store, collection, per_chunk=100, run_id=run_id).job_id
    claim = held(store, the_chunk(store, job_id).id)
    errors = [(d, "TOO_LARGE", told.detail) for d in claim.document_ids]
    with store.write() as session:
        chunks.write(session, claim, Written(errors=errors, note=told.note), 60, close=True)
    assert finish(store, job_id)


def _models(store: Store, told: Words, collection: int) -> None:
    for accuracy in (0.84, 0.884, 0.871):
        job_id = submit(
            store, collection, kind="train-classify", per_chunk=1_000, model_ref=told.model
        ).job_id
        train(store, job_id, accuracy, told.model, told.note)


def train(store: Store, job_id: int, accuracy: float, model: str = "topics", note: str | None = None) -> None:
    """What a worker does for a training."""
    claim = held(store, the_chunk(store, job_id).id)
    judgement = Judgement(None, [Judged("macro_f1_margin", accuracy - 0.88, -0.005, None, accuracy != 0.871)])
    metrics = {"accuracy": accuracy, "macro_f1": accuracy - 0.01, "n_held_out": 400.0, "n_train": 1600.0}
    with store.write() as session:
        figures = {"model_curve": Rows(("series", "epoch", "value"), _curve(accuracy))}
        model_versions.register(session, job_id, f"{model}/{accuracy}", "0" * 64, metrics, judgement, figures)
        chunks.write(session, claim, Written(claim.document_ids, note=note), 60, close=True)
    assert finish(store, job_id)


def _curve(accuracy: float) -> list[tuple[str, int, float]]:
    """A training that overfits after its sixth epoch."""
    rows: list[tuple[str, int, float]] = []
    for epoch in range(1, 11):
        rows.append(("loss", epoch, 1.1 * 0.75**epoch))
        rows.append(("validation_loss", epoch, 0.35 + 0.9 * 0.6**epoch + 0.012 * max(0, epoch - 6)))
        rows.append(("validation_accuracy", epoch, accuracy * (1 - 0.4 * 0.6**epoch)))
    return rows


def _plan(store: Store, told: Words, run_id: int) -> None:
    with store.write() as session:
        plan = NightPlan(name=told.schedule, file="", folder=".", file_digest="", n_workers=2, seconds=90.0)
        session.add(plan)
        session.flush()
        session.add(
            NightPlanStep(
                plan_id=plan.id,
                step=1,
                name="summaries",
                action="summarize",
                parameters={},
                n_unchanged=1204,
                n_failed=2,
                n_quarantined=1,
                n_elsewhere=0,
                n_to_do=5,
                n_if_promoted=0,
                chars=900,
                note=told.note,
            )
        )
        session.flush()
        session.add(
            NightPlanPart(
                plan_id=plan.id,
                step=1,
                part=1,
                reason="new",
                n_documents=5,
                document_ids=[1, 2, 3, 4, 5],
                coming=[],
            )
        )
        session.add(
            Night(name=told.schedule, file="", folder=".", plan_id=plan.id, run_id=run_id, state="done",
                  finished_at=datetime.now(UTC))
        )  # fmt: skip


if __name__ == "__main__":
    from db.migrations import upgrade

    made = Store(f"sqlite:///{sys.argv[1]}")
    upgrade(made)
    fill(made)
    made.close()
