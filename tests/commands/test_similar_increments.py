"""Similarity by increments: `submit similarity --new` leaves the lists that a job over all documents makes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from db.chunks import ChunkSize
from db.documents import NewDocument
from db.tables import Job
from nlp_tasks.similarity import NeighbourRow
from nlp_tasks.similarity.search_runner import Searcher
from scheduler import requests
from tests.commands.conftest import Shell
from tests.db.builders import add, chunks_of, job_of, let_backoffs_pass, outcomes, sql
from workers.running import chunk_run

WORDS = [
    "harbour",
    "ferry",
    "storm",
    "engine",
    "bakery",
    "bread",
    "oven",
    "flour",
    "금리",
    "은행",
    "대출",
    "예금",
]
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
    texts = [" ".join([*WORDS[i % 3 * 4 : i % 3 * 4 + 4], WORDS[i % 12]]) for i in range(36)]
    add(shell.store, [NewDocument(f"t{i}", text, None, "t") for i, text in enumerate(texts)], "training")
    small = [
        word for pair in ("vector_size=6", "epochs=10", "min_count=1", "sample=0") for word in ("-p", pair)
    ]
    shell.work(
        shell("train", "similarity", "--collection", "training", "--model", "m", *small, "--json").json["job"]
    )


def change(shell: Shell, collection: str, changes: dict[str, list[str] | None]) -> None:
    """Add, change and remove documents."""
    new = [
        NewDocument(key, " ".join(words), None, "f") for key, words in changes.items() if words is not None
    ]
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
    return [
        "--collection",
        collection,
        "-p",
        f"k={k}",
        "-p",
        "terms=2",
        *(w for m in more for w in ("-p", m)),
    ]


@pytest.fixture
def incremental(shell_on_both: Shell) -> Shell:
    model(shell_on_both)
    return shell_on_both


def test_only_what_is_new_and_the_lists_that_it_changes_are_searched(incremental: Shell) -> None:
    """A document that is new, one that lost a neighbour, one to which the new one is nearer; all others stay."""
    shell = incremental
    sea, bread, money = WORDS[:4], WORDS[4:8], WORDS[8:]
    first = {f"k{i}": (sea, bread, money)[i % 3][: 2 + i // 3 % 3] for i in range(9)}
    change(shell, "inbox", dict(first))
    full = shell.work(submit_new(shell, *options("inbox", 2)) or 0)
    before = lists(shell, "inbox")

    change(shell, "inbox", {"new": sea[:3], "k4": None})
    job_id = shell.work(submit_new(shell, *options("inbox", 2)) or 0)

    after = lists(shell, "inbox")
    lost = {key for key, rows in before.items() if any("k4" in row for row in rows)} - {"k4"}
    assert set(outcomes(shell.store, job_id)) == {"new"} | lost
    written = {
        key
        for (key,) in sql(
            shell.store,
            "SELECT DISTINCT d.key FROM neighbour n JOIN document d ON d.id = n.document_id WHERE n.job_id = :j",
            j=job_id,
        )
    }
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed <= written < set(after)
    assert {"new"} | lost <= changed
    assert changed - {"new"} - lost, "no list of another document was entered by the new one"
    assert not any("k4" in row for rows in after.values() for row in rows)
    assert "nothing to do" in shell("submit", "similarity", "--model", "m", "--new", *options("inbox", 2)).out
    assert full < job_id


def test_a_list_is_filled_and_one_that_became_empty_is_shown_as_empty(incremental: Shell) -> None:
    shell = incremental
    change(shell, "inbox", {"k0": WORDS[:4], "k1": WORDS[:3]})
    shell.work(submit_new(shell, *options("inbox", 2)) or 0)
    assert [row["neighbour_key"] for row in shell("similar", "k0", "--json").json] == ["k1"]
    # There is room in the list of k0: even a document that is far away enters it.
    change(shell, "inbox", {"k2": WORDS[8:]})
    shell.work(submit_new(shell, *options("inbox", 2)) or 0)
    assert [row["neighbour_key"] for row in shell("similar", "k0", "--json").json] == ["k1", "k2"]

    change(shell, "inbox", {"k1": None, "k2": None})
    shell.work(submit_new(shell, *options("inbox", 2)) or 0)

    assert shell("similar", "k0", "--json").json == []
    assert lists(shell, "inbox") == {}


def test_a_list_from_which_a_removal_took_a_neighbour_is_filled_again(incremental: Shell) -> None:
    """No row names the removed document any more; the list is marked."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(10)})
    shell.work(submit_new(shell, *wanted) or 0)
    gone = shell("similar", "k0", "--json").json[0]["neighbour_key"]
    shell("documents", "remove", "--collection", "inbox", gone, "--yes")
    assert len(shell("similar", "k0", "--json").json) == 1
    shell.work(submit_new(shell, *wanted) or 0)
    found = lists(shell, "inbox")
    assert all(sum(len(row) == 5 for row in rows) == 2 for rows in found.values())
    assert submit_new(shell, *wanted) is None
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


