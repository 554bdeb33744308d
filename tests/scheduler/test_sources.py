"""Sources: the rows of other databases, and a dry reading that agrees with what is stored."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db.store import Store
from readers import BadRecord, Record
from scheduler import adding, source_rows
from scheduler.sources import Seen, Source, look, read
from tests.servers import PostgresServer

ROWS = [
    ("a", "The bank raised its rate by 5 % at 10 :30.", "2026-01-02", 1.5),
    ("b", "한국은행은 금리를 올렸다.", "2026-01-03", None),
    ("c", None, "2026-01-04", 3.0),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is not docmill's, with a table of news."""
    made = "CREATE TABLE news (id text, body text, published text, price float)"
    if request.param == "sqlite":
        path = tmp_path / "news ?#1.db"
        with sqlite3.connect(path) as connection:
            connection.execute(made)
            connection.executemany("INSERT INTO news VALUES (?, ?, ?, ?)", ROWS)
        connection.close()
        yield f"sqlite:///{path}".replace("?", "%3F")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.execute("DROP DATABASE IF EXISTS news")
    server.execute("CREATE DATABASE news")
    with psycopg.connect(f"host={server.folder} user=docmill dbname=news") as connection:
        connection.execute(made)
        connection.cursor().executemany("INSERT INTO news VALUES (%s, %s, %s, %s)", ROWS)
    yield f"postgresql://docmill@/news?host={server.folder}"
    server.execute("DROP DATABASE news")


QUERY = "SELECT id, body AS text, published, price FROM news"


def records(found: Any) -> list[Record]:
    return [each for each in found if isinstance(each, Record)]


def test_rows_are_records_and_other_columns_are_metadata(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWS_URL", database)

    found = list(read(Source(sql=f"{QUERY} ORDER BY id", database="env:NEWS_URL")))

    assert [(each.key, each.text, each.meta) for each in records(found)] == [
        ("a", ROWS[0][1], {"published": "2026-01-02", "price": 1.5}),
        ("b", ROWS[1][1], {"published": "2026-01-03"}),
    ]
    [bad] = [each for each in found if isinstance(each, BadRecord)]
    assert str(bad) == "query:3: TEXT_TYPE: the text must be a string, not null (key c)"


@pytest.mark.parametrize(
    ("query", "values", "keys"),
    [
        (f"{QUERY} WHERE published >= :since AND body LIKE '%금리%'", {"since": "2026-01-03"}, ["b"]),
        (f"{QUERY} WHERE body LIKE '%5 \\% at 10 :30%' ESCAPE '\\'", {}, ["a"]),
        (f"-- a comment\n{QUERY} WHERE id = 'a';", {}, ["a"]),
        ("WITH n AS (SELECT id, body AS text FROM news) SELECT * FROM n WHERE id = :k", {"k": "b"}, ["b"]),
        (f"{QUERY} WHERE id = 'none'", {}, []),
    ],
)
def test_values_are_bound_and_other_colons_and_percents_stay(
    database: str, query: str, values: dict[str, str], keys: list[str]
) -> None:
    assert [each.key for each in records(read(Source(sql=query, values=values, database=database)))] == keys


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM news",
        "WITH gone AS (DELETE FROM news RETURNING id, body AS text) SELECT * FROM gone",
        "SELECT id, body AS text FROM news; DELETE FROM news",
        "SELECT id, body AS text FROM news; COMMIT; DELETE FROM news",
        "SELECT id, body AS text FROM nowhere",
        "SELECT id, id, body AS text FROM news",
        "SELEC 1",
    ],
)
def test_nothing_but_one_select_is_run(database: str, query: str) -> None:
    with pytest.raises(ValueError):
        list(read(Source(sql=query, database=database)))

    assert len(list(source_rows.rows(database, "SELECT id FROM news"))) == 3


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:CANARY@127.0.0.1:1/x",
        "postgresql://user:CANARY@host.invalid/x?sslmode=nonsense",
        "mysql+nodriver://user:CANARY@host/x",
        "user:CANARY@host",
        "postgresql://user:CANARY@host:port/x",
        "sqlite:////no/such/CANARY.db",
    ],
)
def test_no_message_has_a_password(url: str) -> None:
    source = Source(sql="SELECT 1", database=url)
    assert "CANARY" not in repr(source)

    with pytest.raises((ValueError, ConnectionError)) as raised:
        list(read(source))

    assert "CANARY" not in str(raised.value) or url.startswith("sqlite")


