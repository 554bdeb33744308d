"""Removing documents: nothing of them is left but that they were processed, whatever happens at the same moment."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Text, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from db import chunks, documents, files, labels, removal
from db.chunks import Written
from db.documents import Added, NewDocument
from db.errors import ConflictError, NotFoundError
from db.labels import Given
from db.removal import unnaming
from db.results import Rows
from db.states import ErrorCode
from db.store import Store
from db.tables import (
    Base,
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
from scheduler import removing
from tests.db import builders
from tests.db.builders import (
    add,
    add_documents,
    chunks_of,
    held,
    job_of,
    outcomes,
    sql,
    submit,
    the_chunk,
    write_ok,
)

SECRET = "Geheimnis-7431"


def _remove(store: Store, keys: list[str], collection: str = "news") -> removing.Removed:
    with store.read() as session:
        chosen = removing.chosen(session, collection, keys)
    return removing.remove(store, chosen)


def _plan(store: Store, keys: list[str], collection: str = "news") -> removing.Removed:
    with store.read() as session:
        return removing.plan(store, removing.chosen(session, collection, keys))


def _holding(store: Store, words: str) -> list[str]:
    """Every table and column in which a value holds these words, with any capitals; of SQLite the file too."""
    found = []
    with store.read() as session:
        for name in inspect(session.connection()).get_table_names():
            for row in session.execute(text(f"SELECT * FROM {name}")).mappings():
                found += [f"{name}.{column}" for column, value in row.items() if words in _as_text(value)]
    if store.file is not None:
        for path in store.file.parent.glob(f"{store.file.name}*"):
            found += [path.name] if words.encode() in path.read_bytes() else []
    return found


def _as_text(value: Any) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, (bytes, memoryview)) else str(value)


def _fill(store: Store, job_id: int, document_id: int, neighbour_id: int, version_id: int) -> None:
    """A row about the document, full of what it says, in every table that has such rows."""
    referred = {"job": job_id, "document": neighbour_id, "model_version": version_id}
    with store.write() as session:
        for table in Base.metadata.sorted_tables:
            if "document_id" not in table.c or table.name == "outcome":
                continue
            row: dict[str, Any] = {}
            for column in table.c:
                if isinstance(column.type, (Text, LargeBinary)):
                    row[column.name] = SECRET if isinstance(column.type, Text) else SECRET.encode()
                elif column.foreign_keys:
                    row[column.name] = referred[next(iter(column.foreign_keys)).column.table.name]
                elif column.name.endswith("_at"):
                    row[column.name] = documents.clock(session)
                else:
                    row[column.name] = 1
            session.execute(insert(table), row | {"document_id": document_id})


def _everything(store: Store) -> tuple[int, int, int]:
    """A store in which a document has left its traces everywhere; returns (job, the document, another)."""
    secret = NewDocument(f"{SECRET}.pdf", f"{SECRET} in the text", f"{SECRET}", f"{SECRET}.pdf:1")
    other = NewDocument("other", "nothing to hide", None, "o:1")
    collection = add(store, [NewDocument(secret.key, f"older {SECRET}", None, "o")])
    add(store, [secret, other])
    with store.write() as session:
        labels.give(session, collection, [Given(secret.key, (SECRET,), SECRET)])
    job_id = submit(store, collection).job_id
    claim = held(store, the_chunk(store, job_id).id)
    details = (f"cannot read {SECRET}", "cannot read the other one")
    errors = [(id_, "RUNNER_ERROR", why) for id_, why in zip(claim.document_ids, details, strict=True)]
    with store.write() as session:
        chunks.write(session, claim, Written(errors=errors), builders.LEASE, close=True)
    assert builders.finish(store, job_id)
    latest = sql(store, "SELECT key, id FROM document WHERE is_latest")
    ids = dict(latest)
    sql(
        store,
        "INSERT INTO model (name, kind, created_at) VALUES ('m', 'train', :t) RETURNING id",
        t=_now(store),
    )
    ((version,),) = sql(
        store,
        "INSERT INTO model_version (model_id, version, job_id, path, manifest_sha256, parameters, created_at) "
        "SELECT id, 1, :job, 'p', 's', '{}', created_at FROM model RETURNING id",
        job=job_id,
    )
    _fill(store, job_id, ids[secret.key], ids["other"], version)
    _fill_beside(store, secret.key)
    return job_id, ids[secret.key], ids["other"]


def _fill_beside(store: Store, key: str) -> None:
    """Rows that name the document without its number: of nights, exports and notifications."""
    words = f"add: 2 are to do now and were not ({key}, other)"
    with store.write() as session:
        moment = documents.clock(session)
        plan = NightPlan(name="n", file="", folder="", file_digest="", n_workers=0)
        schedule = Schedule(name="n", cron="0 1 * * *", time_zone="UTC", requests=[], next_at=moment)
        export = Export(name="e", query="q", key_columns=["key"], attempt=1, completed=1)
        session.add_all([plan, schedule, export])
        session.flush()
        run = Run(schedule_id=schedule.id, due_at=moment, fault=words, note=words, ended_at=moment)
        night = Night(name="n", file="", folder="", plan_id=plan.id, state="failed", note=words)
        counts = dict.fromkeys(
            ("n_unchanged", "n_failed", "n_quarantined", "n_elsewhere", "n_to_do", "n_if_promoted", "chars"),
            0,
        )
        session.add_all([run, night])
        session.flush()
        session.add_all(
            [
                NightPlanStep(
                    plan_id=plan.id, step=1, name="add", action="add", parameters={}, note=words, **counts
                ),
                NightPlanPart(
                    plan_id=plan.id, step=1, part=0, reason="new", n_documents=2, document_ids=[],
                    coming=[[key, "00"], ["other", "11"]],
                ),
                NightStep(night_id=night.id, step=1, name="add", action="add", state="failed", note=words),
                Notification(
                    uid="u", owner="o", event="failed", key="failed run 1", destination="d", title=words, body=words,
                    details={}, state="sent", n_attempts=1, not_before=moment, give_up_at=moment, fence=1, fault=words,
                ),
                *(
                    ExportRow(
                        export_id=export.id, key_hash=of.encode(), attempt=1, place=place, row_hash=b"r", key=[of]
                    )
                    for place, of in enumerate((key, "other"))
                ),
            ]
        )  # fmt: skip


def _now(store: Store) -> Any:
    with store.read() as session:
        moment = documents.clock(session)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f") if store.is_sqlite else moment


def test_nothing_of_a_removed_document_is_left(store: Store) -> None:
    _, secret, other = _everything(store)
    places = {place.split(".")[0] for place in _holding(store, SECRET)}
    assert places > {
        "document",
        "outcome",
        "job",
        "given_label",
        "summary",
        "neighbour_term",
        "document_vector",
        "night",
        "night_plan_part",
        "night_plan_step",
        "night_step",
        "export_row",
        "notification",
        "run",
        "extraction_section",
        "extraction_table_row",
    }
    removed = _remove(store, [f"{SECRET}.pdf"])
    assert (removed.found.n_documents, removed.found.n_versions, removed.unknown) == (1, 2, [])
    assert _holding(store, SECRET) == []
    rows = sql(
        store,
        "SELECT id, key, version, is_latest, text FROM document WHERE erased_at IS NOT NULL ORDER BY id",
    )
    assert [(key, version, bool(latest), body) for _, key, version, latest, body in rows] == [
        (f"(removed {id_})", 0, False, "") for id_, *_ in rows
    ]
    assert secret in {row.id for row in rows}
    assert other not in {row.id for row in rows}
    # What they say of other documents stays.
    words = "add: 2 are to do now and were not ((removed), other)"
    for place in ("night.note", "night_step.note", "night_plan_step.note", "run.fault", "notification.body"):
        table, column = place.split(".")
        assert sql(store, f"SELECT {column} FROM {table}") == [(words,)]
    with store.read() as session:
        assert list(session.scalars(select(NightPlanPart.coming))) == [[["other", "11"]]]
        assert list(session.scalars(select(ExportRow.key))) == [["other"]]


def test_only_whole_keys_that_are_no_common_words_are_unnamed_in_messages() -> None:
    finder = unnaming.Finder(["report", "report-7.pdf", "1204", "a", "한글문서", "((!?))"])
    for said, left in {
        "job 1204: report-7.pdf, report and reports": "job 1204: (removed), (removed) and reports",
        "a 한글문서 (한글문서)": "a (removed) ((removed))",
        "((!?)) went": "(removed) went",
    }.items():
        assert finder.without(said) == left


def test_a_removal_that_is_killed_has_unnamed_what_it_erased(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _everything(store)
    monkeypatch.setattr(removing, "sweep", _killed)
    monkeypatch.setattr(removal, "next_keys", _no_end(removal.next_keys))
    with pytest.raises(KeyboardInterrupt):
        _remove(store, [f"{SECRET}.pdf"])
    assert _holding(store, SECRET) == []


def _no_end(next_keys: Any) -> Any:
    """As `next_keys`, but the process is killed when there are no more."""

    def until_killed(*arguments: Any) -> Any:
        return next_keys(*arguments) or _killed()

    return until_killed


def test_the_outcomes_of_a_removed_document_stay(store: Store) -> None:
    job_id, *_ = _everything(store)
    before = sql(
        store, "SELECT job_id, document_id, state, error_code, written_at FROM outcome ORDER BY document_id"
    )
    assert _remove(store, [f"{SECRET}.pdf"]).found.n_outcomes == 1
    after = sql(
        store, "SELECT job_id, document_id, state, error_code, written_at FROM outcome ORDER BY document_id"
    )
    assert after == before
    job = job_of(store, job_id)
    assert (job.n_ok or 0) + (job.n_error or 0) == job.n_documents == len(after)
    assert (
        sql(store, "SELECT document_key, error_code FROM v_failures WHERE document_key LIKE '(removed %'")
        != []
    )


def test_a_plan_says_what_a_removal_does_and_changes_nothing(store: Store) -> None:
    _everything(store)
    keys = [f"{SECRET}.pdf", "nobody"]
    before = _holding(store, SECRET)
    planned = _plan(store, keys)
    assert _holding(store, SECRET) == before
    removed = _remove(store, keys)
    assert planned.found == removed.found
    assert planned.unknown == removed.unknown == ["nobody"]
    assert planned.found.rows["summary"] == 1
    assert (planned.done, removed.done) == (False, True)


def test_a_key_that_is_added_again_begins_anew(store: Store) -> None:
    collection = add_documents(store, 2)
    first = submit(store, collection).job_id
    write_ok(store, held(store, the_chunk(store, first).id))
    for _ in range(2):
        assert _remove(store, ["k0"]).found.n_documents == 1
        assert _remove(store, ["k0"]).unknown == ["k0"]
        with store.write() as session:
            again = documents.add(session, collection, [NewDocument("k0", "text 0", None, "f")])
        assert again == Added(n_new=1)
        assert sql(store, "SELECT version FROM document WHERE key = 'k0'") == [(1,)]
    # No job like the first one has done it.
    assert submit(store, collection, only_new=True).n_documents == 1


def test_a_key_like_that_of_a_removed_document_is_another_document(store: Store) -> None:
    add_documents(store, 1)
    ((id_,),) = sql(store, "SELECT id FROM document")
    _remove(store, ["k0"])
    collection = add(store, [NewDocument(f"(removed {id_})", "mine", None, "f")])
    assert _plan(store, [f"(removed {id_})"]).found.n_versions == 1
    with store.read() as session:
        assert documents.count(session, collection) == 1


def test_a_removed_document_gets_one_outcome_from_a_job_that_still_has_it(store: Store) -> None:
    """Removed before its chunk is claimed, while a worker has it, and after it is done."""
    job_id = submit(store, add_documents(store, 6), per_chunk=2).job_id
    done, running, waiting = (chunk.id for chunk in chunks_of(store, job_id))
    write_ok(store, held(store, done))
    claim = held(store, running)
    removed = _remove(store, ["k0", "k2", "k4"])
    assert [(job.id, job.kind) for job in removed.jobs] == [(job_id, "oracle")]
    with store.write() as session:
        rows = Rows(
            ("document_id", "summary", "method", "n_sentences"),
            [(id_, SECRET, "m", 1) for id_ in claim.document_ids],
        )
        made = [(id_, NewDocument(f"made of {id_}", "text", None, "f")) for id_ in claim.document_ids]
        written = chunks.write(
            session,
            claim,
            Written(claim.document_ids, rows={"summary": rows}, made=made),
            builders.LEASE,
            close=True,
        )
    assert [error[:2] for error in written.errors] == [(claim.document_ids[0], ErrorCode.REMOVED)]
    assert sql(store, "SELECT document_id FROM summary") == [(claim.document_ids[1],)]
    assert sql(store, "SELECT key FROM document WHERE key LIKE 'made%'") == [
        (f"made of {claim.document_ids[1]}",)
    ]
    claim = held(store, waiting)
    with store.read() as session:
        there = [row.id for row in documents.texts(session, claim.document_ids)]
    assert there == claim.document_ids[1:] == _existing(store, claim.document_ids)
    write_ok(store, claim)
    assert builders.finish(store, job_id)
    assert sorted(outcomes(store, job_id).values()) == ["REMOVED", "REMOVED", "ok", "ok", "ok", "ok"]


def _existing(store: Store, ids: list[int]) -> list[int]:
    with store.read() as session:
        return documents.existing(session, ids)


def test_no_list_of_neighbours_names_a_removed_document(store: Store) -> None:
    collection = add_documents(store, 3)
    job_id = submit(store, collection).job_id
    claim = held(store, the_chunk(store, job_id).id)
    first, second, third = claim.document_ids

    def found(of: int, *near: int) -> dict[str, Rows]:
        return {
            "neighbour": Rows(
                ("document_id", "rank", "neighbour_id", "score"),
                [(of, i, n, 0.5) for i, n in enumerate(near, 1)],
            ),
            "neighbour_term": Rows(
                ("document_id", "neighbour_rank", "rank", "term", "weight"),
                [(of, i, 1, f"word {n}", 0.5) for i, n in enumerate(near, 1)],
            ),
        }

    with store.write() as session:
        chunks.write(
            session, claim, Written([first], rows=found(first, second, third)), builders.LEASE, close=False
        )
    _remove(store, ["k1"])
    # A worker that had loaded the vectors before.
    with store.write() as session:
        chunks.write(
            session, claim, Written([third], rows=found(third, second, first)), builders.LEASE, close=False
        )
    assert sql(store, "SELECT document_id, rank, neighbour_id FROM neighbour ORDER BY document_id") == [
        (first, 2, third),
        (third, 2, first),
    ]
    assert sorted(sql(store, "SELECT term FROM neighbour_term")) == [(f"word {first}",), (f"word {third}",)]
    assert sql(store, "SELECT count(*) FROM removal WHERE ended_at IS NULL") == [(0,)]


def test_a_list_that_is_written_after_a_removal_is_marked_and_does_not_name_the_document(
    store: Store,
) -> None:
    """Its worker had loaded the vectors before. Both a list of the job's own document and one of another."""
    collection = add_documents(store, 4)
    job_id = submit(store, collection).job_id
    first, second, third, fourth = the_chunk(store, job_id).document_ids
    newer = held(store, the_chunk(store, submit(store, collection, document_ids=(third,)).job_id).id)

    def found(of: int, *near: int) -> dict[str, Rows]:
        return {
            "neighbour": Rows(
                ("document_id", "rank", "neighbour_id", "score"),
                [(of, i, n, 0.5) for i, n in enumerate(near, 1)],
            ),
            "neighbour_term": Rows(
                ("document_id", "neighbour_rank", "rank", "term", "weight"),
                [(of, i, 1, SECRET if n == second else "word", 0.5) for i, n in enumerate(near, 1)],
            ),
            "neighbour_list": Rows(("document_id", "least", "bound", "stored"), [(of, 0.5, 0.5, b"")]),
        }

    _remove(store, ["k1"])
    about = {
        table: replace(rows, values=[*rows.values, *found(second, first)[table].values], skip_existing=True)
        for table, rows in found(first, second, fourth).items()
    }
    with store.write() as session:
        written = Written([third], rows=found(third, second), about_others=about)
        chunks.write(session, newer, written, builders.LEASE, close=True)
    assert sql(store, "SELECT document_id, neighbour_id FROM neighbour") == [(first, fourth)]
    assert _holding(store, SECRET) == []
    marked = sql(store, "SELECT document_id, is_cut FROM neighbour_list ORDER BY document_id")
    assert [(id_, bool(is_cut)) for id_, is_cut in marked] == [(first, True), (third, True)]


