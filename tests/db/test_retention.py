"""Retention: what goes was superseded and is counted; what a view shows stays; nothing else can delete an outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from db import chunks, documents, jobs, model_versions, removal
from db.chunks import Written
from db.documents import NewDocument
from db.errors import NotFoundError
from db.fulltext import writing
from db.results import Rows
from db.retention import passes
from db.retention.policy import Policy, parse
from db.sql import now
from db.store import Store
from db.tables import (
    Export,
    ExportRow,
    Night,
    NightPlan,
    NightPlanPart,
    NightPlanStep,
    NightStep,
    Notification,
    Run,
    Schedule,
)
from scheduler import retention
from scheduler.search.indexing import index_all
from tests.db import builders
from tests.db.builders import a_job, add_documents, chunks_of, held, sql, submit, the_chunk
from tests.db.machines import OverAStore, run_on_postgres, run_on_sqlite
from workers import kinds

OLD = "90 d"


def _policy(words: str) -> Policy:
    return parse(words, "test.toml")


def _run(store: Store, words: str, folder: Path | None = None) -> Counter[str]:
    """Plan, then run: both count the same."""
    policy = _policy(words)
    planned = retention.plan(store, policy)
    done = retention.run(store, policy, folder or Path("/nonexistent"))
    assert planned == done
    return done


def _age(store: Store, job_id: int, days: int = 100) -> None:
    ago = f"datetime('now', '-{days} days')" if store.is_sqlite else f"now() - interval '{days} days'"
    ago = f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{days} days')" if store.is_sqlite else ago
    sql(store, f"UPDATE job SET finished_at = {ago} WHERE id = :j RETURNING 1", j=job_id)


def _done(
    store: Store, collection: int, *, codes: dict[str, str] | None = None, old: bool = True, **values: Any
) -> int:
    """A finished job in which each document has a summary, but those with an error's code."""
    job_id = submit(store, collection, **values).job_id
    for chunk in chunks_of(store, job_id):
        claim = held(store, chunk.id)
        with store.read() as session:
            keys = {row.id: row.key for row in documents.texts(session, claim.document_ids)}
        errors = [(id_, codes[key], "why") for id_, key in keys.items() if codes and key in codes]
        ok = [id_ for id_ in claim.document_ids if id_ not in {id_ for id_, *_ in errors}]
        rows = Rows(
            ("document_id", "summary", "method", "n_sentences"), [(id_, f"of {job_id}", "m", 1) for id_ in ok]
        )
        with store.write() as session:
            written = Written(ok, errors, {"summary": rows} if ok else {})
            chunks.write(session, claim, written, builders.LEASE, close=True)
    assert builders.finish(store, job_id)
    if old:
        _age(store, job_id)
    return job_id


def _outcomes(store: Store, job_id: int) -> int:
    return int(sql(store, "SELECT count(*) FROM outcome WHERE job_id = :j", j=job_id)[0][0])


def _adds_up(store: Store) -> bool:
    """n_ok and n_error of every ended job are those of its outcomes and of what was pruned."""
    rows = sql(
        store,
        "SELECT j.id, j.n_documents, j.n_ok, j.n_error, "
        "(SELECT count(*) FROM outcome o WHERE o.job_id = j.id AND o.state = 'ok') "
        "+ COALESCE((SELECT SUM(p.n_ok) FROM pruned p WHERE p.job_id = j.id), 0), "
        "(SELECT count(*) FROM outcome o WHERE o.job_id = j.id AND o.state = 'error') "
        "+ COALESCE((SELECT SUM(p.n_error) FROM pruned p WHERE p.job_id = j.id), 0) "
        "FROM job j WHERE j.state IN ('finished', 'cancelled')",
    )
    return all(
        n == ok + bad and ok == there_ok and bad == there_bad for _, n, ok, bad, there_ok, there_bad in rows
    )