def test_a_second_job_over_new_documents_waits_for_the_first(incremental: Shell) -> None:
    """It reads the lists that the first one writes. It goes on even if the first one is cancelled."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {"k0": WORDS[:4], "k1": WORDS[:3], "k2": WORDS[1:4]})
    shell.work(submit_new(shell, *wanted) or 0)
    change(shell, "inbox", {"k3": WORDS[:2]})
    first = submit_new(shell, *wanted) or 0
    change(shell, "inbox", {"k4": WORDS[:2]})
    second = submit_new(shell, *wanted) or 0
    assert job_of(shell.store, second).after_job_id == first
    assert job_of(shell.store, second).state == "waiting"
    shell("cancel", first, status=None)
    shell.work(first)

    shell.work(second)
    assert outcomes(shell.store, second) == {"k4": "ok"}
    third = submit_new(shell, *wanted) or 0
    shell.work(third)
    found = lists(shell, "inbox")
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


def test_a_job_over_some_documents_waits_for_the_vectors_of_all(incremental: Shell) -> None:
    """The first job has not made them when the second one is submitted, which would search among those that are
    there."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(8)})
    first = shell("submit", "similarity", "--model", "m", *wanted, "--json").json["job"]
    second = shell("submit", "similarity", "--model", "m", "--where", "key = 'k0'", *wanted, "--json").json[
        "job"
    ]
    assert job_of(shell.store, second).state == "waiting"
    shell.work(first)
    shell.work(second)
    found = lists(shell, "inbox")
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


@pytest.mark.parametrize("scope", ["collection", "all"])
def test_a_retry_waits_for_the_vectors_of_all(incremental: Shell, scope: str) -> None:
    """A retry takes some documents, too: those that failed."""
    shell, wanted = incremental, options("inbox", 2, f"scope={scope}")
    change(shell, "inbox", {"k0": WORDS[:3]})
    failed = shell("submit", "similarity", "--model", "m", *wanted, "--json").json["job"]
    shell("cancel", failed)
    shell.work(failed)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(1, 8)})
    first = shell("submit", "similarity", "--model", "m", *wanted, "--json").json["job"]
    second = shell("retry", failed, "--json").json["job"]
    assert job_of(shell.store, second).state == "waiting"
    shell.work(first)
    shell.work(second)
    found = lists(shell, "inbox")
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


def test_a_job_over_some_documents_goes_on_after_one_that_was_cancelled(incremental: Shell) -> None:
    """It waits while the other one is paused, and for its end, however that comes."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(8)})
    first = shell("submit", "similarity", "--model", "m", *wanted, "--json").json["job"]
    some = ["--where", "key = 'k0'"]
    second = shell("submit", "similarity", "--model", "m", *some, *wanted, "--json").json["job"]
    shell("pause", first)
    shell.scheduler.mover.move_jobs()
    assert job_of(shell.store, second).state == "waiting"
    assert f"waiting for job {first}" in shell("status", second).out
    shell("cancel", first)
    shell.work(second)
    assert outcomes(shell.store, second) == {"k0": "ok"}


def test_a_job_over_some_documents_that_was_started_out_of_turn_searches_later(incremental: Shell) -> None:
    """With --after, it waits for another job than the one that makes its vectors."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(8)})
    other = shell.done("summarize", "--collection", "training")
    first = shell("submit", "similarity", "--model", "m", *wanted, "--json").json["job"]
    some = ["--where", "key = 'k0'", "--after", other]
    second = shell("submit", "similarity", "--model", "m", *some, *wanted, "--json").json["job"]
    shell.scheduler.mover.move_jobs()
    infer, search = (chunk.id for chunk in chunks_of(shell.store, second))
    chunk_run.run(shell.process, infer)
    shell.scheduler.mover.move_jobs()
    chunk_run.run(shell.process, search)
    assert outcomes(shell.store, second) == {}
    shell.work(first)
    let_backoffs_pass(shell.store)
    shell.work(second)
    found = lists(shell, "inbox")
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