def test_words_of_a_list_that_another_documents_job_wrote_go_with_the_document(store: Store) -> None:
    """A job over new documents writes the lists of others too, of which it has no outcome."""
    collection = add_documents(store, 2)
    job_id = submit(store, collection).job_id
    first, second = the_chunk(store, job_id).document_ids
    other = submit(store, collection, document_ids=(second,)).job_id
    new = held(store, the_chunk(store, other).id)
    about = {
        "neighbour": Rows(("document_id", "rank", "neighbour_id", "score"), [(first, 1, second, 0.5)]),
        "neighbour_term": Rows(
            ("document_id", "neighbour_rank", "rank", "term", "weight"), [(first, 1, 1, SECRET, 0.5)]
        ),
        "neighbour_list": Rows(("document_id", "least", "bound", "stored"), [(first, 0.5, 0.5, b"")]),
    }
    with store.write() as session:
        chunks.write(session, new, Written(new.document_ids, about_others=about), builders.LEASE, close=True)
    assert builders.finish(store, other)
    _remove(store, ["k0"])
    assert _holding(store, SECRET) == []


def test_the_sweep_of_a_removal_that_was_killed_is_made_up_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = add_documents(store, 3)
    job_id = submit(store, collection).job_id
    claim = held(store, the_chunk(store, job_id).id)
    first, second, _ = claim.document_ids
    near = Rows(("document_id", "rank", "neighbour_id", "score"), [(first, 1, second, 0.5)])
    with store.write() as session:
        chunks.write(session, claim, Written([first], rows={"neighbour": near}), builders.LEASE, close=False)
    with monkeypatch.context() as patched:
        patched.setattr(removing, "sweep", _killed)
        with pytest.raises(KeyboardInterrupt):
            _remove(store, ["k1"])
    assert sql(store, "SELECT count(*) FROM neighbour") == [(1,)]
    assert _remove(store, ["k1"]).unknown == ["k1"]
    assert sql(store, "SELECT count(*) FROM neighbour") == [(0,)]