def test_outcomes_that_a_newer_job_stands_for_are_pruned_and_counted(store: Store) -> None:
    collection = add_documents(store, 5)
    first = _done(store, collection, codes={"k0": "RUNNER_ERROR"})
    second = _done(store, collection)
    before = sql(store, "SELECT * FROM v_latest_summary ORDER BY document_key")
    done = _run(store, f"[outcomes]\nolder_than = '{OLD}'")
    assert done == {"outcomes": 5, "rows of summary": 4}
    assert (_outcomes(store, first), _outcomes(store, second)) == (0, 5)
    assert sql(store, "SELECT * FROM v_latest_summary ORDER BY document_key") == before
    assert sql(store, "SELECT job_id, policy, n_ok, n_error FROM v_pruned") == [
        (first, "outcomes older than 90 d", 4, 1)
    ]
    assert dict(sql(store, "SELECT job_id, n_pruned FROM v_job_progress")) == {first: 5, second: 0}
    assert _adds_up(store)
    assert _run(store, f"[outcomes]\nolder_than = '{OLD}'") == {}
    with store.read() as session:
        assert [account.adds_up for account in passes.accounts(session, 10)] == [True]


def test_a_newer_job_stands_for_one_from_before_its_kind_had_a_parameter(store: Store) -> None:
    collection = add_documents(store, 3)
    kind = kinds.find("summarize")
    every = asdict(kind.parameters())
    before = {name: value for name, value in every.items() if name != "diversity"}
    first = _done(store, collection, kind="summarize", parameters=before)
    _done(store, collection, kind="summarize", parameters=every | {"sentences": 9})
    assert _run(store, f"[outcomes]\nolder_than = '{OLD}'") == {}
    _done(store, collection, kind="summarize", parameters=every)
    assert _run(store, f"[outcomes]\nolder_than = '{OLD}'") == {"outcomes": 3, "rows of summary": 3}
    assert _outcomes(store, first) == 0


def test_what_is_young_or_among_the_last_or_of_another_sort_stays(store: Store) -> None:
    collection = add_documents(store, 3)
    old = [_done(store, collection) for _ in range(3)]
    cases = {
        "older_than = '101 d'": 0,
        "older_than = '90 d'\nkeep_last = 2": 3,
        "older_than = '90 d'\nkeep_last = 3": 0,
        "older_than = '90 d'\nstates = ['cancelled']": 0,
        "older_than = '90 d'\nkinds = ['summarize']": 0,
    }
    for words, n in cases.items():
        assert retention.plan(store, _policy(f"[outcomes]\n{words}"))["outcomes"] == n, words
    assert _run(store, "[outcomes]\nolder_than = '90 d'")["outcomes"] == 6
    assert _outcomes(store, old[-1]) == 3


def test_the_latest_result_of_each_document_stays(store: Store) -> None:
    """Of a document that no newer job had, that failed in it, whose text has changed since, or whose results another
    job with other parameters has."""
    collection = add_documents(store, 4)
    first = _done(store, collection)
    # k3 gets a new text, which nobody has processed: the view shows the summary of the old one.
    builders.add(store, [NewDocument("k3", "new", None, "f")])
    _done(store, collection, codes={"k0": "RUNNER_ERROR", "k3": "RUNNER_ERROR"})
    _done(store, collection, parameters={"batch": 7})
    before = sql(
        store, "SELECT collection, document_key, summary FROM v_latest_summary ORDER BY document_key"
    )
    _run(store, f"[outcomes]\nolder_than = '{OLD}'")
    assert (
        sql(store, "SELECT collection, document_key, summary FROM v_latest_summary ORDER BY document_key")
        == before
    )
    left = sql(
        store,
        "SELECT d.key, d.version FROM outcome o JOIN document d ON d.id = o.document_id WHERE o.job_id = :j ORDER BY 1",
        j=first,
    )
    assert left == [("k0", 1), ("k3", 1)]
    assert _adds_up(store)


def test_a_result_whose_successor_has_no_rows_stays(store: Store) -> None:
    """The newer job succeeded with the document and found nothing: the view still shows the older rows."""
    collection = add_documents(store, 2)
    first = _done(store, collection)
    second = submit(store, collection).job_id
    builders.write_ok(store, held(store, the_chunk(store, second).id))
    assert builders.finish(store, second)
    before = sql(store, "SELECT document_key, summary FROM v_latest_summary")
    _run(store, f"[outcomes]\nolder_than = '{OLD}'")
    assert sql(store, "SELECT document_key, summary FROM v_latest_summary") == before
    assert _outcomes(store, first) == 2