@pytest.mark.parametrize(
    "bad",
    [NeighbourRow(7, 1, float("nan")), NeighbourRow(1 << 80, 1, 0.5), NeighbourRow(7, 1, [0.5])],  # type: ignore[arg-type]
    ids=["no number", "a number that no column holds", "a list"],
)
def test_a_new_document_without_a_result_takes_no_updates_of_others_with_it(
    incremental: Shell, monkeypatch: pytest.MonkeyPatch, bad: NeighbourRow
) -> None:
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(8)})
    shell.work(submit_new(shell, *wanted) or 0)
    before = lists(shell, "inbox")
    change(shell, "inbox", {"new": WORDS[:3], "newer": WORDS[1:4]})
    run = Searcher.run

    def with_a_bad_row(self: Searcher, documents: Any) -> Any:
        found = zip(documents, run(self, documents), strict=True)
        return [[*result, bad] if each.key == "new" else result for each, result in found]  # type: ignore[misc]

    with monkeypatch.context() as patched:
        patched.setattr(Searcher, "run", with_a_bad_row)
        job_id = shell.work(submit_new(shell, *wanted) or 0)
    assert outcomes(shell.store, job_id) == {"new": "BAD_RESULT", "newer": "ok"}
    found = lists(shell, "inbox")
    assert {key for key in before if found[key] != before[key]}
    shell.done("similarity", "--model", "m", *wanted)
    assert found == {key: rows for key, rows in lists(shell, "inbox").items() if key != "new"}


def test_what_a_cancelled_job_over_all_documents_left_is_taken_by_the_next_one(
    incremental: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a list from before, which lacks the new documents that the cancelled job came to: these are not new any
    more."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(8)})
    shell.work(submit_new(shell, *wanted) or 0)
    change(shell, "inbox", {"k8": WORDS[:3], "k9": WORDS[1:4]})
    with monkeypatch.context() as patched:
        patched.setattr(requests, "ChunkSize", lambda *_: ChunkSize(8, 10**6))
        cancelled = shell("submit", "similarity", "--model", "m", *wanted, "--json").json["job"]
    infer_first, infer_last, _, search_last = (chunk.id for chunk in chunks_of(shell.store, cancelled))
    for some in ((infer_first, infer_last), (search_last,)):
        for chunk in some:
            chunk_run.run(shell.process, chunk)
        shell.scheduler.mover.move_jobs()
    shell("cancel", cancelled, status=None)
    shell.work(cancelled)
    assert {key for key, code in outcomes(shell.store, cancelled).items() if code == "ok"} == {"k8", "k9"}

    job_id = shell.work(submit_new(shell, *wanted) or 0)
    assert set(outcomes(shell.store, job_id)) == {f"k{i}" for i in range(8)}
    assert submit_new(shell, *wanted) is None
    found = lists(shell, "inbox")
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


def test_a_job_from_before_a_parameter_was_there_is_built_upon(incremental: Shell) -> None:
    """What counts as done for --new is what the lists are merged into: its results stand by the same rule."""
    shell, wanted = incremental, options("inbox", 2)
    change(shell, "inbox", {f"k{i}": WORDS[i % 8 : i % 8 + 3] for i in range(10)})
    old = shell.work(submit_new(shell, *wanted) or 0)
    with shell.store.write() as session:
        job = session.get_one(Job, old)
        job.parameters = {name: value for name, value in job.parameters.items() if name != "scope"}
    change(shell, "inbox", {"new": WORDS[:3]})
    new = shell.work(submit_new(shell, *wanted) or 0)
    assert set(outcomes(shell.store, new)) == {"new"}
    found = lists(shell, "inbox")
    assert any("new" in row for key, rows in found.items() if key != "new" for row in rows)
    shell.done("similarity", "--model", "m", *wanted)
    assert found == lists(shell, "inbox")


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    nights=st.lists(night, min_size=2, max_size=3),
    k=st.sampled_from([1, 3, 20]),
    more=st.sampled_from([(), (), ("min_score=0.4",), ("method=doc2vec",), ("scope=all",)]),
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
    found = lists(shell, name)

    shell.done("similarity", "--model", "m", *wanted)

    assert found == lists(shell, name)


def half_done(shell: Shell, job_id: int) -> None:
    """The job is cancelled after its first search chunk."""
    for _ in range(2):
        for chunk in chunks_of(shell.store, job_id)[:2]:
            chunk_run.run(shell.process, chunk.id)
        shell.scheduler.mover.move_jobs()
    shell("cancel", job_id, status=None)
    shell.work(job_id)
