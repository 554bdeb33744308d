"""Similarity from texts to neighbours: a small bilingual world in which gold is known."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from nlp_tasks.errors import DocumentError, ModelFileError, TrainingError
from nlp_tasks.kind import Document, Setup, Vectors
from nlp_tasks.similarity import (
    SIMILARITY,
    TRAIN_SIMILARITY,
    NeighbourRow,
    SimilarityParameters,
    TrainSimilarityParameters,
    VectorRow,
)

WORDS = {
    "은행": "은행 대출 금리 예금 이자 고객 계좌 송금 환율 신용",
    "농업": "농부 벼 수확 비료 논 밭 씨앗 트랙터 가뭄 작물",
    "space": "rocket orbit satellite launch engine astronaut moon payload gravity telescope",
    "court": "judge lawyer appeal verdict court statute hearing plaintiff witness evidence",
}
SMALL = TrainSimilarityParameters(vector_size=24, epochs=60, min_count=1, sample=0.0)


def _text(topic: str, seed: int) -> str:
    return " ".join(random.Random(f"{topic} {seed}").choices(WORDS[topic].split(), k=30))


@dataclass(frozen=True)
class Documents:
    documents: list[Document]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


DOCUMENTS = Documents(
    [
        Document(100 + 10 * i, f"{topic}-{i}", _text(topic, i))
        for i in range(25)
        for topic in [list(WORDS)[i % 4]]
    ]
)


def _train(model_dir: Path, parameters: TrainSimilarityParameters = SMALL) -> dict[str, float]:
    assert TRAIN_SIMILARITY.train is not None
    return TRAIN_SIMILARITY.train(DOCUMENTS, parameters, "cpu", model_dir, lambda *_: None)


def _infer(model_dir: Path, documents: list[Document], together: int = 100) -> list[bytes | str]:
    runner = SIMILARITY.stages[0].open(Setup(SimilarityParameters(), model_dir=model_dir))
    batches = [documents[i : i + together] for i in range(0, len(documents), together)]
    results = [result for batch in batches for result in runner.run(batch)]
    return [each.code if isinstance(each, DocumentError) else each[0].vector for each in results]  # type: ignore[attr-defined]


def _inferred(model_dir: Path, documents: list[Document]) -> list[VectorRow]:
    runner = SIMILARITY.stages[0].open(Setup(SimilarityParameters(), model_dir=model_dir))
    return [result[0] for result in runner.run(documents)]  # type: ignore[index,misc]


def _corpus(documents: list[Document], rows: list[VectorRow]) -> Callable[[], Vectors]:
    matrix = np.stack([np.frombuffer(row.vector, "<f4") for row in rows])
    ids, keys = np.array([d.id for d in documents]), [d.key for d in documents]
    return lambda: Vectors(ids, keys, matrix, [row.terms for row in rows])


@pytest.fixture(scope="module", params=["dbow", "dm"])
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    parameters = TrainSimilarityParameters(
        architecture=request.param, vector_size=24, epochs=60, min_count=1, sample=0.0
    )
    _train(folder, parameters)
    return folder


@pytest.mark.parametrize("method", ["doc2vec", "hybrid"])
def test_the_nearest_documents_are_those_of_the_same_topic_in_both_languages(
    model_dir: Path, method: str
) -> None:
    documents = DOCUMENTS.documents
    rows = _inferred(model_dir, documents)
    parameters = SimilarityParameters(k=3, method=method)
    search = SIMILARITY.stages[1].open(
        Setup(parameters, model_dir=model_dir, corpus=_corpus(documents, rows))
    )
    queries = [Document(d.id, d.key, "") for d in documents]
    topic = {d.id: d.key.split("-")[0] for d in documents}
    same_topic = []
    for document, found in zip(documents, search.run(queries), strict=True):
        neighbours = [row for row in found if isinstance(row, NeighbourRow)]  # type: ignore[union-attr]
        assert [row.rank for row in neighbours] == [1, 2, 3]
        near = [row.neighbour_id for row in neighbours]
        assert document.id not in near
        same_topic += [topic[id_] == topic[document.id] for id_ in near]
    assert np.mean(same_topic) >= 0.9  # chance is 0.23


def test_a_vector_does_not_depend_on_its_batch(model_dir: Path) -> None:
    long = [Document(1, "long", " ".join(d.text for d in DOCUMENTS.documents) * 3)]
    documents = long + DOCUMENTS.documents
    together, alone = _infer(model_dir, documents), _infer(model_dir, documents, together=1)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(np.frombuffer(one, "<f4"), np.frombuffer(other, "<f4"), atol=1e-5)  # type: ignore[call-overload]


@pytest.mark.long
def test_a_vector_does_not_depend_on_the_process(model_dir: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from nlp_tasks.similarity import SIMILARITY, SimilarityParameters;"
        "from nlp_tasks.kind import Document, Setup;"
        "r = SIMILARITY.stages[0].open(Setup(SimilarityParameters(), model_dir=Path(sys.argv[1])));"
        "print(r.run([Document(1, 'a', sys.argv[2])])[0][0].vector.hex())"
    )
    text = DOCUMENTS.documents[0].text
    command = [sys.executable, "-c", script, str(model_dir), text]
    # All else as here: OPENBLAS_CORETYPE, where it is set, chooses other sums than the processor would.
    environments = [os.environ | {"PYTHONHASHSEED": seed} for seed in ("1", "2")]
    there = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=Path.cwd())
        for env in environments
    ]
    here = _infer(model_dir, [Document(1, "a", text)])[0]
    assert isinstance(here, bytes)
    assert [each.stdout.strip() for each in there] == [here.hex()] * 2


def test_words_past_ten_thousand_count(model_dir: Path) -> None:
    topic, other = (" ".join(WORDS[name].split() * 1100) for name in ("space", "court"))
    alone, longer = _infer(model_dir, [Document(1, "a", topic), Document(2, "b", f"{topic} {other}")])
    assert alone != longer


def test_texts_without_known_words_are_errors_and_cost_only_themselves(model_dir: Path) -> None:
    documents = [
        Document(1, "blank", " \n\t"),
        Document(2, "unknown", "zzzz 뷁뷁뷁"),
        DOCUMENTS.documents[0],
    ]
    blank, unknown, good = _infer(model_dir, documents)
    assert (blank, unknown) == ("EMPTY_TEXT", "NO_KNOWN_WORDS")
    assert isinstance(good, bytes)


def test_training_twice_gives_the_same_files(tmp_path: Path) -> None:
    metrics = [_train(tmp_path / name) for name in ("a", "b")]
    assert metrics[0] == metrics[1]
    for name in ("config.json", "weights.safetensors", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_another_seed_gives_another_model(tmp_path: Path) -> None:
    _train(tmp_path / "a")
    _train(
        tmp_path / "b", TrainSimilarityParameters(vector_size=24, epochs=60, min_count=1, sample=0.0, seed=1)
    )
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() != (
        tmp_path / "b" / "weights.safetensors"
    ).read_bytes()


def test_metrics_say_what_was_learned(tmp_path: Path) -> None:
    metrics = _train(tmp_path, TrainSimilarityParameters(vector_size=24, epochs=60, min_count=2, sample=0.0))
    assert metrics["n_documents"] == 25
    assert metrics["n_words"] == pytest.approx(25 * 30, rel=0.01)
    assert 30 <= metrics["vocabulary"] <= 45
    assert 0 <= metrics["unknown_share"] < 0.1
    assert metrics["self_rank"] > 0.5


@pytest.mark.parametrize(
    ("trainer", "n", "last"), [("torch", 21, "step 20 of 20"), ("gensim", 61, "epoch 60 of 60")]
)
def test_progress_rises_to_the_end(trainer: str, n: int, last: str, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    assert TRAIN_SIMILARITY.train is not None
    parameters = replace(SMALL, trainer=trainer)
    TRAIN_SIMILARITY.train(DOCUMENTS, parameters, "cpu", tmp_path, lambda *step: steps.append(step))
    done = [step for step, _, _ in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1][1] == n * 25
    assert last in steps[-1][2]


@pytest.mark.parametrize("texts", [[], [""], ["\n", " "], ["하나뿐인 문서"]])
def test_too_little_text_is_a_training_error(texts: list[str], tmp_path: Path) -> None:
    assert TRAIN_SIMILARITY.train is not None
    documents = Documents([Document(i, str(i), text) for i, text in enumerate(texts)])
    with pytest.raises(TrainingError):
        TRAIN_SIMILARITY.train(documents, SMALL, "cpu", tmp_path, lambda *_: None)


def test_a_rare_vocabulary_is_a_training_error_that_names_min_count(tmp_path: Path) -> None:
    assert TRAIN_SIMILARITY.train is not None
    with pytest.raises(TrainingError, match="min_count"):
        TRAIN_SIMILARITY.train(
            DOCUMENTS, TrainSimilarityParameters(min_count=10_000), "cpu", tmp_path, lambda *_: None
        )


def test_a_damaged_model_is_a_model_file_error(tmp_path: Path) -> None:
    _train(tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ModelFileError):
        SIMILARITY.stages[0].open(Setup(SimilarityParameters(), model_dir=tmp_path))


def test_the_light_module_imports_no_heavy_library() -> None:
    script = (
        "import sys, nlp_tasks.similarity;"
        "sys.exit(len({'torch', 'gensim', 'numpy', 'mecab'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "bad", [{"method": "lsa"}, {"terms": -1}, {"k": 0}, {"k": 1001}, {"min_score": 2}, {"scope": "world"}]
)
def test_bad_search_parameters_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        SimilarityParameters(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [{"architecture": "x"}, {"vector_size": 0}, {"epochs": 0}, {"negative": 0}, {"alpha": 0}, {"seed": -1}],
)
def test_bad_training_parameters_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        TrainSimilarityParameters(**bad)  # type: ignore[arg-type]


def test_rows_name_their_tables() -> None:
    assert [row.table for row in SIMILARITY.rows] == [
        "document_vector",
        "neighbour",
        "neighbour_term",
        "neighbour_recall",
    ]
