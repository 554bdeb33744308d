"""/v1/files and /v1/batches, asked by the official client of OpenAI."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from db import access, request_batches
from db.access import Role
from db.request_batches import MovedOnError
from db.store import Store
from docmill.web.app import create_app
from docmill.web.openai_api import uploading
from scheduler.batches import checking, parts, reading, writing
from scheduler.batches.moving import move_batch
from scheduler.requests import JobRequest, submit
from tests.db.builders import add_documents, sql
from tests.kinds import answer
from tests.web.conftest import Browser
from tests.web.mill import Mill, jsonl, mill, read_jsonl, request

openai = pytest.importorskip("openai")


@pytest.fixture
def works(store: Store) -> Iterator[Mill]:
    with mill(store) as made:
        yield made


def client_of(store: Store, role: Role = Role.SUBMIT, name: str = "") -> Any:
    """The unchanged client, with a new key."""
    with store.write() as session:
        key = access.create_key(session, name or f"a {role} key", role)
    app = create_app(store)
    return openai.OpenAI(
        api_key=key,
        base_url="http://localhost/v1",
        http_client=Browser(app, base_url="http://localhost"),
        max_retries=0,
    )


@pytest.fixture
def client(store: Store) -> Any:
    return client_of(store)


def phase_of(store: Store) -> str:
    [(phase,)] = sql(store, "SELECT phase FROM request_batch")
    return str(phase)


def let_expire(store: Store, table: str) -> None:
    """What would expire some day has expired."""
    with store.write() as session:
        session.execute(text(f"UPDATE {table} SET expires_at = created_at WHERE expires_at IS NOT NULL"))


def train_gated(works: Mill, quality: float) -> None:
    """A model of the test kind."""
    add_documents(works.store, 3)
    with works.store.write() as session:
        submit(session, JobRequest("train-gated", "news", model="g", parameters={"quality": quality}))
    works.run()


def create(client: Any, lines: list[Any] | bytes, endpoint: str = "/v1/oracle", **more: Any) -> Any:
    content = lines if isinstance(lines, bytes) else jsonl(lines)
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def output_of(client: Any, batch: Any) -> list[dict[str, Any]]:
    return read_jsonl(client.files.content(batch.output_file_id).read()) if batch.output_file_id else []


def errors_of(client: Any, batch: Any) -> list[dict[str, Any]]:
    return read_jsonl(client.files.content(batch.error_file_id).read()) if batch.error_file_id else []


def test_a_file_is_uploaded_listed_downloaded_and_deleted(client: Any) -> None:
    content = b"".join(b"line %d\n" % n for n in range(100_000))
    file = client.files.create(file=("many.jsonl", content), purpose="batch")
    assert (file.object, file.bytes, file.filename, file.purpose) == (
        "file",
        len(content),
        "many.jsonl",
        "batch",
    )
    other = client.files.create(file=("one.jsonl", b"{}"), purpose="user_data")
    assert [each.id for each in client.files.list()] == [other.id, file.id]
    assert [each.id for each in client.files.list(order="asc", limit=1)] == [file.id, other.id]
    assert [each.id for each in client.files.list(purpose="batch")] == [file.id]
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == content
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    with pytest.raises(openai.NotFoundError):
        client.files.content(file.id)
    assert [each.id for each in client.files.list()] == [other.id]


def test_each_line_is_answered_once_in_the_output_or_the_error_file(client: Any, works: Mill) -> None:
    texts = {f"r-{n}": f"text {n}" for n in range(120)} | {"r-7": "!raise", "r-8": " ", "문서-하나": "하나"}
    batch = create(
        client, [request(key, {"input": text}) for key, text in texts.items()], metadata={"a": "b"}
    )
    assert (batch.status, batch.request_counts.total, batch.metadata) == ("validating", 0, {"a": "b"})
    works.schedule()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.total) == ("in_progress", 121)
    assert batch.output_file_id is None
    works.run()
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert None not in (batch.in_progress_at, batch.finalizing_at, batch.completed_at)
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (121, 119, 2)
    output, errors = output_of(client, batch), errors_of(client, batch)
    assert sorted(line["custom_id"] for line in [*output, *errors]) == sorted(texts)
    for line in output:
        assert line["response"]["status_code"] == 200
        assert line["response"]["body"]["label"] == answer(texts[line["custom_id"]])
        assert line["error"] is None
    assert {line["custom_id"]: line["response"]["status_code"] for line in errors} == {"r-7": 500, "r-8": 400}
    assert errors[0]["response"]["body"]["error"]["code"] == "RUNNER_ERROR"
    assert client.files.retrieve(batch.output_file_id).purpose == "batch_output"


def error_codes(batch: Any) -> list[tuple[str, int | None]]:
    return [(error.code, error.line) for error in batch.errors.data]


def line(**changes: Any) -> dict[str, Any]:
    return request("a", {"input": "text"}) | changes


BAD_FILES: dict[str, tuple[bytes, list[tuple[str, int | None]]]] = {
    "empty": (b"", [("empty_file", None)]),
    "blank": (b"\n \r\n\n", [("empty_file", None)]),
    "no JSON": (jsonl([line()]) + b"{nothing\n", [("invalid_json_line", 2)]),
    "no UTF-8": (b'{"custom_id": "\xff"}\n', [("invalid_json_line", 1)]),
    "no object": (b"[1]\n" + jsonl([line()]), [("invalid_json_line", 1)]),
    "nested": (b"[" * 100_000, [("invalid_json_line", 1)]),
    "long number": (b'{"custom_id": ' + b"1" * 5_000 + b"}", [("invalid_json_line", 1)]),
    "field twice": (b'{"custom_id": "a", "custom_id": "b"}', [("invalid_json_line", 1)]),
    "no custom_id": (jsonl([{"method": "POST"}]), [("missing_required_parameter", 1)]),
    "a number": (jsonl([line(custom_id=5)]), [("invalid_type", 1)]),
    "NUL": (jsonl([line(custom_id="a\0b")]), [("invalid_custom_id", 1)]),
    "surrogate": (jsonl([line(custom_id="a\ud800")]), [("invalid_custom_id", 1)]),
    "long custom_id": (jsonl([line(custom_id="x" * 600)]), [("invalid_custom_id", 1)]),
    "GET": (jsonl([line(method="GET")]), [("invalid_method", 1)]),
    "another endpoint": (jsonl([line(url="/v1/weigh")]), [("mismatched_url", 1)]),
    "no body": (jsonl([line(body="text")]), [("invalid_body", 1)]),
    "twice": (jsonl([line(), line(custom_id="b"), line()]), [("duplicate_custom_id", 3)]),
    # The same once in NFC: one document could not have both.
    "NFC": (
        jsonl([line(custom_id="\uac00"), line(custom_id="\u1100\u1161")]),
        [("duplicate_custom_id", 2)],
    ),
    "several": (b"x\n\n" + jsonl([line(url="/"), line(), line()]), [
        ("invalid_json_line", 1), ("mismatched_url", 3), ("duplicate_custom_id", 5),
    ]),
}  # fmt: skip


def test_a_bad_file_fails_with_its_lines_and_runs_nothing(client: Any, works: Mill) -> None:
    batches = {name: create(client, content) for name, (content, _) in BAD_FILES.items()}
    works.run()
    found = {name: client.batches.retrieve(batch.id) for name, batch in batches.items()}
    assert {name: batch.status for name, batch in found.items()} == dict.fromkeys(BAD_FILES, "failed")
    assert {name: error_codes(batch) for name, batch in found.items()} == {
        name: codes for name, (_, codes) in BAD_FILES.items()
    }
    assert all(batch.output_file_id is None and batch.failed_at for batch in found.values())
    assert sql(works.store, "SELECT count(*) FROM document") == [(0,)]


def test_a_line_that_is_too_long_and_a_file_with_too_many(
    client: Any, works: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_LINE_BYTES", 4 * 1024**2)
    monkeypatch.setattr(checking, "MOST_LINE_BYTES", 4 * 1024**2)
    monkeypatch.setattr(reading, "MOST_LINES", 10)
    long = create(client, [line(), line(custom_id="b", body={"input": "x" * 5 * 1024**2})])
    many = create(client, [line(custom_id=f"{n}") for n in range(11)])
    works.run()
    assert error_codes(client.batches.retrieve(long.id)) == [("line_too_long", 2)]
    assert error_codes(client.batches.retrieve(many.id)) == [("too_many_requests", None)]


def test_a_file_of_many_parts_has_every_line_once(
    client: Any, works: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines longer than a block, CRLF, a BOM, no line end at the end; small parts and steps."""
    for module, name in ((checking, "PART_LINES"), (writing, "STEP_LINES")):
        monkeypatch.setattr(module, name, 7)
    sizes = {f"r{n}": 300_000 if n % 25 == 3 else n + 1 for n in range(100)}
    content = jsonl([line(custom_id=key, body={"input": key * size}) for key, size in sizes.items()])
    batch = create(client, b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n\r\n").rstrip())
    works.run()
    batch = client.batches.retrieve(batch.id)
    found = {each["custom_id"]: each["response"]["body"]["label"] for each in output_of(client, batch)}
    assert found == {key: answer(key * size) for key, size in sizes.items()}
    assert client.files.retrieve(batch.output_file_id).bytes == len(
        client.files.content(batch.output_file_id).read()
    )


def test_lines_with_different_parameters_are_different_jobs(client: Any, works: Mill) -> None:
    train_gated(works, 0.5)
    lines = [
        request("a", {"input": "1", "model": "g"}, "/v1/weigh"),
        request("b", {"input": "2", "model": "g@1"}, "/v1/weigh"),
        request("c", {"input": "3", "model": "other"}, "/v1/weigh"),
        request("d", {"input": "4", "modle": "g"}, "/v1/weigh"),
        request("e", {"input": "5", "model": 7}, "/v1/weigh"),
        request("f", {"input": "6", "model": "g\0"}, "/v1/weigh"),
        request("g", {"input": "7"}, "/v1/weigh"),
    ]
    batch = create(client, lines, "/v1/weigh", metadata={"collection": "mine"})
    works.run()
    batch = client.batches.retrieve(batch.id)
    output = {each["custom_id"]: each["response"]["body"] for each in output_of(client, batch)}
    assert {key: body["model"] for key, body in output.items()} == {"a": "g@1", "b": "g@1", "g": "g@1"}
    failed = {each["custom_id"]: each["response"]["status_code"] for each in errors_of(client, batch)}
    assert failed == {"c": 404, "d": 400, "e": 400, "f": 400}
    assert sql(works.store, "SELECT count(*) FROM job WHERE kind = 'weigh'") == [(3,)]
    assert sql(works.store, "SELECT name FROM collection WHERE name = 'mine'") == [("mine",)]


def test_two_batches_may_share_a_collection_and_their_ids(client: Any, works: Mill) -> None:
    """Each answers for its own texts, also where the other one has replaced a document meanwhile."""
    batches = [
        create(
            client,
            [request("a", {"input": text}), request("b", {"input": "same"})],
            metadata={"collection": "c"},
        )
        for text in ("first", "second")
    ]
    works.run()
    for batch, own in zip(batches, ("first", "second"), strict=True):
        found = output_of(client, client.batches.retrieve(batch.id))
        assert {each["custom_id"]: each["response"]["body"]["label"] for each in found} == {
            "a": answer(own),
            "b": answer("same"),
        }


@pytest.mark.parametrize("when", ["at once", "added", "submitted", "half done"])
def test_a_cancelled_batch_answers_what_is_done_and_names_the_rest(
    client: Any, works: Mill, when: str
) -> None:
    batch = create(client, [request(f"{n}", {"input": f"{n}"}) for n in range(120)])
    while when != "at once" and phase_of(works.store) != ("submitting" if when == "added" else "running"):
        works.batches.move()
    if when == "half done":
        works.work(1)
    batch = client.batches.cancel(batch.id)
    assert batch.status == "cancelling"
    assert client.batches.cancel(batch.id).status == "cancelling"
    works.run()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, bool(batch.cancelled_at), batch.completed_at) == ("cancelled", True, None)
    output, errors = output_of(client, batch), errors_of(client, batch)
    assert sorted(int(each["custom_id"]) for each in [*output, *errors]) == list(range(120))
    assert len(output) == (50 if when == "half done" else 0)
    assert {each["error"]["code"] for each in errors} == {"batch_cancelled"}
    assert (batch.request_counts.completed, batch.request_counts.failed) == (len(output), len(errors))
    with pytest.raises(openai.ConflictError, match="is cancelled"):
        client.batches.cancel(batch.id)