def test_new_only_and_quarantine_know_the_same_after_pruning(store: Store) -> None:
    collection = add_documents(store, 3)
    first = _done(store, collection, codes={"k0": "POISON"})
    _done(store, collection, codes={"k0": "CANCELLED", "k1": "RUNNER_ERROR"})
    _done(store, collection, codes={"k0": "CANCELLED", "k1": "RUNNER_ERROR"})
    _run(store, f"[outcomes]\nolder_than = '{OLD}'")
    # k0 has killed workers, k1 was done by the first job, k2 by the last.
    assert {key for key, _ in builders.outcomes(store, first).items()} == {"k0", "k1"}
    from db.errors import NothingToDoError

    with pytest.raises(NothingToDoError) as nothing:
        submit(store, collection, only_new=True)
    left_out = nothing.value.left_out
    assert left_out is not None
    assert (left_out.done, left_out.quarantined) == (2, 1)


def test_a_running_job_and_a_training_whose_model_is_there_keep_their_outcomes(store: Store) -> None:
    collection = add_documents(store, 2)
    training = _done(store, collection, kind="train-gated", model_ref="m")
    with store.write() as session:
        model_versions.register(session, training, "m/1", "s", {})
    _done(store, collection, kind="train-gated", model_ref="m")
    running = submit(store, collection, per_chunk=1).job_id
    builders.write_ok(store, held(store, chunks_of(store, running)[0].id))
    _done(store, collection)
    assert _run(store, f"[outcomes]\nolder_than = '{OLD}'") == {}
    assert (_outcomes(store, training), _outcomes(store, running)) == (2, 1)


def test_outcomes_of_removed_documents_are_pruned(store: Store) -> None:
    collection = add_documents(store, 2)
    first = _done(store, collection)
    with store.write() as session:
        removal.erase(session, collection, ["k0"], removal.start(session, collection))
    _done(store, collection)
    assert _run(store, f"[outcomes]\nolder_than = '{OLD}'")["outcomes"] == 2
    assert _outcomes(store, first) == 0
    assert _adds_up(store)


def test_nothing_else_can_delete_an_outcome(store: Store) -> None:
    collection = add_documents(store, 2)
    ended, running = _done(store, collection), submit(store, collection, per_chunk=1).job_id
    builders.write_ok(store, held(store, chunks_of(store, running)[0].id))
    opened = "INSERT INTO pruned (job_id, policy, n_ok, n_error, is_open, first_at, last_at) SELECT id, 'p', 0, 0, {}, "
    opened += "created_at, created_at FROM job WHERE id = {}"
    refused = [
        ("SELECT 1", "DELETE FROM outcome"),
        (opened.format("false", ended), f"DELETE FROM outcome WHERE job_id = {ended}"),
        (opened.format("true", running), f"DELETE FROM outcome WHERE job_id = {running}"),
        (opened.format("true", ended), "DELETE FROM outcome"),
        (opened.format("true", ended), f"UPDATE outcome SET state = 'ok' WHERE job_id = {ended}"),
    ]
    for first, second in refused:
        with store.read() as session:
            session.execute(text(first))
            with pytest.raises(DBAPIError):
                session.execute(text(second))
    assert (_outcomes(store, ended), _outcomes(store, running)) == (2, 1)
    # The database counts, whatever the statement says.
    with store.write() as session:
        session.execute(text(opened.format("true", ended)))
        session.execute(
            text(
                f"DELETE FROM outcome WHERE job_id = {ended} AND document_id = (SELECT min(id) FROM document)"
            )
        )
    [(n, there)] = sql(
        store, "SELECT n_ok, (SELECT count(*) FROM outcome WHERE job_id = pruned.job_id) FROM pruned"
    )
    assert n + there == 2


def test_chunks_of_old_jobs_go_and_their_outcomes_stay(store: Store) -> None:
    collection = add_documents(store, 4)
    first = _done(store, collection, per_chunk=1)
    _done(store, collection, per_chunk=1)
    assert _run(store, f"[chunks]\nolder_than = '{OLD}'") == {"chunks": 4}
    assert chunks_of(store, first) == []
    assert _outcomes(store, first) == 4
    assert sql(store, "SELECT n_ok, n_documents FROM v_job_progress WHERE job_id = :j", j=first) == [(4, 4)]


