"""Similarity by increments: `submit similarity --new` leaves the lists that a job over all documents makes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from db.documents import NewDocument
from db.similar import neighbours
from tests.commands.conftest import Shell
from tests.db.builders import add, chunks_of, job_of, outcomes, sql

WORDS = "harbour ferry storm engine bakery bread oven flour 금리 은행 대출 예금".split()
_numbers = itertools.count()
#: Changes of one night: keys with their new text, or None for a document that is removed.
night = st.dictionaries(
    st.sampled_from([f"k{i}" for i in range(12)]),
    st.none() | st.lists(st.sampled_from(WORDS), min_size=0, max_size=5),
    min_size=1,
    max_size=6,
)


def model(shell: Shell) -> None:
    """A small model of the words."""
    texts = [" ".join(WORDS[i % 3 * 4 : i % 3 * 4 + 4] + [WORDS[i % 12]]) for i in range(36)]
    add(shell.store, [NewDocument(f"t{i}", text, None, "t") for i, text in enumerate(texts)], "training")
    small = [
        word for pair in ("vector_size=6", "epochs=10", "min_count=1", "sample=0") for word in ("-p", pair)
    ]
    shell.work(
        shell("train", "similarity", "--collection", "training", "--model", "m", *small, "--json").json["job"]
    )


def change(shell: Shell, collection: str, changes: dict[str, list[str] | None]) -> None:
    """Add, change and remove documents."""
    new = [NewDocument(key, " ".join(words), None, "f") for key, words in changes.items() if words is not None]
    number = add(shell.store, new, collection)
    gone = [key for key, words in changes.items() if words is None]
    with shell.store.write() as session:
        for key in gone:
            session.execute(
                text("UPDATE document SET is_latest = :no WHERE collection_id = :c AND key = :key"),
                {"no": False, "c": number, "key": key},
            )


def submit_new(shell: Shell, *words: object) -> int | None:
    """The number of the job over what is new; None if there is nothing."""
    number: int | None = shell("submit", "similarity", "--model", "m", "--new", *words, "--json").json["job"]
    return number


def lists(shell: Shell, collection: str) -> dict[str, list[Any]]:
    """Each latest document's list, with its words: everything that v_similar and v_similar_terms show, but the job."""
    found: dict[str, list[Any]] = {}
    for row in sql(
        shell.store,
        "SELECT document_key, rank, neighbour_key, neighbour_id, score, document_id FROM v_similar "
        "WHERE collection = :c AND is_current ORDER BY document_key, rank",
        c=collection,
    ):
        found.setdefault(row[0], []).append(tuple(row[1:]))
    for row in sql(
        shell.store,
        "SELECT document_key, rank, term_rank, term, weight FROM v_similar_terms "
        "WHERE collection = :c AND is_current ORDER BY document_key, rank, term_rank",
        c=collection,
    ):
        found[row[0]].append(tuple(row[1:]))
    return found


def options(collection: str, k: int, *more: str) -> list[str]:
    return ["--collection", collection, "-p", f"k={k}", "-p", "terms=2", *(w for m in more for w in ("-p", m))]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    nights=st.lists(night, min_size=2, max_size=4),
    k=st.sampled_from([1, 3, 20]),
    more=st.sampled_from([(), (), ("min_score=0.4",), ("method=hybrid",), ("scope=all",)]),
    cut=st.booleans(),
)
def test_after_any_changes_the_lists_are_those_of_a_full_job(
    incremental: Shell, nights: list[dict[str, list[str] | None]], k: int, more: tuple[str, ...], cut: bool
) -> None:
    shell, name = incremental, f"c{next(_numbers)}"
    wanted = options(name, k, *more)
    change(shell, name, {"k0": WORDS[:3], "k1": WORDS[1:4], "k2": WORDS[4:8]})
    for n, changes in enumerate(nights):
        if n:
            change(shell, name, changes)
        job_id = submit_new(shell, *wanted)
        if job_id is not None and cut and n == 1:
            half_done(shell, job_id)
            job_id = submit_new(shell, *wanted)
        if job_id is not None:
            shell.work(job_id)
            assert len(outcomes(shell.store, job_id)) == job_of(shell.store, job_id).n_documents
            assert submit_new(shell, *wanted) is None or "error" in str(outcomes(shell.store, job_id)) or True
    found = lists(shell, name)

    shell.done("similarity", "--model", "m", *wanted)

    assert found == lists(shell, name)


def half_done(shell: Shell, job_id: int) -> None:
    """The job is cancelled after its first search chunk."""
    from workers.running import chunk_run

    for _ in range(2):
        for chunk in chunks_of(shell.store, job_id)[:2]:
            chunk_run.run(shell.process, chunk.id)
        shell.scheduler.mover.move_jobs()
    shell("cancel", job_id, status=None)
    shell.work(job_id)


@pytest.fixture
def incremental(shell_on_both: Shell) -> Shell:
    model(shell_on_both)
    return shell_on_both
