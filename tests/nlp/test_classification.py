"""Training a classifier and labelling with it, by the default architecture."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_tasks import model_files
from nlp_tasks.classification import (
    CLASSIFY,
    TRAIN_CLASSIFY,
    ClassifyParameters,
    LabelRow,
    TermRow,
    TrainParameters,
    attribution,
    calibration,
)
from nlp_tasks.classification.linear import features, word_weights
from nlp_tasks.errors import DocumentError, ModelFileError, TrainingError
from nlp_tasks.kind import Document, Documents, Runner, Setup
from readers import label_text

SPORT = [
    "the striker scored a late goal",
    "선수들이 후반에 골을 넣었다",
    "a penalty in the cup match",
    "리그 경기에서 이겼다",
]
MONEY = [
    "the bank raised its interest rate",
    "은행이 금리를 올렸다",
    "shares and bonds fell today",
    "주가와 채권이 내렸다",
]


class Listed:
    """Documents from a list, read anew at every iteration."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


def labelled(copies: int = 10) -> Documents:
    texts = [(text, "sport") for text in SPORT] + [(text, "money") for text in MONEY]
    pairs = [(f"{text} {number}", label) for number in range(copies) for text, label in texts]
    return Listed([Document(i, f"key-{i}", text, label) for i, (text, label) in enumerate(pairs)])


def train(documents: Documents, model_dir: Path, **parameters: object) -> dict[str, float]:
    assert TRAIN_CLASSIFY.train is not None
    model_dir.mkdir()
    chosen = TrainParameters(**parameters)  # type: ignore[arg-type]
    return TRAIN_CLASSIFY.train(documents, chosen, "cpu", model_dir, lambda *_: None)


def opened(model_dir: Path, **parameters: object) -> Runner:
    chosen = ClassifyParameters(**parameters)  # type: ignore[arg-type]
    return CLASSIFY.stages[0].open(Setup(parameters=chosen, model_dir=model_dir))


@pytest.fixture(scope="module", params=["linear", "naive-bayes", "morphemes"])
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classification") / "model"
    train(labelled(), folder, arch=request.param)
    return folder


def test_korean_and_english_documents_get_their_labels(model_dir: Path) -> None:
    documents = [Document(1, "a", "a goal in the cup"), Document(2, "b", "은행이 금리를 내렸다")]
    results = opened(model_dir).run(documents)
    assert [[row.label for row in rows] for rows in results] == [["sport"], ["money"]]


def test_a_blank_document_is_an_error_of_its_own(model_dir: Path) -> None:
    documents = [Document(1, "a", " \n\t"), Document(2, "b", "the striker scored")]
    blank, good = opened(model_dir).run(documents)
    assert isinstance(blank, DocumentError)
    assert blank.code == "EMPTY_TEXT"
    assert [row.label for row in good] == ["sport"]


def test_top_n_gives_descending_probabilities_that_sum_to_one(model_dir: Path) -> None:
    (rows,) = opened(model_dir, top_n=5).run([Document(1, "a", "골을 넣었다")])
    assert [(row.rank, row.label) for row in rows] == [(1, "sport"), (2, "money")]
    assert rows[0].score > rows[1].score
    assert sum(row.score for row in rows) == pytest.approx(1)


def test_below_min_score_there_is_a_reason_instead_of_a_label(model_dir: Path) -> None:
    (rows,) = opened(model_dir, min_score=1.0).run([Document(1, "a", "zxqv")])
    assert rows == [LabelRow(1, None, rows[0].score, rows[0].reason)]
    assert "under 1" in rows[0].reason


def test_a_text_without_a_known_ngram_still_gets_a_label(model_dir: Path) -> None:
    (rows,) = opened(model_dir).run([Document(1, "a", "⠿⠿⠿")])
    assert rows[0].label in ("sport", "money")