def _killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_removal_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_documents(store, 60)
    monkeypatch.setattr(removing, "_FIRST_BATCH", 20)

    def interrupt(found: removal.Found) -> None:
        raise KeyboardInterrupt

    with store.read() as session:
        chosen = removing.chosen(session, "news", [f"k{i}" for i in range(60)])
    with pytest.raises(KeyboardInterrupt):
        removing.remove(store, chosen, interrupt)
    ((left,),) = sql(store, "SELECT count(*) FROM document WHERE version > 0")
    assert 0 < left < 60
    assert removing.remove(store, chosen).found.n_documents == left
    assert sql(store, "SELECT count(*) FROM document WHERE version > 0") == [(0,)]


def _with_files(store: Store) -> tuple[int, int]:
    """A file `a.zip` with two documents, and `b.pdf` with one."""
    collection = add_documents(store, 1)
    with store.write() as session:
        of = files.collection_of(session, collection, create=True)
        assert of is not None
        register = [NewDocument(name, "{}", None, name, identity=name) for name in ("a.zip", "b.pdf")]
        files.register(session, of, register, "extract")
    job_id = submit(store, of, kind="extract").job_id
    claim = held(store, the_chunk(store, job_id).id)
    zipped, pdf = claim.document_ids
    made = [(zipped, "a.zip!x.txt"), (zipped, "a.zip!y.txt"), (pdf, "b.pdf")]
    columns = (
        "document_id",
        "rank",
        "text_key",
        "media_type",
        "parser",
        "n_pages",
        "n_chars",
        "n_tables_left_out",
    )
    rows = Rows(columns, [(id_, rank, key, "t", "p", 1, 1, 0) for rank, (id_, key) in enumerate(made, 1)])
    written = Written(
        claim.document_ids,
        rows={"extraction_text": rows},
        made=[(id_, NewDocument(key, f"text of {key}", None, key)) for id_, key in made],
    )
    with store.write() as session:
        chunks.write(session, claim, written, builders.LEASE, close=True)
    return collection, of


