"""Requests that are answered at once, and embeddings, asked by the official client of OpenAI."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from db.access import Role
from db.documents import NewDocument
from db.store import Store
from docmill.web.openai_api import inference
from docmill.web.openai_api.errors import ApiError
from scheduler.requests import JobRequest, submit
from tests.db.builders import add
from tests.servers import until
from tests.web.mill import Mill, mill, request
from tests.web.test_openai_batches import client_of, create, errors_of, output_of

openai = pytest.importorskip("openai")

WORDS = [
    "금리",
    "인상",
    "환율",
    "수출",
    "반도체",
    "the",
    "bank",
    "raises",
    "rates",
    "exports",
    "of",
    "chips",
    "grow",
]


@pytest.fixture
def works(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mill]:
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))
    with mill(sqlite_store) as made:
        yield made


@pytest.fixture
def client(works: Mill) -> Iterator[Any]:
    made = client_of(works.store)
    yield made
    made._client.app.state.inference.close()


def train(works: Mill, name: str = "news") -> None:
    """A small Doc2Vec model."""
    texts = [" ".join(WORDS[n % 7 :] + WORDS[: n % 5]) for n in range(30)]
    add(works.store, [NewDocument(f"k{n}", text, None, f"f:{n}") for n, text in enumerate(texts)])
    parameters = {"vector_size": 16, "epochs": 2, "min_count": 1}
    with works.store.write() as session:
        submit(session, JobRequest("train-similarity", "news", model=name, parameters=parameters))
    works.run()


def test_vectors_at_once_and_in_a_batch_are_those_of_similarity(works: Mill, client: Any) -> None:
    train(works)
    texts = ["금리 인상", "exports of chips grow", "환율 배당 the bank"]
    # The client asks for base64 and decodes it.
    found = client.embeddings.create(model="news", input=texts)
    assert found.model == "news@1"
    assert found.usage.prompt_tokens == found.usage.total_tokens > 6
    vectors = [each.embedding for each in found.data]
    assert [len(vector) for vector in vectors] == [16, 16, 16]
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1.0] * 3, abs=1e-5)
    as_floats = client.embeddings.create(model="news", input=texts[0], encoding_format="float", dimensions=16)
    assert as_floats.data[0].embedding == pytest.approx(vectors[0], abs=1e-6)
    bodies = [
        {"input": texts, "model": "news"},
        {"input": texts[1], "model": "news@1", "encoding_format": "base64"},
        {"input": texts[0], "model": "news", "dimensions": 8},
        {"input": "제 zzz", "model": "news"},
        {"input": texts[0], "model": "nothing"},
        {"input": [1, 2, 3], "model": "news"},
    ]
    lines = [request(f"r{n}", body, "/v1/embeddings") for n, body in enumerate(bodies)]
    batch = create(client, lines, "/v1/embeddings")
    works.run()
    batch = client.batches.retrieve(batch.id)
    output = {line["custom_id"]: line["response"]["body"] for line in output_of(client, batch)}
    assert sorted(output) == ["r0", "r1"]
    assert [each["index"] for each in output["r0"]["data"]] == [0, 1, 2]
    for each, vector in zip(output["r0"]["data"], vectors, strict=True):
        assert each["embedding"] == pytest.approx(vector, abs=1e-5)
    assert isinstance(output["r1"]["data"][0]["embedding"], str)
    failed = {line["custom_id"]: line["response"] for line in errors_of(client, batch)}
    codes = {key: (each["status_code"], each["body"]["error"]["code"]) for key, each in failed.items()}
    assert codes == {
        "r2": (422, "DIMENSIONS"),
        "r3": (422, "NO_KNOWN_WORDS"),
        "r4": (404, "model_not_found"),
        "r5": (400, None),
    }
    assert "cannot be shortened to 8" in failed["r2"]["body"]["error"]["message"]
    batch_counts = batch.request_counts
    assert (batch_counts.total, batch_counts.completed, batch_counts.failed) == (6, 2, 4)


def test_a_wrong_request_is_refused_at_once(works: Mill, client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'news'"):
        client.embeddings.create(model="news", input="금리")
    with pytest.raises(openai.BadRequestError, match="token numbers"):
        client.embeddings.create(model="news", input=[[1, 2]])
    for body, said in (
        ({"input": " "}, "empty or blank"),
        ({"input": "a", "sentenses": 1}, "did you mean 'sentences'"),
        ({"input": "a", "sentences": 0}, "from 1 to 10,000"),
        ({"input": "a\0b"}, "NUL"),
        ({"input": "a", "query": "b\0"}, "NUL"),
        ({"input": "a", "model": "x", "method": "lead"}, "leave model out"),
        ({"text": "a"}, "input must be a string"),
    ):
        with pytest.raises(openai.BadRequestError, match=said):
            client.post("/summarize", body=body, cast_to=object)
    with pytest.raises(openai.APIStatusError, match="send a batch"):
        client.post("/summarize", body={"input": "a" * 300_000}, cast_to=object)
    reader = client_of(works.store, Role.READ)
    with pytest.raises(openai.PermissionDeniedError):
        reader.embeddings.create(model="news", input="금리")


def test_a_process_that_dies_or_hangs_is_replaced(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.post("/oracle", body={"input": "a"}, cast_to=object)["object"] == "oracle"
    with pytest.raises(openai.InternalServerError, match="died over this request"):
        client.post("/oracle", body={"input": "!exit"}, cast_to=object)
    with pytest.raises(openai.InternalServerError, match="asked to raise"):
        client.post("/oracle", body={"input": "!raise"}, cast_to=object)
    with monkeypatch.context() as patch:
        patch.setattr(inference, "ANSWER_SECONDS", 0.2)
        with pytest.raises(openai.InternalServerError, match="longer than"):
            client.post("/oracle", body={"input": "!hang"}, cast_to=object)
    assert client.post("/oracle", body={"input": "b"}, cast_to=object)["object"] == "oracle"


def test_the_end_of_the_server_waits_for_no_request(works: Mill) -> None:
    asked: dict[str, Any] = {"kind": "oracle", "parameters": {}, "model_version_id": None, "texts": ["a"]}
    runs = inference.Inference(works.store)
    runs.run(asked)
    child = runs._process
    assert child is not None
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(runs.run, asked | {"texts": ["!hang"]}) for _ in range(2)]
        until(lambda: runs._places._value == inference.MOST_WAITING - 2, "two requests")
        began = time.monotonic()
        runs.close()
        assert time.monotonic() - began < 10
        for each in both:
            with pytest.raises(ApiError, match="the server is stopping"):
                each.result(30)
    assert child.poll() is not None
    with pytest.raises(ApiError, match="the server is stopping"):
        runs.run(asked)
    assert runs._process is None


SERVER = """
import sys
from db.store import Store
from docmill.web.openai_api.inference import Inference
asked = {"kind": "oracle", "parameters": {}, "model_version_id": None, "texts": ["a"]}
process = Inference(Store(sys.argv[1]))
process.run(asked)
print(process._process.pid, flush=True)
process.run(asked | {"texts": ["!hang"]})
"""


def test_the_process_does_not_outlive_a_server_that_is_killed_in_a_request(works: Mill) -> None:
    url = works.store.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, "-c", SERVER, url], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        child = psutil.Process(int(server.stdout.readline()))
        server.kill()
    child.wait(60)