def test_texts_of_old_versions_go(store: Store) -> None:
    for words in ("first", "second", "third", "fourth"):
        builders.add(
            store, [NewDocument("k", words, None, "f"), NewDocument(f"only {words}", words, None, "f")]
        )
    collection = add_documents(store, 0)
    old = "'2020-01-01 00:00:00.000000'"
    sql(store, f"UPDATE document SET added_at = {old} RETURNING 1")
    waiting = submit(store, collection).job_id
    assert _run(store, f"[documents]\nolder_than = '{OLD}'") == {}
    builders.stop(store, waiting)
    assert builders.finish(store, waiting)
    assert (
        retention.plan(store, _policy(f"[documents]\nolder_than = '{OLD}'\nkeep_last = 3"))[
            "texts of old versions"
        ]
        == 1
    )
    assert _run(store, f"[documents]\nolder_than = '{OLD}'\nkeep_last = 2") == {"texts of old versions": 2}
    [(gone,)] = sql(store, "SELECT id FROM document WHERE key = 'k' AND version = 1")
    rows = sql(store, "SELECT version, text FROM document WHERE key = 'k' ORDER BY version")
    assert rows == [(1, ""), (2, ""), (3, "third"), (4, "fourth")]
    with store.read() as session:
        assert documents.existing(session, [gone]) == []
    assert sql(store, "SELECT count(*) FROM document WHERE text = ''") == [(2,)]


def _version(store: Store, collection: int, n: int, folder: Path) -> int:
    """A version of model m with a vector, trained long ago."""
    job_id = _done(store, collection, kind="train-gated", model_ref="m")
    (folder / "m" / str(n)).mkdir(parents=True)
    (folder / "m" / str(n) / "weights").write_text("w")
    with store.write() as session:
        model_versions.register(session, job_id, f"m/{n}", "s", {"accuracy": 0.5})
    [(id_,)] = sql(store, "SELECT id FROM model_version WHERE job_id = :j", j=job_id)
    sql(
        store,
        "UPDATE model_version SET created_at = '2020-01-01 00:00:00.000000' WHERE id = :v RETURNING 1",
        v=id_,
    )
    with store.write() as session:
        session.execute(
            text(
                "INSERT INTO document_vector (document_id, model_version_id, vector) SELECT id, :v, :b FROM document"
            ),
            {"v": id_, "b": b"1234"},
        )
    return int(id_)


def test_model_versions_that_nobody_needs_go(store: Store, tmp_path: Path) -> None:
    collection = add_documents(store, 2)
    versions = [_version(store, collection, n, tmp_path) for n in range(1, 8)]
    # 7 is the champion and 6 was it before; a job uses 2, a schedule names 3, 4 has an alias of its own.
    submit(store, collection, model_version_id=versions[1])
    with store.write() as session:
        model_versions.promote(session, "m@4", "stable")
        session.execute(
            text(
                "INSERT INTO schedule (name, cron, time_zone, requests, next_at, created_at) SELECT 'n', '0 1 * * *', "
                """'UTC', '[{"kind": "oracle", "collection": "news", "model": "m@3"}]', created_at, created_at """
                "FROM job LIMIT 1"
            )
        )
    done = _run(store, "[models]\nolder_than = '90 d'", tmp_path)
    assert done == {"model versions": 2, "rows of document_vector": 4}
    there = {path.name for path in (tmp_path / "m").iterdir()}
    assert there == {"2", "3", "4", "6", "7"}
    with store.read() as session:
        with pytest.raises(NotFoundError, match="deleted on"):
            model_versions.resolve(session, "m@1", "train-gated")
        assert model_versions.resolve(session, "m", "train-gated").version == 7
        listed = {
            each["version"]: each["pruned_at"] is not None for each in model_versions.listing(session, "m")
        }
    assert {version for version, pruned in listed.items() if pruned} == {1, 5}
    # A pass that was killed before it deleted the files.
    (tmp_path / "m" / "1").mkdir()
    assert _run(store, "[models]\nolder_than = '90 d'", tmp_path) == {}
    assert not (tmp_path / "m" / "1").exists()
    assert _run(store, "[vectors]\nolder_than = '90 d'", tmp_path) == {}