def test_rows_are_streamed(postgres_server: PostgresServer) -> None:
    """The first rows are there long before a query of a hundred million could end."""
    url = f"postgresql://docmill@/postgres?host={postgres_server.folder}"
    found = source_rows.rows(url, "SELECT generate_series(1, 1000000000) AS id, 'x' AS text")

    assert [next(found)["id"] for _ in range(2_500)][-1] == 2_500
    found.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "give files or a query"),
        ({"files": ("a",), "sql": "SELECT 1", "database": "x"}, "give files or a query"),
        ({"sql": "SELECT 1"}, "missing is database"),
        ({"files": ("a",), "format": "csv"}, "format is about stdin"),
        ({"files": ("-",), "format": "pdf"}, "format must be one of"),
    ],
)
def test_a_source_is_checked_when_it_is_made(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Source(**wrong)


# --- stdin ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "format_", "found"),
    [
        (b'{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}', None, {"a": "one", "b": "two"}),
        (b'[{"id": 1, "text": "one"}]', None, {"1": "one"}),
        (b"id,text\n1,one\n", None, {"1": "one"}),
        (b"\xef\xbb\xbfid\ttext\n1\tone\n", None, {"1": "one"}),
        ("id;text\n1;하나\n".encode("cp949"), None, {"1": "하나"}),
        ('{"id": "a", "text": "하나"}\n'.encode("utf-16"), None, {"a": "하나"}),
        (gzip.compress(b'{"text": "one"}\n', mtime=0), None, {"stdin#1": "one"}),
        (b"just words, and more", "txt", {"stdin": "just words, and more"}),
        (b"id|text\n1|one\n", "csv", {"1": "one"}),
    ],
)
def test_stdin_is_read_in_any_format(content: bytes, format_: str | None, found: dict[str, str]) -> None:
    source = Source(("-",), stdin=io.BytesIO(content), format=format_)

    assert {each.key: each.text for each in records(read(source))} == found


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "EMPTY_FILE"), (b"words", "UNKNOWN_FORMAT"), (b"%PDF-1.4", "UNKNOWN_FORMAT")]
)
def test_stdin_that_cannot_be_read_says_what_to_do(content: bytes, code: str) -> None:
    [bad] = read(Source(("-",), stdin=io.BytesIO(content)))

    assert isinstance(bad, BadRecord)
    assert bad.code == code


# --- a dry reading --------------------------------------------------------------------------------------------


def test_a_dry_reading_gives_the_keys_and_hashes_of_what_add_stores(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jsonl").write_text(
        "".join(json.dumps(each) + "\n" for each in ({"id": 1, "text": "x<br>y", "day": "d"}, {"id": 2}))
    )
    (folder / "b.pdf").write_bytes(b"%PDF-1.4 something")
    (folder / "sub" / "c.txt").write_text("text")
    source = Source((str(folder),))

    seen = list(look(source))

    with store.read() as session:
        assert session.scalar(text("SELECT count(*) FROM document")) == 0
    report = adding.add(lambda: store, collection="inbox", source=source)
    assert [each for each in seen if isinstance(each, BadRecord)] == list(report.bad)
    with store.read() as session:
        rows = session.execute(
            text(
                "SELECT d.key, d.content_hash, c.files_of_id IS NOT NULL FROM document d "
                "JOIN collection c ON c.id = d.collection_id WHERE d.is_latest"
            )
        )
        stored = {Seen(key, bytes(digest), bool(is_file)) for key, digest, is_file in rows}
    assert stored == {each for each in seen if isinstance(each, Seen)}
    assert len(stored) == 3