def _keys(store: Store) -> list[str]:
    return [key for (key,) in sql(store, "SELECT key FROM document WHERE version > 0 ORDER BY key, id")]


def test_a_file_goes_with_the_document_that_was_made_of_it(store: Store) -> None:
    _with_files(store)
    assert _plan(store, ["b.pdf"]).found.n_files == 1
    removed = _remove(store, ["b.pdf"]).found
    assert (removed.n_documents, removed.n_files, removed.rows["extraction_text"]) == (1, 1, 1)
    assert _keys(store) == ["a.zip", "a.zip!x.txt", "a.zip!y.txt", "k0"]


def test_a_document_of_an_archive_goes_with_the_archive_and_without_its_neighbours(store: Store) -> None:
    _, of = _with_files(store)
    _remove(store, ["a.zip!x.txt"])
    assert _keys(store) == ["a.zip!y.txt", "b.pdf", "b.pdf", "k0"]
    with store.write() as session:
        again = files.register(
            session, of, [NewDocument("a.zip", "{}", None, "a.zip", identity="a.zip")], "extract"
        )
    assert (again.added.n_new, len(again.unread)) == (1, 1)


@pytest.mark.parametrize("most_made", [1, 1_000])
def test_the_documents_of_a_file_go_with_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, most_made: int
) -> None:
    """Also where they are more than one batch may hold."""
    monkeypatch.setattr("db.removal.erasing.MOST_MADE", most_made)
    _with_files(store)
    planned = _plan(store, ["a.zip"]).found
    removed = _remove(store, ["a.zip"]).found
    assert (removed.n_documents, removed.n_files) == (planned.n_documents, planned.n_files) == (2, 1)
    assert _keys(store) == ["b.pdf", "b.pdf", "k0"]


