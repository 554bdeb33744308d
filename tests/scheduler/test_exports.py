"""Exports: the same rows in every format, whole or not at all, harmless for spreadsheets, and what has changed."""

from __future__ import annotations

import csv
import fcntl
import json
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa

from db.documents import NewDocument
from db.errors import ConflictError, NoSuchJobError, StoreError
from db.store import Store
from db.view_keys import KEYS
from db.views import VIEWS
from scheduler.cells import csv_line, safe
from scheduler.exports import xlsx_file
from scheduler.exports.making import export
from scheduler.exports.request import ExportRequest, Format, Mode
from tests.db.builders import a_job, add, sql

HOSTILE = [
    "=HYPERLINK(\"http://x\",\"y\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1",
    '=1"; =2,\n=3', "'; DROP TABLE job; --", "<script>alert(1)</script>", "한국어 문장.", "a\u2028b", "‮evil", "", "-5",
]  # fmt: skip
#: Rows without a table.
NUMBERS = (
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {n}) "
    "SELECT n, 'text ' || n AS words, n * 0.5 AS half FROM t"
)
SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LABELS = "SELECT document_key, label, given_at FROM given_label"


def made(store: Store, what: str, to: Path, **more: Any) -> Any:
    return export(store, ExportRequest(what=what, to=str(to), **more))


def hostile(store: Store) -> None:
    add(
        store,
        [NewDocument(f"k{place:02}", words or " ", words, "f:1") for place, words in enumerate(HOSTILE)],
    )


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def jsonl_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]


def xlsx_rows(path: Path, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """(type, text) of each cell."""
    with zipfile.ZipFile(path) as book:
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    assert root.find(f".//{SPREADSHEET}f") is None, "a formula"
    return [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row]
        for row in root.iter(f"{SPREADSHEET}row")
    ]


# --- formats ----------------------------------------------------------------------------------------------------