@pytest.mark.parametrize("when", ["at once", "half done"])
def test_an_expired_batch_answers_what_is_done_and_names_the_rest(
    client: Any, works: Mill, when: str
) -> None:
    batch = create(client, [request(f"{n}", {"input": f"{n}"}) for n in range(120)])
    if when == "half done":
        works.schedule()
        works.work(1)
    let_expire(works.store, "request_batch")
    works.run()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, bool(batch.expired_at)) == ("expired", True)
    output, errors = output_of(client, batch), errors_of(client, batch)
    assert sorted(int(each["custom_id"]) for each in [*output, *errors]) == list(range(120))
    assert len(output) == (50 if when == "half done" else 0)
    assert {each["error"]["code"] for each in errors} == {"batch_expired"}


def test_steps_that_are_killed_or_made_twice_count_once(
    client: Any, works: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before every step, another scheduler makes the same step; and each transaction fails once at its end."""
    for module, name in ((checking, "PART_LINES"), (writing, "STEP_LINES")):
        monkeypatch.setattr(module, name, 11)
    batch = create(client, [request(f"{n}", {"input": f"{n % 40 or '!raise'}"}) for n in range(60)])
    n_lost = 0
    while phase_of(works.store) != "done":
        with works.store.read() as session:
            [stale] = request_batches.next_open(session, 0, 1) or [None]
        if stale is None:
            works.run_jobs()
            continue
        with pytest.raises(ZeroDivisionError), failing_commit(works.store, monkeypatch):
            move_batch(works.store, stale)
        move_batch(works.store, stale)
        with contextlib.suppress(MovedOnError):
            move_batch(works.store, stale)
            n_lost -= 1
        n_lost += 1
    assert n_lost >= 15
    batch = client.batches.retrieve(batch.id)
    output, errors = output_of(client, batch), errors_of(client, batch)
    assert [int(each["custom_id"]) for each in output] == [n for n in range(60) if n % 40]
    assert [int(each["custom_id"]) for each in errors] == [0, 40]
    assert sql(works.store, "SELECT count(*) FROM job") == [(1,)]


@contextmanager
def failing_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process dies before the commit of its first transaction that writes."""

    @contextmanager
    def dying(self: Store, **options: Any) -> Iterator[Any]:
        with Session(self._writer, autoflush=False) as session, session.begin():
            yield session
            session.flush()
            raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", dying)
        yield


def test_keys_and_roles(store: Store, client: Any, works: Mill) -> None:
    batch = create(client, [line()])
    reader, other = client_of(store, Role.READ), client_of(store, Role.SUBMIT, "another")
    operator = client_of(store, Role.OPERATE)
    assert reader.batches.retrieve(batch.id).id == batch.id
    assert [each.id for each in reader.batches.list()] == [batch.id]
    for refused in (
        lambda: reader.files.create(file=("a", b"a"), purpose="batch"),
        lambda: reader.batches.create(input_file_id="x", endpoint="/v1/oracle", completion_window="24h"),
        lambda: reader.batches.cancel(batch.id),
        lambda: other.batches.cancel(batch.id),
        lambda: other.files.delete(batch.input_file_id),
    ):
        with pytest.raises(openai.PermissionDeniedError) as told:
            refused()
        assert (told.value.type, told.value.code) == ("permission_error", "role")
    unknown = client_of(store, Role.READ, "unknown").with_options(api_key="docmill_wrong")
    with pytest.raises(openai.AuthenticationError) as told:
        unknown.files.list()
    assert told.value.code == "invalid_api_key"
    with pytest.raises(openai.ConflictError, match="still reads"):
        client.files.delete(batch.input_file_id)
    assert operator.batches.cancel(batch.id).status == "cancelling"
    works.run()
    assert client.files.delete(batch.input_file_id).deleted


def test_a_cookie_is_no_key(browser: Browser) -> None:
    """Else a page elsewhere could act for whoever is signed in."""
    for path, method in (("/v1/files", "get"), ("/v1/batches", "post")):
        told = browser.request(method, path)
        assert (told.status_code, told.json()["error"]["code"]) == (401, "missing_api_key")


def test_wrong_requests_are_refused_in_the_clients_words(client: Any) -> None:
    file = client.files.create(file=("a", b"{}"), purpose="batch")
    image = client.files.create(file=("a", b"{}"), purpose="user_data")
    good = {"input_file_id": file.id, "endpoint": "/v1/oracle", "completion_window": "24h"}
    for wrong, said in (
        ({"endpoint": "/v1/chat"}, "/v1/oracle"),
        ({"completion_window": "1y"}, '"24h"'),
        ({"completion_window": "31d"}, "at most 30d"),
        ({"input_file_id": image.id}, "purpose batch"),
        ({"metadata": {"collection": " x"}}, "valid collection name"),
        ({"metadata": {"a": "b\0"}}, "NUL"),
        ({"metadata": {str(n): "" for n in range(17)}}, "at most 16"),
        ({"extra_body": {"modle": 1}}, "modle"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "3600"),
    ):
        with pytest.raises(openai.BadRequestError, match=said):
            client.batches.create(**(good | wrong))
    for missing in ("file-00", "file\0", "../x"):
        with pytest.raises(openai.NotFoundError):
            client.batches.create(**(good | {"input_file_id": missing}))
    with pytest.raises(openai.BadRequestError, match="purpose must be one of"):
        client.files.create(file=("a", b"a"), purpose="fine-tune")
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_00")
    with pytest.raises(openai.NotFoundError):
        client.batches.list(after="batch_'; DROP TABLE document")
    for path in ("/files?limit=0", "/files?limit=x", "/files?order=up", "/batches?limit=101"):
        with pytest.raises(openai.BadRequestError):
            client.get(path, cast_to=object)
    with pytest.raises(openai.APIStatusError) as told:
        client.put("/files", cast_to=object)
    assert (told.value.status_code, told.value.response.headers["allow"]) == (405, "GET, POST")
    with pytest.raises(openai.BadRequestError, match="the body"):
        client.post("/batches", content=b"{", cast_to=object)


def test_batches_are_listed_page_by_page(client: Any) -> None:
    made = [create(client, [line()]).id for _ in range(5)]
    assert [each.id for each in client.batches.list(limit=2)] == made[::-1]
    assert [each.id for each in client.batches.list(after=made[2]).data] == [made[1], made[0]]


def test_an_upload_that_is_too_large_leaves_nothing(
    client: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "MOST_BYTES", 1024**2)
    for size in (1024**2 + 1, 2 * 1024**2):
        with pytest.raises(openai.APIStatusError) as told:
            client.files.create(file=("a", b"x" * size), purpose="batch")
        assert told.value.status_code == 413
    assert client.files.create(file=("../a\n<b>", b"x" * 1024**2), purpose="batch").filename == "a%0A<b>"
    assert sql(store, "SELECT count(*) FROM api_file") == [(1,)]


def test_files_expire_and_are_deleted_with_their_blocks(client: Any, works: Mill) -> None:
    after = {"anchor": "created_at", "seconds": 3600}
    kept = client.files.create(file=("kept", b"x"), purpose="batch")
    file = client.files.create(file=("a", jsonl([line()])), purpose="batch", expires_after=after)
    assert file.expires_at == pytest.approx(file.created_at + 3600, abs=5)
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/oracle", completion_window="30m", output_expires_after=after
    )
    let_expire(works.store, "api_file")
    works.run()
    # A batch that reads it keeps it.
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, len(output_of(client, batch))) == ("completed", 1)
    assert client.files.retrieve(batch.output_file_id).expires_at
    let_expire(works.store, "api_file")
    works.schedule()
    assert [each.id for each in client.files.list()] == [kept.id]
    assert sql(works.store, "SELECT count(*) FROM api_file_block") == [(1,)]