def test_a_collection_is_removed_with_its_files_and_its_name_is_free(store: Store) -> None:
    collection, _ = _with_files(store)
    with store.write() as session:
        labels.give(session, collection, [Given("k0", ("a",), "human")])
    job_id = submit(store, collection).job_id
    planned = removing.remove_collection(store, "news", really=False).found
    assert _keys(store) != []
    removed = removing.remove_collection(store, "news", really=True).found
    assert (removed.n_documents, removed.n_files) == (planned.n_documents, planned.n_files) == (4, 2)
    assert planned.rows == removed.rows
    assert _keys(store) == []
    assert sql(store, "SELECT count(*) FROM given_label") == [(0,)]
    with store.read() as session:
        assert documents.collections(session) == []
        with pytest.raises(NotFoundError):
            documents.collection_id(session, "news")
    assert add_documents(store, 1) != collection
    # Who had looked up its number before.
    with pytest.raises(NotFoundError), store.write() as session:
        documents.add(session, collection, [NewDocument("late", "text", None, "f")])
    claim = held(store, the_chunk(store, job_id).id)
    write_ok(store, claim)
    assert set(outcomes(store, job_id).values()) == {"REMOVED"}


def test_a_collection_is_renamed_with_its_files_and_in_schedules(store: Store) -> None:
    collection, of = _with_files(store)
    sql(
        store,
        "INSERT INTO schedule (name, cron, time_zone, requests, next_at, created_at) "
        """VALUES ('n', '0 1 * * *', 'UTC', '[{"kind": "oracle", "collection": "news"}]', :t, :t) RETURNING id""",
        t=_now(store),
    )
    add_documents(store, 1, "taken")
    with pytest.raises(ConflictError), store.write() as session:
        removal.rename(session, "news", "taken")
    with store.write() as session:
        assert removal.rename(session, "news", "inbox") == ["n"]
    with store.read() as session:
        assert documents.collection_id(session, "inbox") == collection
        assert files.collection_of(session, collection) == of
        assert [name for name, _ in documents.collections(session)] == ["inbox", "taken"]
        assert [each.name for each in removal.naming(session, "inbox")] == ["n"]