def test_each_format_holds_the_rows_with_their_types(store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("xlsxwriter")
    hostile(store)
    query = "SELECT key, label, id, -version AS minus, is_latest, added_at, 0.5 * version AS half, NULL AS absent "
    query += "FROM document ORDER BY key"
    found = {one: made(store, query, tmp_path / f"rows.{one}") for one in Format}

    table = parquet.read_table(tmp_path / "rows.parquet")
    rows = table.to_pylist()
    assert [row["label"] for row in rows] == HOSTILE
    assert [str(one) for one in table.schema.types[:6]] == [
        "string", "string", "int64", "int64", "bool", "timestamp[us, tz=UTC]"
    ]  # fmt: skip
    assert rows[0]["added_at"].tzinfo is not None
    assert (rows[0]["half"], rows[0]["absent"]) == (0.5, None)
    lines = jsonl_rows(tmp_path / "rows.jsonl")
    assert [(line["label"], line["minus"], line["is_latest"], line["half"]) for line in lines] == [
        (words, -1, True, 0.5) for words in HOSTILE
    ]
    assert datetime.fromisoformat(lines[0]["added_at"]) == rows[0]["added_at"]
    cells = csv_rows(tmp_path / "rows.csv")
    assert {line["minus"] for line in cells} == {"-1"}
    assert [line["label"] for line in cells] == [safe(words) for words in HOSTILE]
    sheet = xlsx_rows(tmp_path / "rows.xlsx")
    assert [text for _, text in sheet[0]][:3] == ["key", "label", "id"]
    assert sheet[1][1] == ("inlineStr", HOSTILE[0])
    assert (sheet[1][3], sheet[1][4]) == (("n", "-1"), ("b", "1"))

    for one, manifest in found.items():
        beside = json.loads((tmp_path / f"rows.{one}.manifest.json").read_text(encoding="utf-8"))
        assert beside["n_rows"] == manifest.n_rows == len(HOSTILE)
        assert beside["query"] == query
        assert beside["position"]["last_document"] == sql(store, "SELECT MAX(id) FROM document")[0][0]
        # The same store gives the same file.
        again = made(store, query, tmp_path / f"again.{one}")
        assert again.sha256 == manifest.sha256 == beside["sha256"]
    assert {path.name for path in tmp_path.iterdir() if path.suffix == ".part"} == set()


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_of_a_csv_begins_as_a_formula_does(words: str) -> None:
    line = csv_line([words, -5, 2.5, None, True], raw=False)
    [cells] = csv.reader([line])
    assert not cells[0].startswith(("=", "+", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert not cells[0].startswith("-") or cells[0] == "-5"
    assert cells[1:] == ["-5", "2.5", "", "true"]
    assert next(csv.reader([csv_line([words], raw=True)]))[0] == words


def test_bom_and_raw_are_on_request(sqlite_store: Store, tmp_path: Path) -> None:
    query = "SELECT '=1' AS \"=head\", '한글' AS korean"
    plain, asked = tmp_path / "a.csv", tmp_path / "b.csv"
    made(sqlite_store, query, plain)
    made(sqlite_store, query, asked, bom=True, raw=True)
    assert plain.read_bytes() == '"\'=head","korean"\r\n"\'=1","한글"\r\n'.encode()
    assert asked.read_bytes() == '\ufeff"=head","korean"\r\n"=1","한글"\r\n'.encode()


def test_what_excel_cannot_hold_is_said(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xlsxwriter")
    monkeypatch.setattr(xlsx_file, "SHEET_ROWS", 4)
    path = tmp_path / "a.xlsx"
    query = (
        "SELECT n, 9007199254740993 AS large, "
        "CASE n WHEN 2 THEN REPLACE(HEX(ZEROBLOB(20000)), '00', '😀') END AS long "
    )
    manifest = made(sqlite_store, f"{query} FROM ({NUMBERS.format(n=5)})", path)
    assert [len(xlsx_rows(path, sheet)) for sheet in (1, 2)] == [4, 3]
    assert xlsx_rows(path)[1][1] == ("inlineStr", "9007199254740993")
    assert xlsx_rows(path)[2][2] == ("inlineStr", "😀" * (32_767 // 2))
    assert manifest.notes == [
        "5 numbers are texts, since Excel cannot hold them (first: row 1, large)",
        "1 texts are cut, since a cell holds 32,767 characters (first: row 2, long)",
        "1 more sheets, since a sheet has 1,048,576 rows (first: row 4)",
    ]


def test_views_and_jobs_are_exported_by_name(store: Store, tmp_path: Path) -> None:
    job_id = a_job(store, 3)
    assert made(store, "v_job_progress", tmp_path / "jobs.jsonl").key == ["job_id"]
    assert jsonl_rows(tmp_path / "jobs.jsonl")[0]["job_id"] == job_id
    made(store, str(job_id), tmp_path / "job.jsonl")
    with pytest.raises(ValueError, match="did you mean v_latest_label"):
        made(store, "v_latest_labels", tmp_path / "x.csv")
    with pytest.raises(NoSuchJobError):
        made(store, "999", tmp_path / "x.csv")
    for view in KEYS:
        assert set(KEYS[view]) <= set(VIEWS[view].columns), view
        made(store, view, tmp_path / f"{view}.csv")


def test_the_date_is_that_of_the_time_zone(sqlite_store: Store, tmp_path: Path) -> None:
    manifest = made(
        sqlite_store, "collection", tmp_path / "{date}" / "{name}.csv", time_zone="Pacific/Kiritimati"
    )
    local = manifest.made_at.astimezone(UTC).timestamp() + 14 * 3600
    assert manifest.to == str(tmp_path / f"{datetime.fromtimestamp(local, UTC):%Y-%m-%d}" / "collection.csv")


@pytest.mark.long
def test_a_million_rows_would_need_no_more_memory_than_a_batch(store: Store, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        for one in (Format.CSV, Format.JSONL):
            made(store, NUMBERS.format(n=60_000), tmp_path / f"a.{one}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


# --- whole or not at all ------------------------------------------------------------------------------------------

#: Fails at its row 5,000, after two batches.
FAILING = {
    "sqlite": f"SELECT n, json(CASE n WHEN 5000 THEN '{{' ELSE '1' END) AS x FROM ({NUMBERS.format(n=9000)}) q",
    "postgresql": f"SELECT n, 1 / (5000 - n) AS x FROM ({NUMBERS.format(n=9000)}) q",
}


def interrupt(n_rows: int, _: int | None) -> None:
    if n_rows >= 4_000:
        raise KeyboardInterrupt


@pytest.mark.parametrize("format_", Format)
def test_an_export_that_ends_early_leaves_what_was_there(
    store: Store, tmp_path: Path, format_: Format
) -> None:
    if format_ is Format.PARQUET:
        pytest.importorskip("pyarrow")
    if format_ is Format.XLSX:
        pytest.importorskip("xlsxwriter")
    path = tmp_path / f"a.{format_}"
    made(store, "SELECT 1 AS one", path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    request = ExportRequest(what=NUMBERS.format(n=9_000), to=str(path))
    with pytest.raises(KeyboardInterrupt):
        export(store, request, interrupt)
    with pytest.raises(ValueError, match="the query: "):
        export(store, replace(request, what=FAILING[store.engine.dialect.name]))
    with pytest.raises(ValueError, match=r"more than 0.01 s: ask for less, or raise --seconds"):
        export(store, replace(request, what=NUMBERS.format(n=9_000_000), seconds=0.01))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_a_killed_export_left_is_removed_and_what_another_writes_is_not(
    sqlite_store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    folder = out / ".a.csv.00000000.part.xyz"
    folder.mkdir(parents=True)
    left, living = out / ".a.csv.00000000.part", out / ".a.csv.11111111.part"
    left.write_text("half")
    with living.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        made(sqlite_store, "SELECT 1 AS one", out / "a.csv")
        made(sqlite_store, "SELECT 1 AS one", out / "a.csv")
        assert sorted(file.name for file in out.iterdir()) == [
            living.name,
            "a.csv",
            "a.csv.manifest.json",
        ]


def test_an_export_changes_nothing_in_the_store(store: Store, tmp_path: Path) -> None:
    hostile(store)
    for attack in ("DELETE FROM document", "SELECT 1; DELETE FROM document", "PRAGMA user_version = 5",
                   "SELECT set_config('x.y', '1', false)", "DELETE FROM document RETURNING 1",
                   "SELECT 1) TO STDOUT; DELETE FROM document; --"):  # fmt: skip
        with pytest.raises(ValueError, match="the query: "):
            made(store, attack, tmp_path / "a.csv")
    assert sql(store, "SELECT COUNT(*) FROM document") == [(len(HOSTILE),)]
    assert list(tmp_path.glob("*.csv")) == []


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ExportRequest("v_similar"), "either --to FILE or --to-table URL"),
        (ExportRequest("v_similar", to="a.txt"), "add --format, or a suffix"),
        (ExportRequest("v_similar", to="{dat}.csv"), "there are {date}, {time} and {name}"),
        (ExportRequest("v_similar", to="a.csv", time_zone="Seoul"), "like Asia/Seoul"),
        (ExportRequest("v_similar", to="a.csv", changed_since="yesterday", name="x"), "write LAST"),
        (ExportRequest("v_similar", to="a.csv", changed_since="LAST"), "needs --name"),
        (ExportRequest("SELECT 1 AS a", to="a.csv", changed_since="LAST", name="x"), "add --key"),
        (ExportRequest("SELECT 1 AS a", to="a.csv", key=("b",)), "no column b: the columns are a"),
        (ExportRequest("SELECT 1 AS a, 2 AS a", to="a.csv"), "a"),
        (ExportRequest("v_similar", to="a.jsonl", bom=True), "--bom belongs to --format csv"),
        (ExportRequest("v_similar", to_table="mysql://h/d/t"), "PostgreSQL and SQLite"),
        (ExportRequest("v_similar", to_table="postgresql://u:secret@h/t"), "names no table in a database"),
        (ExportRequest("v_similar", to_table="env:NOT_SET_AT_ALL"), "NOT_SET_AT_ALL is not set"),
        (
            ExportRequest("v_similar", to_table="sqlite:////nowhere/at/all.db/t"),
            "there is no folder /nowhere/at",
        ),
        (ExportRequest("v_similar", to="/dev/null", format=Format.CSV), "/dev/null is no file"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused_with_the_fix(
    sqlite_store: Store, request_: ExportRequest, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if request_.what == "SELECT 1 AS a, 2 AS a":
        # SQLite gives the second one another name.
        export(sqlite_store, request_)
        return
    with pytest.raises(ValueError) as refused:
        export(sqlite_store, request_)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
    assert list(folder.iterdir()) == []


# --- what has changed ---------------------------------------------------------------------------------------------


def edit(store: Store, chance: random.Random) -> None:
    """Some labels are given, some changed, some withdrawn."""
    for number in range(30):
        key, what = f"k{number}", chance.random()
        if what < 0.2:
            sql(store, "DELETE FROM given_label WHERE document_key = :key RETURNING 1", key=key)
        elif what < 0.5:
            sql(
                store,
                "INSERT INTO given_label (collection_id, document_key, rank, label, source, given_at) "
                "VALUES (:one, :key, 1, :label, 'human', '2026-01-01 00:00:00+00:00') "
                "ON CONFLICT (collection_id, document_key, rank) DO UPDATE SET label = excluded.label RETURNING 1",
                one=1, key=key, label=chance.choice(["a", "b", "=c", None]),
            )  # fmt: skip


def labels(store: Store) -> dict[str, Any]:
    return dict(tuple(row) for row in sql(store, "SELECT document_key, label FROM given_label"))


@pytest.fixture
def edited(store: Store) -> Callable[[random.Random], None]:
    with store.write() as session:
        session.execute(
            sa.text("INSERT INTO collection (id, name, created_at) VALUES (1, 'c', '2026-01-01 00:00:00')")
        )
    return lambda chance: edit(store, chance)


def test_the_changes_one_after_the_other_make_the_whole(
    store: Store, edited: Callable[[random.Random], None], tmp_path: Path
) -> None:
    """Also where exports are interrupted between two of them, and where rows disappear and come again."""
    chance, copy = random.Random(7), dict[str, Any]()
    request = ExportRequest(
        LABELS, to=str(tmp_path / "changes.jsonl"), changed_since="LAST", name="labels", key=("document_key",)
    )
    kinds = set()
    for step in range(8):
        edited(chance)
        if step % 3 == 1:
            with pytest.raises(KeyboardInterrupt):
                export(store, request, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            edited(chance)
        manifest = export(store, request)
        for row in jsonl_rows(tmp_path / "changes.jsonl") if manifest.n_rows else []:
            kinds.add(row["change"])
            if row["change"] == "gone":
                assert (row["label"], row["given_at"]) == (None, None)
                del copy[row["document_key"]]
            else:
                assert (row["document_key"] in copy) == (row["change"] == "changed")
                copy[row["document_key"]] = row["label"]
        assert copy == labels(store)
        assert export(store, request).n_rows == 0
        assert sum(manifest.changes.values()) == manifest.n_rows
    assert kinds == {"new", "changed", "gone"}
    # What no export needs any more is not kept.
    assert sql(store, "SELECT COUNT(*) FROM export_row") == [(len(copy),)]
    assert export(store, replace(request, restart=True)).changes == {
        "new": len(copy),
        "changed": 0,
        "gone": 0,
    }


def test_a_name_belongs_to_one_query_and_a_key_to_one_row(
    store: Store, edited: Callable[[random.Random], None], tmp_path: Path
) -> None:
    edited(random.Random(1))
    request = ExportRequest(
        LABELS, to=str(tmp_path / "a.csv"), changed_since="LAST", name="labels", key=("document_key",)
    )
    export(store, request)
    with pytest.raises(ConflictError, match="another --name, or begin anew with --restart"):
        export(store, replace(request, what=f"{LABELS} WHERE label = 'a'"))
    for _ in range(2):
        with pytest.raises((ValueError, ConflictError), match="two rows"):
            export(store, replace(request, name="twice", key=("given_at",)))


def test_an_older_attempt_writes_nothing_after_a_newer_one_has_begun(
    store: Store, edited: Callable[[random.Random], None], tmp_path: Path
) -> None:
    edited(random.Random(2))
    request = ExportRequest(
        LABELS, to=str(tmp_path / "a.jsonl"), changed_since="LAST", name="labels", key=("document_key",)
    )

    def begin_another(*_: object) -> None:
        export(store, replace(request, to=str(tmp_path / "b.jsonl")))

    with pytest.raises(ConflictError, match="has begun since"):
        export(store, request, begin_another)
    assert len(jsonl_rows(tmp_path / "b.jsonl")) == len(labels(store))
    assert export(store, request).n_rows == 0


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """Another database, whose URL is in OTHER."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/other.db"
    else:
        server = request.getfixturevalue("postgres_server")
        server.execute("DROP DATABASE IF EXISTS other WITH (FORCE)")
        server.execute("CREATE DATABASE other")
        url = server.url("other")
    monkeypatch.setenv("OTHER", url)
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)


def rows_of(engine: sa.Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_a_table_is_replaced_in_one_transaction(store: Store, other: sa.Engine) -> None:
    hostile(store)
    query = "SELECT key, label, id, is_latest, added_at, SUM(id) OVER () AS total FROM document ORDER BY key"
    request = ExportRequest(query, to_table="env:OTHER/labels")
    manifest = export(store, request)
    assert manifest.n_rows == len(HOSTILE)
    assert "secret" not in manifest.to
    found = rows_of(other, "SELECT label, is_latest FROM labels ORDER BY key")
    assert found == [(words, True) for words in HOSTILE]

    with pytest.raises(KeyboardInterrupt):
        export(store, ExportRequest(NUMBERS.format(n=9_000), to_table="env:OTHER/labels"), interrupt)
    assert rows_of(other, "SELECT label, is_latest FROM labels ORDER BY key") == found
    # Other columns: the table is made anew. The same columns: what depends on it stays.
    export(store, ExportRequest("SELECT 1 AS one", to_table="env:OTHER/labels"))
    with other.begin() as connection:
        connection.execute(sa.text("CREATE VIEW kept AS SELECT one FROM labels"))
    export(store, ExportRequest("SELECT 2 AS one", to_table="env:OTHER/labels"))
    assert rows_of(other, "SELECT one FROM kept") == [(2,)]
    with pytest.raises(ValueError, match="is a view: name a table"):
        export(store, ExportRequest("SELECT 2 AS one", to_table="env:OTHER/kept"))


def test_a_table_follows_the_changes_by_key(
    store: Store, edited: Callable[[random.Random], None], other: sa.Engine
) -> None:
    chance = random.Random(3)
    request = ExportRequest(
        LABELS, to_table="env:OTHER/labels", changed_since="LAST", name="labels", key=("document_key",)
    )
    for _ in range(5):
        edited(chance)
        export(store, request)
        assert dict(rows_of(other, "SELECT document_key, label FROM labels")) == labels(store)


def test_rows_are_updated_by_key_and_others_stay(store: Store, other: sa.Engine) -> None:
    request = ExportRequest("SELECT 1 AS a, 'x' AS b", to_table="env:OTHER/t", mode=Mode.UPSERT, key=("a",))
    export(store, request)
    export(store, replace(request, what="SELECT 1 AS a, 'y' AS b UNION ALL SELECT 2, 'z'"))
    export(store, replace(request, what="SELECT 3 AS a, 'w' AS b"))
    assert sorted(rows_of(other, "SELECT a, b FROM t")) == [(1, "y"), (2, "z"), (3, "w")]
    with pytest.raises((ValueError, StoreError)):
        export(store, replace(request, what="SELECT 1 AS a, 'y' AS b UNION ALL SELECT 1, 'z'"))
    with pytest.raises(ValueError, match="has no column c: add it there"):
        export(store, replace(request, what="SELECT 1 AS a, 'y' AS c"))
    with pytest.raises(ValueError, match="no unique index on b"):
        export(store, replace(request, key=("b",)))
    assert sorted(rows_of(other, "SELECT a, b FROM t")) == [(1, "y"), (2, "z"), (3, "w")]


def test_the_store_itself_is_no_target(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", store.url.render_as_string(hide_password=False))
    with pytest.raises(ValueError, match="this is docmill's own store"):
        export(store, ExportRequest("v_similar", to_table="env:OWN/job"))