def test_no_folder_outside_the_models_folder_is_deleted(store: Store, tmp_path: Path) -> None:
    collection = add_documents(store, 1)
    models = tmp_path / "models"
    for n in range(1, 4):
        _version(store, collection, n, models)
    (tmp_path / "mine").mkdir()
    sql(store, "UPDATE model_version SET path = '../mine' WHERE version = 1 RETURNING 1")
    assert _run(store, "[models]\nolder_than = '90 d'", models)["model versions"] == 1
    assert (tmp_path / "mine").is_dir()


def test_runs_go_and_their_jobs_stay(store: Store) -> None:
    job_id = a_job(store, 1)
    builders.stop(store, job_id)
    assert builders.finish(store, job_id)
    sql(
        store,
        "INSERT INTO schedule (name, cron, time_zone, requests, next_at, created_at) SELECT 'n', '0 1 * * *', 'UTC', "
        "'[]', created_at, created_at FROM job RETURNING 1",
    )
    for day in (1, 2, 3):
        sql(
            store,
            "INSERT INTO run (schedule_id, due_at, fired_at) "
            f"SELECT id, '2020-01-0{day} 00:00:00.000000', created_at FROM schedule RETURNING 1",
        )
    sql(store, "UPDATE job SET run_id = (SELECT min(id) FROM run) RETURNING 1")
    assert _run(store, "[runs]\nolder_than = '90 d'") == {"runs": 2}
    assert sql(store, "SELECT count(*) FROM run") == [(1,)]
    assert sql(store, "SELECT run_id FROM job") == [(None,)]


OF_OLD = datetime(2020, 1, 1, tzinfo=UTC)


def _nights(store: Store) -> None:
    """Nights 1 to 5 of long ago, each with a plan; 2 was the last that was done, 5 is open. Plan 6 and 7 have none."""
    with store.write() as session:
        for number in range(1, 8):
            session.add(
                NightPlan(
                    id=number, name="n", file="", folder="", file_digest="", n_workers=0, created_at=OF_OLD
                )
            )
            session.flush()
            counts = dict.fromkeys(
                (
                    "n_unchanged",
                    "n_failed",
                    "n_quarantined",
                    "n_elsewhere",
                    "n_to_do",
                    "n_if_promoted",
                    "chars",
                ),
                0,
            )
            named = {"name": "add", "action": "add"}
            session.add(NightPlanStep(plan_id=number, step=1, parameters={}, **named, **counts))
            session.add(
                NightPlanPart(
                    plan_id=number,
                    step=1,
                    part=0,
                    reason="new",
                    n_documents=1,
                    document_ids=[],
                    coming=[["k", "0"]],
                )
            )
            if number > 5:
                continue
            state = {2: "done", 5: "running"}.get(number, "failed")
            ended = None if number == 5 else OF_OLD
            session.add(
                Night(id=number, name="n", file="", folder="", plan_id=number, state=state, finished_at=ended)
            )
            session.flush()
            session.add(NightStep(night_id=number, step=1, state="failed", **named))  # fmt: skip


def test_nights_and_plans_go_by_age_and_the_last_stay(store: Store) -> None:
    _nights(store)
    assert _run(store, "[nights]\nolder_than = '9999 d'") == {}
    assert retention.plan(store, _policy("[nights]\nolder_than = '90 d'\nkeep_last = 9")) == {}
    # Night 4 is the newest that has ended, 2 the last that was done; plans 6 (7 is newer), 1 and 3 go.
    assert _run(store, "[nights]\nolder_than = '90 d'\nkeep_last = 2") == {"nights": 2, "plans of nights": 2}
    assert sql(store, "SELECT id FROM night ORDER BY id") == [(2,), (4,), (5,)]
    assert sql(store, "SELECT night_id FROM night_step ORDER BY 1") == [(2,), (4,), (5,)]
    plans = [(2,), (4,), (5,), (6,), (7,)]
    assert sql(store, "SELECT id FROM night_plan ORDER BY id") == plans
    assert sql(store, "SELECT plan_id FROM night_plan_part ORDER BY 1") == plans
    assert _run(store, "[nights]\nolder_than = '90 d'") == {"nights": 1, "plans of nights": 2}
    assert sql(store, "SELECT id FROM night_plan ORDER BY id") == [(2,), (5,), (7,)]