def test_results_do_not_depend_on_the_batch(model_dir: Path) -> None:
    runner = opened(model_dir)
    documents = [Document(i, str(i), text) for i, text in enumerate(SPORT + MONEY)]
    together = [rows[0].score for rows in runner.run(documents)]
    alone = [runner.run([document])[0][0].score for document in documents]
    assert together == pytest.approx(alone, rel=1e-5)


def test_training_twice_makes_the_same_model(tmp_path: Path) -> None:
    train(labelled(), tmp_path / "one")
    train(labelled(), tmp_path / "two")
    _, one = model_files.load(tmp_path / "one")
    _, two = model_files.load(tmp_path / "two")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_metrics_and_evaluation_describe_the_held_out_documents(tmp_path: Path) -> None:
    metrics = train(labelled(), tmp_path / "model")
    evaluation = json.loads((tmp_path / "model" / "evaluation.json").read_text(encoding="utf-8"))
    assert metrics["accuracy"] == 1.0
    assert metrics["n_train"] + metrics["n_held_out"] == 80
    assert np.sum(evaluation["confusion"]["counts"]) == metrics["n_held_out"]
    assert {figures["label"] for figures in evaluation["labels"]} == {"sport", "money"}


@pytest.mark.parametrize("arch", ["linear", "naive-bayes", "morphemes"])
def test_probabilities_are_as_sure_as_the_labels_are(tmp_path: Path, arch: str) -> None:
    random = np.random.default_rng(4)
    noisy = [
        Document(
            d.id, d.key, d.text, str(random.choice(["sport", "money"])) if random.random() < 0.5 else d.label
        )
        for d in labelled(100)
    ]
    train(Listed(noisy), tmp_path / "model", arch=arch)
    unseen = list(labelled(120))[len(noisy) :]
    found = opened(tmp_path / "model").run(unseen)
    # Half of the labels are thrown dice, so three in four are what the text says.
    assert np.mean([rows[0].score for rows in found]) == pytest.approx(0.75, abs=0.1)


def test_one_label_cannot_be_learned(tmp_path: Path) -> None:
    documents = Listed([Document(i, str(i), text, "sport") for i, text in enumerate(SPORT)])
    with pytest.raises(TrainingError, match="only the label 'sport'"):
        train(documents, tmp_path / "model")


def test_one_document_per_label_cannot_be_measured(tmp_path: Path) -> None:
    documents = Listed([Document(1, "a", "goal", "sport"), Document(2, "b", "rate", "money")])
    with pytest.raises(TrainingError, match="label more documents"):
        train(documents, tmp_path / "model")


def test_a_label_with_one_document_is_learned_but_not_measured(tmp_path: Path) -> None:
    rare = Document(999, "rare", "비가 오고 바람이 분다", "weather")
    train(Listed([*labelled(), rare]), tmp_path / "model")
    evaluation = json.loads((tmp_path / "model" / "evaluation.json").read_text(encoding="utf-8"))
    assert {f["label"]: f["documents"] for f in evaluation["labels"]}["weather"] == 0
    (rows,) = opened(tmp_path / "model", top_n=3).run([Document(1, "a", "비가 오고 바람이 분다")])
    assert "weather" in [row.label for row in rows]


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    train(labelled(), tmp_path / "model")
    with (tmp_path / "model" / "weights.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\xff\xff\xff\xff")
    with pytest.raises(ModelFileError, match="damaged"):
        opened(tmp_path / "model")


@pytest.mark.parametrize(
    "bad", [{"arch": "magic"}, {"held_out": 0.0}, {"class_weights": "some"}, {"epochs": -1}]
)
def test_bad_training_parameters_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        TrainParameters(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"top_n": -1}, {"min_score": 1.5}, {"evidence": 101}])
def test_bad_labelling_parameters_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        ClassifyParameters(**bad)  # type: ignore[arg-type]


# --- evidence -----------------------------------------------------------------------------------------------------


