"""Adding by a client: from frames, in bounded memory, interrupted, and with an answer that is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow
import pytest

from docmill import Client, ReadOptions
from docmill.client.addition import Addition
from docmill.client.http import adding as sending
from docmill.client.http.adding import Sending
from docmill.errors import InvalidRequestError, UnsupportedError
from docmill.web.api import keyed_adding
from readers.options import MIB
from tests.client.conftest import STORE, Way, key_of, served
from tests.commands.conftest import Shell

RECORDS = [{"id": "a", "text": "One.", "year": 2024}, {"id": "b", "text": "Two.", "year": 2025}]

Message = MutableMapping[str, Any]


@pytest.mark.parametrize(
    "make",
    [
        lambda: RECORDS,
        lambda: (record for record in RECORDS),
        lambda: pandas.DataFrame(RECORDS),
        lambda: polars.DataFrame(RECORDS),
        lambda: polars.LazyFrame(RECORDS),
        lambda: pyarrow.Table.from_pylist(RECORDS),
        lambda: pyarrow.Table.from_pylist(RECORDS).to_reader(),
    ],
    ids=["list", "generator", "pandas", "polars", "lazy", "arrow", "reader"],
)
def test_whatever_holds_records_is_added(client: Client, make: Callable[[], Any]) -> None:
    assert client.add(make(), collection="inbox").n_new == 2
    assert [(row["document_key"], row["meta"], row["source"]) for row in client.documents("inbox")] == [
        ("a", {"year": 2024}, "records:1"),
        ("b", {"year": 2025}, "records:2"),
    ]


def test_what_is_neither_paths_nor_records_is_said(client: Client, tmp_path: Path) -> None:
    for what, said in (
        ((), "say what to add"),
        ((RECORDS, RECORDS), "one object that holds records"),
        ((tmp_path, RECORDS), "one object that holds records"),
        (([tmp_path],), r"add\(\*paths"),
        (({"id": "a"},), "not a single dictionary"),
        ((7,), "not an object of type int"),
    ):
        with pytest.raises(InvalidRequestError, match=said):
            client.add(*what, collection="inbox")  # type: ignore[misc]
    with pytest.raises(InvalidRequestError, match="belong to files"):
        client.add(RECORDS, collection="inbox", extract={"pages": "1"})


def test_files_keep_their_places_and_options(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("no;body;id\nx1;One.;7\nx2;;8\nx3;Three.;9\n", encoding="utf-8")

    report = client.add(file, collection="inbox", options=ReadOptions(key_field="no", text_field="body"))

    assert (report.n_new, [(bad.line, bad.code) for bad in report.bad]) == (2, [(3, "EMPTY_TEXT")])
    assert report.notices
    rows = list(client.documents("inbox"))
    assert [(row["document_key"], row["meta"]) for row in rows] == [("x1", {"id": "7"}), ("x3", {"id": "9"})]
    assert [row["source"].rpartition("/")[2] for row in rows] == ["in.csv:2", "in.csv:4"]


def test_metadata_may_be_left_out(client: Client) -> None:
    client.add(RECORDS, collection="inbox", options=ReadOptions(meta=False))
    assert [(row["meta"], row["source"]) for row in client.documents("inbox")] == [
        ({}, "records:1"),
        ({}, "records:2"),
    ]
    client.add(RECORDS, collection="inbox")
    # Metadata that is not read leaves what is stored as it is.
    assert client.add(RECORDS, collection="inbox", options=ReadOptions(meta=False)).n_unchanged == 2
    assert client.document("a")["meta"] == {"year": 2024}


def test_a_query_of_another_database_is_added(client: Client, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "news.db") as news:
        news.executescript(
            "CREATE TABLE n (id TEXT, text TEXT, y INT); INSERT INTO n VALUES ('a', 'One.', 1), ('b', 'B.', 2)"
        )
    news.close()
    database = f"sqlite:///{tmp_path}/news.db"

    report = client.add_query(
        "SELECT id, text FROM n WHERE y > :least",
        database=database,
        values={"least": 1},
        collection="inbox",
    )

    assert report.n_new == 1
    assert [row["document_key"] for row in client.documents("inbox")] == ["b"]


def test_a_file_that_has_to_be_parsed_is_registered_or_its_way_is_named(
    way: Way, client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("A text.", encoding="utf-8")
    (folder / "b.html").write_text("<html><body><p>A page.</p></body></html>", encoding="utf-8")

    report = client.add(folder, collection="inbox")

    assert report.n_new == 1
    if way.name == STORE:
        assert report.files.n_new == 1
        return
    [bad] = report.bad
    assert (Path(bad.source).name, bad.code) == ("b.html", "TO_BE_PARSED")
    assert "docmill add" in bad.detail
    with pytest.raises(UnsupportedError, match="docmill add"):
        client.add(folder, collection="inbox", extract_again=True)


def test_records_are_read_as_they_are_stored(way: Way, client: Client) -> None:
    read = 0
    ahead: list[int] = []

    def records() -> Iterator[dict[str, str]]:
        nonlocal read
        for read in range(1, 2_501):
            yield {"id": str(read), "text": "A text. " * 20}

    client.add(records(), collection="inbox", tell=lambda added, _: ahead.append(read - added.n_new))

    assert len(ahead) >= 2
    # The record that no longer fits into the batch has been read.
    assert max(ahead) <= 1
    assert client.collection("inbox")["n_documents"] == 2_500


def test_a_batch_is_limited_by_its_size_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_BYTES", 10_000)
    records = [{"id": str(n), "text": "가나다라 " * 1_000} for n in range(5)]

    assert client.add(records, collection="inbox").n_new == 5
    assert client.document("3")["body_chars"] == len(records[0]["text"].strip()) + 1


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"text": "A text.", "note": "x" * 12_000}, id="metadata"),
        pytest.param({"text": "A text.", "note": "가" * 4_000}, id="metadata of 3 bytes a character"),
        pytest.param({"text": "\n" * 6_000 + "A text." + "가" * 3_000}, id="text"),
    ],
)
def test_no_body_is_larger_than_a_batch_may_be(record: dict[str, str]) -> None:
    records = [{"id": str(n)} | record for n in range(1_000)]

    bodies = [call.body for call in Sending(Addition(records=records, collection="inbox")).calls()]

    assert max(map(len, bodies)) <= sending.MOST_BYTES
    assert sum(body.count(b"\n") for body in bodies) == 1_000
    # They are filled, too: two in a row do not fit into one.
    assert all(len(one) + len(other) > sending.MOST_BYTES for one, other in pairwise(bodies))


def test_much_metadata_is_added(client: Client) -> None:
    records = [{"id": str(n), "text": "A text.", "note": "x" * 12_000} for n in range(1_000)]

    assert client.add(records, collection="inbox").n_new == 1_000
    assert client.document("999")["meta"] == {"note": "x" * 12_000}


def test_a_text_that_is_too_long_for_a_keyed_request_is_added(client: Client) -> None:
    long = "long " * ((9 * MIB) // 5)
    records = [{"id": "a", "text": "One."}, {"id": "b", "text": long}, {"id": "c", "text": "Three."}]

    assert client.add(records, collection="inbox").n_new == 3
    assert client.add(records, collection="inbox").n_unchanged == 3


def test_only_what_the_server_takes_with_a_key_has_one() -> None:
    assert sending.MOST_KEYED_BYTES == keyed_adding.MOST_BYTES
    records = [{"id": str(n), "text": "x" * (n * MIB)} for n in (1, 3, 7, 8, 9)]

    calls = list(Sending(Addition(records=records, collection="inbox")).calls())

    assert [call.body.count(b"\n") for call in calls] == [1] * 5
    assert [call.idempotency_key is not None for call in calls] == [True, True, True, False, False]


def test_what_was_counted_before_ctrl_c_is_stored_and_the_same_call_adds_the_rest(client: Client) -> None:
    counted = 0

    def records(n: int) -> Iterator[dict[str, str]]:
        for number in range(n):
            if n == 2_500 and number == 2_400:
                raise KeyboardInterrupt
            yield {"id": str(number), "text": "A text."}

    def tell(added: Any, _n_bad: int) -> None:
        nonlocal counted
        counted = added.n_new

    with pytest.raises(KeyboardInterrupt):
        client.add(records(2_500), collection="inbox", tell=tell)
    assert client.collection("inbox")["n_documents"] == counted > 0
    report = client.add(records(2_450), collection="inbox")
    assert (report.n_unchanged, report.n_new) == (counted, 2_450 - counted)


class LosesAnswers:
    """A proxy that passes each request on, and loses the first answer to those that change something."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.lost: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        key = dict(scope["headers"]).get(b"idempotency-key", b"").decode()
        if scope["method"] == "GET" or key in self.lost or not key:
            await self._app(scope, receive, send)
            return
        self.lost.add(key)

        async def nowhere(message: Message) -> None:
            del message

        await self._app(scope, receive, nowhere)
        await send({"type": "http.response.start", "status": 502, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def test_with_every_answer_lost_once_each_thing_is_done_once_and_counted_right(shell_on_both: Shell) -> None:
    store = shell_on_both.store
    records = [{"id": str(n), "text": f"Text {n}."} for n in range(1_500)] + [{"id": "0", "text": "again"}]
    with served(store, LosesAnswers) as url, Client(url, key=key_of(store)) as client:
        report = client.add(records, collection="inbox")
        assert (report.n_new, report.n_unchanged) == (1_500, 0)
        assert [(bad.line, bad.code) for bad in report.bad] == [(1_501, "DUPLICATE_KEY")]

        job = client.submit("oracle", collection="inbox")
        assert [one.job_id for one in client.jobs()] == [job.id]
        job.cancel()
        shell_on_both.work(job.id)
        again = job.retry()
        assert {one.job_id for one in client.jobs()} == {job.id, again.id}