def test_a_batch_answers_with_the_texts_of_its_own_files(client: Any, works: Mill) -> None:
    """Two batches have the same custom_id in one collection: each gets the text of the file that it sent."""

    def sent(words: str) -> Any:
        page = f"<html><body><h1>{words}</h1><p>The {words} file says so at length.</p></body></html>"
        file = client.files.create(file=("page.html", page.encode()), purpose="user_data")
        lines = [request("same", {"file": file.id, "html": "whole"}, "/v1/extract")]
        return create(client, lines, "/v1/extract", metadata={"collection": "pages"})

    first = sent("first")
    works.schedule()
    works.run_jobs()
    # Its file is read, and its answer is not written yet.
    second = sent("second")
    works.run()
    for batch, words in ((first, "first"), (second, "second")):
        [answered] = output_of(client, client.batches.retrieve(batch.id))
        [found] = answered["response"]["body"]["texts"]
        assert f"The {words} file" in found["text"]
    late, later = sent("late"), sent("later")
    works.run()
    [failed] = errors_of(client, client.batches.retrieve(late.id))
    assert failed["response"]["status_code"] == 409
    assert failed["response"]["body"]["error"]["code"] == "REPLACED"
    [answered] = output_of(client, client.batches.retrieve(later.id))
    assert "The later file" in answered["response"]["body"]["texts"][0]["text"]