def test_notifications_that_wait_and_exports_that_go_on_stay(store: Store) -> None:
    with store.write() as session:
        for state in ("pending", "sent", "dead"):
            session.add(
                Notification(
                    uid=state, owner="o", event="failed", key=state, destination="d", title="t", body="b", details={},
                    state=state, n_attempts=0, not_before=OF_OLD, give_up_at=OF_OLD, fence=0, created_at=OF_OLD,
                )
            )  # fmt: skip
        for name, attempt, when in (("old", 1, OF_OLD), ("going on", 2, OF_OLD), ("young", 1, None)):
            export = Export(
                name=name, query="", key_columns=[], attempt=attempt, completed=1, exported_at=when or now()
            )
            session.add(export)
            session.flush()
            session.add(ExportRow(export_id=export.id, key_hash=b"k", attempt=1, place=0, key=["k"]))
    assert _run(store, "[notifications]\nolder_than = '9999 d'\n[exports]\nolder_than = '9999 d'") == {}
    done = _run(store, "[notifications]\nolder_than = '90 d'\n[exports]\nolder_than = '90 d'")
    assert done == {"notifications": 2, "exports": 1, "rows of export_row": 1}
    assert sql(store, "SELECT state FROM notification") == [("pending",)]
    assert sorted(sql(store, "SELECT name FROM export")) == [("going on",), ("young",)]


def test_a_run_goes_without_its_night_and_stays_while_it_is_queued(store: Store) -> None:
    _nights(store)
    with store.write() as session:
        schedule = Schedule(name="s", cron="0 1 * * *", time_zone="UTC", requests=[], next_at=OF_OLD)
        session.add(schedule)
        session.flush()
        for hour, (state, night) in enumerate(
            [("failed", 1), ("running", 5), ("queued", None), ("succeeded", None)]
        ):
            run = Run(schedule_id=schedule.id, due_at=OF_OLD.replace(hour=hour), state=state)
            session.add(run)
            session.flush()
            if night is not None:
                session.execute(text("UPDATE night SET run_id = :r WHERE id = :n"), {"r": run.id, "n": night})
    assert _run(store, "[runs]\nolder_than = '90 d'") == {"runs": 1}
    assert sorted(sql(store, "SELECT state FROM run")) == [("queued",), ("running",), ("succeeded",)]
    assert sql(store, "SELECT run_id FROM night WHERE id = 1") == [(None,)]


def test_outcomes_are_deleted_by_ranges_with_few_statements(store: Store) -> None:
    """Whatever stands between: the number of statements depends on the steps, and not on the documents."""
    collection = add_documents(store, 60)
    first = _done(store, collection)
    _done(store, collection, codes={"k30": "RUNNER_ERROR"})
    # It has a part of the documents only, and is not asked first.
    newest = builders.add(store, [NewDocument("k30", "text 30", None, "f")])
    assert newest == collection
    n = Counter[str]()

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        n["statements"] += statement.lstrip().startswith(("SELECT", "DELETE", "INSERT", "UPDATE"))

    event.listen(store.engine, "before_cursor_execute", count)
    try:
        policy = _policy(f"[outcomes]\nolder_than = '{OLD}'")
        assert retention.run(store, policy, Path("/nonexistent"))["outcomes"] == 59
    finally:
        event.remove(store.engine, "before_cursor_execute", count)
    assert n["statements"] < 40
    assert builders.outcomes(store, first) == {"k30": "ok"}


def test_a_pass_that_is_interrupted_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_FIRST", 2)
    collection = add_documents(store, 9)
    first = _done(store, collection)
    _done(store, collection)

    def interrupt(counts: Counter[str]) -> None:
        if counts["outcomes"]:
            raise KeyboardInterrupt

    policy = _policy(f"[outcomes]\nolder_than = '{OLD}'")
    with pytest.raises(KeyboardInterrupt):
        retention.run(store, policy, Path("/nonexistent"), interrupt)
    assert 0 < _outcomes(store, first) < 9
    assert _adds_up(store)
    retention.run(store, policy, Path("/nonexistent"))
    assert _outcomes(store, first) == 0
    assert _adds_up(store)


# --- any order of jobs, results, changes, removals and passes -----------------------------------------------------


