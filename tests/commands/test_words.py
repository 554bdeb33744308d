"""`docmill train words` and `docmill words`: on both databases, and with a worker process the whole way."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from gensim.models import KeyedVectors

from docmill import AsyncClient, Client
from docmill.errors import InvalidRequestError, NotFoundError, UnsupportedError
from nlp_tasks import model_files
from tests.commands.conftest import Shell
from tests.faults.stack import Stack
from tests.servers import missing_redis, until
from workers.running.opening import model_folder

#: Two fields whose words are never in one text, so that a word's neighbours are certain.
FIELDS = (("금리", "은행", "대출", "환율", "채권"), ("투수", "타자", "홈런", "야구", "감독"))
SMALL = tuple(
    word for pair in ("vector_size=10", "epochs=30", "min_count=1", "sample=0") for word in ("-p", pair)
)
TRAIN = ("train", "words", "--collection", "inbox", "--model", "fields", *SMALL)


def texts(n: int = 40, n_words: int = 30) -> list[str]:
    """Texts of one field each."""
    random = np.random.default_rng(3)
    return [" ".join(random.choice(FIELDS[number % 2], n_words)) for number in range(n)]


def train(shell: Shell) -> Shell:
    shell.texts(*texts())
    shell.work(shell(*TRAIN, "--json").json["job"])
    return shell


@pytest.fixture
def trained(shell: Shell) -> Shell:
    return train(shell)


def test_words_of_one_field_are_near(trained: Shell) -> None:
    for field in FIELDS:
        for word in field:
            found = trained("words", "nearest", word, "-n", 4, "--json").json
            assert {each["word"] for each in found} == set(field) - {word}
            assert [each["rank"] for each in found] == [1, 2, 3, 4]
            assert all(0.5 < each["score"] <= 1.0 and each["count"] > 50 for each in found)
    together = trained("words", "nearest", "투수", "타자", "--n", "3", "--json").json
    assert {each["word"] for each in together} == {"홈런", "야구", "감독"}
    said = trained("words", "nearest", "금리", "--model", "fields@1")
    assert "은행" in said.out
    assert said.err == "compared by the model fields@1\n"
    assert "10 words" in trained("models", "list").out


def test_the_files_of_a_model_are_read_once_for_many_questions(
    trained: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "FRESH_SECONDS", -1.0)
    trained("words", "nearest", "금리")
    read: list[Path] = []
    digest_of = model_files.sha256_of

    def noted(path: Path) -> str:
        read.append(path)
        return digest_of(path)

    monkeypatch.setattr(model_files, "sha256_of", noted)
    monkeypatch.setattr(model_folder, "__defaults__", (noted,))
    monkeypatch.setattr(model_files.check, "__defaults__", (noted,))
    trained("words", "nearest", "금리")
    assert not read


def test_the_python_client_answers_the_same(trained: Shell) -> None:
    url = trained.store.url.render_as_string(hide_password=False)
    with Client(url) as client:
        assert client.nearest_words("금리", n=3) == (
            trained("words", "nearest", "금리", "-n", 3, "--json").json
        )
        assert client.nearest_words(["투수", "타자"])[0]["word"] in FIELDS[1]
        assert client.word_analogy("금리", "은행", "투수", n=2, model="fields") == (
            trained("words", "analogy", "금리", "은행", "투수", "-n", 2, "--json").json
        )
        with pytest.raises(InvalidRequestError, match="spelled alike are 홈런"):
            client.nearest_words("홈럼")
        for words, n in (([], 1), (["금리"], 0)):
            with pytest.raises(InvalidRequestError, match="at least"):
                client.nearest_words(words, n=n)
        with pytest.raises(NotFoundError, match="train words"):
            client.nearest_words("금리", model="other")
    with Client("http://127.0.0.1:9", key="k") as far, pytest.raises(UnsupportedError, match="docmill words"):
        far.nearest_words("금리")

    async def asked() -> list[dict[str, object]]:
        async with AsyncClient(url) as client:
            assert len(await client.word_analogy("금리", "은행", "투수", n=2)) == 2
            return await client.nearest_words("금리", n=3)

    assert asyncio.run(asked()) == trained("words", "nearest", "금리", "-n", 3, "--json").json


def test_an_analogy_leaves_its_words_out(trained: Shell) -> None:
    found = trained("words", "analogy", "금리", "은행", "투수", "--json").json
    assert len(found) == 7
    assert not {"금리", "은행", "투수"} & {each["word"] for each in found}
    assert found[0]["word"] in FIELDS[1]


def test_a_word_in_another_form_is_found(trained: Shell) -> None:
    assert trained("words", "nearest", "금리가", "--json").json == (
        trained("words", "nearest", "금리", "--json").json
    )
    decomposed = unicodedata.normalize("NFD", "금리")
    assert trained("words", "nearest", decomposed, "--json").json == (
        trained("words", "nearest", "금리", "--json").json
    )
    joined = trained("words", "nearest", "은행대출", "--json").json
    apart = trained("words", "nearest", "은행", "대출", "--json").json
    assert [each["word"] for each in joined] == [each["word"] for each in apart]


def test_an_unknown_word_is_named_with_words_that_are_spelled_alike(trained: Shell) -> None:
    said = trained("words", "nearest", "금리", "홈럼", status=2).err
    assert "the model does not know '홈럼'" in said
    assert "spelled alike are 홈런" in said
    assert "no word is spelled alike" in trained("words", "analogy", "금리", "xyz", "은행", status=2).err


def test_a_model_that_is_not_there_or_of_another_kind_is_said(shell: Shell) -> None:
    shell.texts("one", "two", labels=["a", "b"])
    assert "`docmill train words`" in shell("words", "nearest", "one", status=1).err
    shell.work(shell("train", "gated", "--collection", "inbox", "--model", "g", "--json").json["job"])
    assert "one made by train-words is needed" in shell("words", "nearest", "a", "--model", "g", status=1).err


def test_vectors_are_exported_in_each_format(trained: Shell, tmp_path: Path) -> None:
    said = trained("words", "export", "--to", tmp_path / "v.txt").out
    assert said == f"{tmp_path / 'v.txt'}: the vectors of 10 words of fields@1\n"
    read = KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"))
    words = read.index_to_key
    assert set(words) == {*FIELDS[0], *FIELDS[1]}
    columns = ["rank", "word", "count", *(f"v{n}" for n in range(1, 11))]

    for suffix in ("csv", "jsonl", "parquet", "xlsx"):
        path = tmp_path / f"v.{suffix}"
        made = trained("words", "export", "--to", path, "--json").json
        assert (made["n_rows"], made["what"], made["format"]) == (10, "fields@1", suffix)
        assert [each["name"] for each in made["columns"]] == columns
        assert json.loads((tmp_path / f"v.{suffix}.manifest.json").read_text())["sha256"] == made["sha256"]
    with (tmp_path / "v.csv").open(encoding="utf-8", newline="") as file:
        [names, *rows] = csv.reader(file)
    assert names == columns
    objects = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text("utf-8").splitlines()]
    table = pyarrow.parquet.read_table(tmp_path / "v.parquet").to_pylist()
    assert objects == table
    for number, word in enumerate(words):
        assert (rows[number][0], rows[number][1], table[number]["word"]) == (str(number + 1), word, word)
        for vector in (rows[number][3:], list(table[number].values())[3:]):
            assert np.array(vector, dtype=np.float32).tobytes() == read[word].tobytes()

    trained("words", "export", "--to", f"{tmp_path}/out/", "--format", "txt", "--top", "3")
    assert (tmp_path / "out" / "fields.txt").read_text("utf-8").splitlines()[0] == "3 10"
    assert "add --format, or a suffix (.txt, .csv" in trained("words", "export", "--to", "v", status=2).err
    assert "--bom belongs to" in trained("words", "export", "--to", "v.txt", "--bom", status=2).err
    said = trained("models", "export", "fields", tmp_path / "model").out
    assert "KeyedVectors.load_word2vec_format(" in said
    assert (tmp_path / "model" / "vectors.txt").read_bytes() == (tmp_path / "v.txt").read_bytes()


def test_a_new_version_goes_through_the_gate_and_back(shell_on_both: Shell) -> None:
    trained = train(shell_on_both)
    trained.work(trained(*TRAIN, "-p", "seed=5", "--json").json["job"])
    [new, _] = trained("models", "show", "fields", "--json").json
    assert new["gate"]["passed"] is True
    assert {each["name"] for each in new["gate"]["figures"]} == {"unknown_share", "neighbours_kept"}
    assert new["aliases"] == ["champion"]
    trained("models", "rollback", "fields")
    assert trained("words", "nearest", "금리").err == "compared by the model fields@1\n"
    trained("models", "promote", "fields@2")
    assert trained("words", "nearest", "금리").err == "compared by the model fields@2\n"


@pytest.fixture
def stack() -> Iterator[Stack]:
    if missing := missing_redis():
        pytest.skip(missing)
    environment = {"OMP_NUM_THREADS": "1", "DOCMILL_LEASE_SECONDS": "60"}
    stack = Stack("sqlite", n_workers=1, environment=environment, kinds="train-words")
    yield stack
    stack.stop()


def checkpoint_is_there(stack: Stack) -> bool:
    return any((stack.home / "models" / ".building").glob("*/checkpoint/*.safetensors"))


@pytest.mark.stack
@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_worker_trains_is_killed_and_resumes_and_the_words_are_there(stack: Stack, tmp_path: Path) -> None:
    stack.start()
    stack.add(texts(60, 100), "inbox")
    assert stack.run(*TRAIN, "-p", "epochs=600").returncode == 0
    until(lambda: checkpoint_is_there(stack), "a checkpoint", 120)
    stack.busy_child().send_signal(signal.SIGKILL)

    until(lambda: stack.state(1) == "finished", "the end of the training", 120)
    assert stack.n_crashes(1) == 1
    found = json.loads(stack.run("words", "nearest", "금리", "-n", "4", "--json").stdout)
    assert {each["word"] for each in found} == set(FIELDS[0]) - {"금리"}
    assert stack.run("words", "export", "--to", str(tmp_path / "v.txt")).returncode == 0
    assert len(KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"))) == 10