def test_uploaded_files_are_extracted(client: Any, works: Mill) -> None:
    page = "<html><title>Rates</title><body><h1>Rates</h1><p>한국은행이 금리를 올렸다. It rose.</p></body></html>"
    good = client.files.create(file=("page.html", page.encode()), purpose="user_data")
    broken = client.files.create(file=("broken.pdf", b"%PDF-1.7 nothing"), purpose="user_data")
    gone = client.files.create(file=("gone.html", page.encode() + b" "), purpose="user_data")
    bodies: dict[str, Any] = {
        "good": {"file": good.id, "html": "whole"},
        "again": {"file": good.id, "html": "whole"},
        "broken": {"file": broken.id},
        "gone": {"file": gone.id},
        "unknown": {"file": "file-00"},
        "text": {"input": "a"},
    }
    batch = create(client, [request(key, body, "/v1/extract") for key, body in bodies.items()], "/v1/extract")
    works.schedule()
    client.files.delete(gone.id)
    works.run()
    batch = client.batches.retrieve(batch.id)
    output = {each["custom_id"]: each["response"]["body"] for each in output_of(client, batch)}
    assert sorted(output) == ["again", "good"]
    [text_found] = output["good"]["texts"]
    assert "한국은행이 금리를 올렸다." in text_found["text"]
    assert output["good"]["media_type"] == "text/html"
    assert output["again"]["texts"][0]["text"] == text_found["text"]
    failed = {each["custom_id"]: each["response"] for each in errors_of(client, batch)}
    assert {key: each["status_code"] for key, each in failed.items()} == {
        "broken": 422, "gone": 422, "unknown": 400, "text": 400,
    }  # fmt: skip
    assert failed["gone"]["body"]["error"]["code"] == "FILE_MISSING"
    with pytest.raises(openai.BadRequestError, match="in batches only"):
        client.post("/extract", body={"file": good.id}, cast_to=object)
