"""/v1/files and /v1/batches, asked by the official client of OpenAI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from db import access
from db.access import Role
from db.store import Store
from docmill.web.app import create_app
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