def test_the_detail_of_an_outcome_can_be_erased_with_its_document_and_nothing_else(store: Store) -> None:
    _everything(store)
    refused = [
        "UPDATE outcome SET error_detail = NULL",
        "UPDATE outcome SET state = 'ok', error_code = NULL, error_detail = NULL",
        "DELETE FROM outcome",
    ]
    for statement in refused:
        with pytest.raises(DBAPIError), store.write() as session:
            session.execute(text(statement))
    sql(store, "UPDATE document SET erased_at = added_at RETURNING id")
    for statement in [
        *refused[1:],
        "UPDATE outcome SET error_detail = 'x'",
        "UPDATE outcome SET error_code = 'X'",
    ]:
        with pytest.raises(DBAPIError), store.write() as session:
            session.execute(text(statement))


def test_a_worker_and_a_removal_wait_for_each_other_on_postgresql(empty_postgres_store: Store) -> None:
    """In whichever order they come, no result about a removed document is left. SQLite has only one writer."""
    store = empty_postgres_store
    job_id = submit(store, add_documents(store, 1)).job_id
    claim = held(store, the_chunk(store, job_id).id)
    rows = Rows(
        ("document_id", "summary", "method", "n_sentences"), [(claim.document_ids[0], SECRET, "m", 1)]
    )
    thread = threading.Thread(target=_remove, args=(store, ["k0"]))
    with store.write() as session:
        written = Written(claim.document_ids, rows={"summary": rows})
        chunks.write(session, claim, written, builders.LEASE, close=True)
        thread.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        # It tries again and again meanwhile.
        while thread.is_alive() and sql(store, waits) == [(0,)]:
            pass
        assert thread.is_alive()
    thread.join(20)
    assert not thread.is_alive()
    assert _holding(store, SECRET) == []
    assert outcomes(store, job_id) != {}


def test_rows_of_kinds_that_are_not_installed_here_go_too(store: Store) -> None:
    job_id = submit(store, add_documents(store, 1)).job_id
    sql(
        store,
        "CREATE TABLE elsewhere (job_id BIGINT, document_id BIGINT, words TEXT); SELECT 1"
        if False
        else "SELECT 1",
    )
    with store.write() as session:
        session.execute(text("CREATE TABLE elsewhere (job_id BIGINT, document_id BIGINT, words TEXT)"))
        session.execute(text(f"INSERT INTO elsewhere SELECT {job_id}, id, '{SECRET}' FROM document"))
    try:
        _remove(store, ["k0"])
        assert _holding(store, SECRET) == []
    finally:
        with store.write() as session:
            session.execute(text("DROP TABLE elsewhere"))