class Retention(OverAStore):
    """Nights over a few documents, with passes between them: the views show what they showed, and every job adds up."""

    def __init__(self) -> None:
        super().__init__()
        self.collection = add_documents(self.store, 4)
        self.n_texts = 0

    @rule(
        failed=st.sets(st.sampled_from(["k0", "k1", "k2", "k3"])),
        code=st.sampled_from(["RUNNER_ERROR", "POISON", "CANCELLED"]),
        parameters=st.sampled_from([{}, {"batch": 7}]),
        old=st.booleans(),
    )
    def night(self, failed: set[str], code: str, parameters: dict[str, Any], old: bool) -> None:
        with self.store.read() as session:
            if not documents.count(session, self.collection):
                return
        codes = dict.fromkeys(failed, code)
        _done(self.store, self.collection, codes=codes, old=old, parameters=parameters, per_chunk=3)

    @rule(key=st.sampled_from(["k0", "k1", "k2", "k3"]))
    def change(self, key: str) -> None:
        self.n_texts += 1
        builders.add(self.store, [NewDocument(key, f"text {self.n_texts} of {key}", None, "f")])

    @rule(key=st.sampled_from(["k0", "k1", "k2", "k3"]))
    def remove(self, key: str) -> None:
        with self.store.write() as session:
            removal.erase(session, self.collection, [key], removal.start(session, self.collection))

    @rule(keep=st.integers(1, 2), chunks=st.booleans())
    def prune(self, keep: int, chunks: bool) -> None:
        before = self._seen()
        words = f"[outcomes]\nolder_than = '90 d'\nkeep_last = {keep}\n"
        words += f"[chunks]\nolder_than = '90 d'\nkeep_last = {keep}\n" if chunks else ""
        _run(self.store, words)
        assert self._seen() == before

    def _seen(self) -> list[Any]:
        """What people see of documents, and what `--new` and quarantine ask."""
        summaries = sql(
            self.store, "SELECT * FROM v_latest_summary WHERE document_key NOT LIKE '(removed%' ORDER BY 2"
        )
        new: list[Any] = []
        for parameters in ({}, {"batch": 7}):
            try:
                with self.store.write() as session:
                    new.append(
                        jobs.submit(
                            session,
                            jobs.NewJob("oracle", parameters, self.collection, only_new=True),
                        ).n_documents
                    )
                    session.rollback()
            except Exception as error:
                new.append(getattr(error, "left_out", error))
        return [summaries, new]

    @invariant()
    def every_job_adds_up(self) -> None:
        assert _adds_up(self.store)

    @invariant()
    def nothing_stays_open(self) -> None:
        assert sql(self.store, "SELECT count(*) FROM pruned WHERE is_open") == [(0,)]


def test_no_order_of_nights_and_passes_changes_what_is_seen_on_sqlite(sqlite_template: Path) -> None:
    run_on_sqlite(Retention, sqlite_template, examples=12, steps=12)


def test_no_order_of_nights_and_passes_changes_what_is_seen_on_postgresql(postgres_store: Store) -> None:
    run_on_postgres(Retention, postgres_store, examples=4, steps=10)


def test_the_index_is_written_anew_once_a_pass_in_small_steps(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once in each step that erased something: that is the whole index each time."""
    store = sqlite_store
    for version in ("secretone", "secrettwo", "plain"):
        words = [" ".join(f"{version}{i}n{j}" for j in range(80)) for i in range(60)]
        builders.add(store, [NewDocument(f"k{i}", each, None, "f") for i, each in enumerate(words)])
        index_all(store)
    sql(store, "UPDATE document SET added_at = '2020-01-01 00:00:00.000000' RETURNING 1")
    monkeypatch.setattr(writing, "CLEAN_PAGES", 2)
    monkeypatch.setattr(retention, "_FIRST", 20)
    monkeypatch.setattr(retention, "_LEAST", 20)
    monkeypatch.setattr(retention, "_MOST", 20)
    cleaned: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO search_text (search_text"):
            cleaned.append(statement)

    event.listen(store.engine, "before_cursor_execute", count)
    assert _run(store, f"[documents]\nolder_than = '{OLD}'") == {"texts of old versions": 120}
    assert len(cleaned) > 3
    assert not any("optimize" in each for each in cleaned)
    [(segments,)] = sql(store, "SELECT count(DISTINCT segid) FROM search_text_idx")
    assert segments == 1
    cleaned.clear()
    assert _run(store, f"[documents]\nolder_than = '{OLD}'") == {}
    assert cleaned == []  # there is nothing to do
    file = store.file
    assert file is not None
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"secretone" not in file.read_bytes()