def test_evidence_names_the_terms_that_spoke_for_the_label(model_dir: Path) -> None:
    text = "the striker raised a goal"
    (rows,) = opened(model_dir, evidence=5).run([Document(1, "a", text)])
    terms = [row for row in rows if isinstance(row, TermRow)]
    assert rows[0].label == "sport"
    assert [term.rank for term in terms] == list(range(1, len(terms) + 1))
    assert terms
    assert [term.weight for term in terms] == sorted((term.weight for term in terms), reverse=True)
    assert {term.term for term in terms} <= set(text.split()) - {"a"}
    assert {term.label for term in terms} == {"sport"}
    (plain,) = opened(model_dir).run([Document(1, "a", text)])
    assert plain == rows[:1]


EVIDENCE = "선수들이 후반에 골을 넣었다! 선수들을 본 a 선수들의 fans, and the striker's goal... !!"


@pytest.mark.parametrize("most", [3, 100])
def test_evidence_is_words_without_their_parts_particles_and_signs(model_dir: Path, most: int) -> None:
    (rows,) = opened(model_dir, evidence=most).run([Document(1, "a", EVIDENCE)])
    terms = [row.term for row in rows if isinstance(row, TermRow)]
    assert 0 < len(terms) <= most
    assert all(attribution.is_word(term) and re.fullmatch(r"\w+", term) for term in terms)
    assert not [(a, b) for a in terms for b in terms if a != b and a[0] >= "가" and b.startswith(a)]
    assert not {"선수들이", "선수들을", "선수들의", "후반에"} & set(terms)


def test_evidence_says_something_if_the_text_does() -> None:
    weighted = [
        ("있는", 9.0),
        ("goals", 8.0),
        ("ㅠㅠ", 7.5),
        ("goal", 7.0),
        ("the", 6.0),
        ("not", 5.0),
        ("감동", 4.0),
    ]

    assert attribution.words(weighted, 3) == [("goals", 8.0), ("not", 5.0), ("감동", 4.0)]
    assert attribution.words(weighted, 5) == [pair for pair in weighted if pair[0] not in ("ㅠㅠ", "goal")]


def test_laughter_is_not_a_part_of_a_word(model_dir: Path) -> None:
    (rows,) = opened(model_dir, evidence=9).run([Document(1, "a", "ㅋㅋ선수들ㅠㅠ 골ㅋ 후반ㅡㅡ")])
    assert not [row for row in rows if isinstance(row, TermRow) and re.search("[ㄱ-ㅣ]", row.term)]


def test_a_long_run_of_letters_is_no_evidence(model_dir: Path) -> None:
    (rows,) = opened(model_dir, evidence=5).run([Document(1, "a", "striker" * 2_000 + " the goal")])

    terms = [row.term for row in rows if isinstance(row, TermRow)]
    assert all(len(term) <= 100 for term in terms)


@pytest.mark.parametrize(
    "text", [EVIDENCE, "ㅋㅋㅋㅋ 골골골골골 골ㅋ ㅋㅋㅋㅋ", "goal", "!!", "은행이 금리를", "\n골 \u2028 골\t"]
)
def test_words_share_what_their_ngrams_add(model_dir: Path, text: str) -> None:
    runner: Any = opened(model_dir)
    config, matrix = runner.classifier.vocabulary.config, runner.classifier.weights.matrix
    rows = features.weigh(features.count([text], config, lambda: None), runner.classifier.vocabulary)
    added = matrix[torch.from_numpy(rows.columns)][:, 0].numpy().astype(float) * rows.values
    buckets = runner.classifier.vocabulary.buckets[rows.columns].astype(np.int64)
    shared = word_weights.of_words(text, config, buckets, added)
    assert sum(weight for _, weight in shared) == pytest.approx(added.sum(), abs=1e-5)


def test_without_the_words_shown_the_label_is_less_probable_than_without_others(model_dir: Path) -> None:
    text = "today the striker scored a goal in the rain and the crowd went home"
    runner: Any = opened(model_dir, evidence=2)
    (rows,) = runner.run([Document(1, "a", text)])
    shown = [row.term for row in rows if isinstance(row, TermRow)]

    def left(words: Sequence[str]) -> float:
        kept = " ".join(word for word in text.split() if word not in words)
        logits = runner.classifier.logits([kept], lambda: None)[0]
        label = runner.labels.index(rows[0].label)
        return float(logits[label] - np.delete(logits, label).max())

    others = [word for word in text.split() if word not in shown and len(word) > 1]
    assert left(shown) < min(left(pair) for pair in itertools.combinations(others, len(shown)))


def test_the_weights_of_all_terms_and_the_bias_are_the_score(model_dir: Path) -> None:
    runner: Any = opened(model_dir)
    text = "the striker raised a goal 골을 넣었다"
    (terms,) = runner.classifier.explain([text], [0], 10_000, lambda: None)
    (against,) = runner.classifier.explain([text], [1], 10_000, lambda: None)
    logits = runner.classifier.logits([text], lambda: None)[0]
    bias = runner.classifier.weights.bias.numpy()
    pulled = sum(weight for _, weight in terms) - sum(weight for _, weight in against)
    assert pulled == pytest.approx(float(logits[0] - logits[1] - bias[0] + bias[1]) / 2, rel=1e-3)


def test_a_document_without_a_label_has_no_evidence(model_dir: Path) -> None:
    (rows,) = opened(model_dir, min_score=1.0, evidence=3).run([Document(1, "a", "zxqv")])
    assert [row.table for row in rows] == ["classification"]


# --- several labels -----------------------------------------------------------------------------------------------

TOPICS = {
    "sport": "the striker scored a goal",
    "money": "은행이 금리를 올렸다",
    "weather": "비가 오고 바람이 분다",
}


def listed() -> Documents:
    """Documents about none, one, two or three topics, and their list of labels."""
    documents = []
    for number in range(160):
        topics = [topic for place, topic in enumerate(TOPICS) if number >> place & 1]
        text = " ".join([f"number {number} of these", *(TOPICS[topic] for topic in topics)])
        documents.append(Document(number, f"key-{number}", text, label_text.canonical(topics)))
    return Listed(documents)


@pytest.fixture(scope="module", params=["linear", "ensemble"])
def several_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "model"
    metrics = train(listed(), folder, arch=request.param, epochs=0 if request.param == "linear" else 20)
    assert metrics["micro_f1"] > 0.9
    assert metrics["macro_f1"] > 0.9
    return folder


def test_a_document_gets_every_label_that_applies_by_rank(several_dir: Path) -> None:
    text = f"{TOPICS['sport']} {TOPICS['weather']}"
    (rows,) = opened(several_dir).run([Document(1, "a", text)])
    assert {row.label for row in rows} == {"sport", "weather"}
    assert [row.rank for row in rows] == [1, 2]
    assert rows[0].score >= rows[1].score
    (best,) = opened(several_dir, top_n=1).run([Document(1, "a", text)])
    assert best == rows[:1]


def test_where_no_label_applies_the_reason_says_so(several_dir: Path) -> None:
    (rows,) = opened(several_dir).run([Document(1, "a", "number 7 of these")])
    assert [row.label for row in rows] == [None]
    assert "no label applies" in rows[0].reason


def test_an_architecture_of_one_label_refuses_lists(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="arch naive-bayes gives one label"):
        train(listed(), tmp_path / "model", arch="naive-bayes")


def test_a_threshold_is_where_f1_is_best() -> None:
    truth = np.array([[1], [1], [1], [0], [0], [0]] * 5)
    probabilities = np.array([[0.9], [0.4], [0.35], [0.2], [0.1], [0.1]] * 5)
    (threshold,) = calibration.thresholds(probabilities, truth)
    assert 0.2 < threshold <= 0.35
