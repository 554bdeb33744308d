"""`pretrained`: fine-tuning from the frozen head, by steps, with a rate for each layer; here on a tiny encoder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_tasks import checkpoint, model_files, training_curve
from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.classification.transformers import descent, logistic, pooled, pretrained
from nlp_tasks.encoders import open_folder
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Setup
from readers import label_text
from tests import encoder_folders

pytest.importorskip("transformers")

TOPICS = {"sport": ["goal", "striker", "골을", "match"], "money": ["bank", "rates", "금리를", "loan"]}
PROMPT = {"prompts": {"query": "query : "}, "default_prompt_name": "query"}


def documents(n: int, seed: int = 0, *, several: bool = False) -> list[Document]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        topics = ["sport", "money"] if several and number % 3 == 2 else [("sport", "money")[number % 2]]
        words = [word for topic in topics for word in random.choice(TOPICS[topic], 3)]
        text = " ".join([*words, *random.choice(["the", "a", "today"], 3)])
        label = label_text.canonical(topics) if several else topics[0]
        found.append(Document(number, f"k{number}", text, label))
    return found


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Without dropout, whose noise is larger than what the words of a text change in so small a model."""
    folder = encoder_folders.sentence_transformer(tmp_path / "encoder", settings=PROMPT)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _a_rate_for_a_tiny_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "LEARNING_RATE", 0.01)
    monkeypatch.setattr(logistic, "STRENGTHS", (0.01,))  # the choice takes longer than the training


def train(
    on: list[Document], folder: Path, encoder: Path, progress: Any = lambda *_: None, **parameters: Any
) -> dict[str, float]:
    assert TRAIN_CLASSIFY.train is not None
    chosen = TrainParameters(arch="pretrained", pretrained=str(encoder), **parameters)
    return TRAIN_CLASSIFY.train(on, chosen, "cpu", folder, progress)


def opened(folder: Path, **parameters: Any) -> Any:
    return CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(**parameters), model_dir=folder))


@pytest.mark.parametrize("normalize", [True, False])
def test_training_starts_where_the_frozen_encoder_ends(tmp_path: Path, normalize: bool) -> None:
    folder = encoder_folders.sentence_transformer(tmp_path / "e", normalize=normalize, settings=PROMPT)
    texts = [document.text for document in documents(30)]
    labels = np.arange(30) % 2
    frozen = open_folder(folder)
    rows = frozen.embed(texts, frozen.description.prompt(), "truncate").vectors
    head = logistic.fit(rows, labels, np.ones(2, np.float32), 0.01, lambda: None)
    classifier = pooled.open_folder(folder, 2, "cpu")
    classifier.model.start_from(head)
    ours = classifier.logits(texts, lambda: None)
    assert np.allclose(ours, head.scores(rows), atol=1e-4)


def test_the_scores_of_a_long_text_are_those_of_its_vector(encoder: Path) -> None:
    classifier = pooled.open_folder(encoder, 2, "cpu")
    texts = ["goal striker " * 30, "bank"]
    rows = classifier.vectors(classifier.windows(texts), lambda: None)
    with torch.no_grad():
        from_vectors = classifier.model.head(torch.from_numpy(rows)).numpy()
    assert np.allclose(classifier.logits(texts, lambda: None), from_vectors, atol=1e-5)


def test_lower_layers_learn_more_slowly_and_embeddings_not_at_all(encoder: Path, tmp_path: Path) -> None:
    model = pooled.open_folder(encoder, 2, "cpu").model
    of = {id(weight): group["rate"] for group in descent.rates(model) for weight in group["params"]}
    named = {name: of.get(id(weight)) for name, weight in model.named_parameters()}
    top, below = descent.LEARNING_RATE, descent.LEARNING_RATE * descent.DECAY_BY_LAYER
    assert named["head.weight"] == top
    assert named["body.encoder.layer.1.output.dense.weight"] == top
    assert named["body.encoder.layer.0.output.dense.weight"] == below
    assert {rate for name, rate in named.items() if "embed" in name} == {None}

    train(documents(60), tmp_path / "model", encoder, steps=8)
    before = {name: weight.numpy() for name, weight in model.state_dict().items()}
    after = opened(tmp_path / "model").classifier.model.state_dict()
    name = "body.embeddings.word_embeddings.weight"
    assert np.array_equal(before[name], after[name].numpy())


def test_steps_are_counted_and_better_weights_are_kept(encoder: Path, tmp_path: Path) -> None:
    totals: set[int] = set()
    points: list[training_curve.CurvePoint] = []

    def progress(_: int, total: int, note: str) -> None:
        if note.startswith("choosing"):
            totals.add(total)

    with training_curve.heard_by(points.append):
        metrics = train(documents(160), tmp_path / "model", encoder, progress, steps=32)
    assert totals == {32}
    assert metrics["accuracy"] > 0.8
    losses = [point.value for point in points if point.series == "validation_loss"]
    assert min(losses) < losses[0]
    assert {point.series for point in points} == {"loss", "validation_loss", "validation_accuracy"}


def test_a_training_that_only_spoils_the_model_gives_the_frozen_head(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descent, "LEARNING_RATE", 100.0)
    words = ("goal", "bank")
    easy = [Document(n, f"k{n}", " ".join([words[n % 2]] * (1 + n % 7)), words[n % 2]) for n in range(60)]
    metrics = train(easy, tmp_path / "model", encoder, steps=20)
    assert metrics["accuracy"] == 1
    given = pooled.open_folder(encoder, 2, "cpu").model.state_dict()
    for name, weight in opened(tmp_path / "model").classifier.model.state_dict().items():
        if name.startswith("body") and "pooler" not in name:
            assert torch.equal(weight, given[name]), name


def test_a_loss_that_is_not_a_number_is_not_the_best() -> None:
    course = Course(torch.nn.Linear(1, 1), [], np.random.default_rng(0), "cpu", None)
    assert course.judge(1.0)
    assert not course.judge(float("nan"))
    assert course.best == 1.0


def test_the_gradients_of_parts_add_up_to_that_of_the_batch(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(documents(60), tmp_path / "whole", encoder, steps=3)
    monkeypatch.setattr(descent, "PART_TOKENS_ON_CPU", 30)
    train(documents(60), tmp_path / "parts", encoder, steps=3)
    texts = [document.text for document in documents(10, seed=3)]
    one, other = (
        opened(tmp_path / name).classifier.logits(texts, lambda: None) for name in ("whole", "parts")
    )
    assert np.allclose(one, other, atol=1e-3)


class KilledError(Exception):
    """Stands for the end of the process: whatever raises it cannot clean up."""


def test_a_training_that_was_interrupted_in_both_parts_ends_with_the_same_model(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE", 1.0)
    train(documents(80), tmp_path / "whole", encoder, steps=32)
    folder = tmp_path / "interrupted"
    folder.mkdir()
    begun: list[int] = []
    parts = (("choosing", 13), ("choosing", 21), ("training on all", 9), ("training on all", 15), ("", 0))
    for part, last in parts:
        done: list[int] = []

        def progress(
            step: int, _: int, note: str, part: str = part, last: int = last, done: list[int] = done
        ) -> None:
            if part and note.startswith(part):
                done.append(step)
                if step > last:
                    raise KilledError

        with contextlib.suppress(KilledError):
            train(documents(80), folder, encoder, progress, steps=32)
        begun += done[:1]
        torch.manual_seed(last)

    # Each goes on from the last validation before the kill.
    assert begun[0] == begun[2] == 0
    assert begun[1] > 0
    assert begun[3] > 0
    _, whole = model_files.load(tmp_path / "whole")
    _, interrupted = model_files.load(folder)
    assert whole.keys() == interrupted.keys()
    assert all(np.array_equal(whole[name], interrupted[name]) for name in whole)
    assert not (folder / checkpoint.FOLDER).exists()


def test_lists_of_labels_are_learned(encoder: Path, tmp_path: Path) -> None:
    train(documents(90, several=True), tmp_path / "model", encoder, steps=8)
    rows = opened(tmp_path / "model").run([Document(1, "a", "goal striker bank loan", None)])
    assert {row.label for row in rows[0]} <= {"sport", "money", None}


def test_evidence_is_of_the_text_and_not_of_the_prompt(encoder: Path, tmp_path: Path) -> None:
    train(documents(60), tmp_path / "model", encoder, steps=4)
    (rows,) = opened(tmp_path / "model", evidence=9).run([Document(1, "a", "goal the striker today")])
    assert {row.term for row in rows[1:]} <= {"goal", "the", "striker", "today"}
    assert len(rows) > 1


def test_few_documents_without_a_validation_set_give_the_frozen_head(encoder: Path, tmp_path: Path) -> None:
    train(documents(4), tmp_path / "model", encoder)
    assert opened(tmp_path / "model").run(documents(2))


def test_a_model_without_layers_is_refused(tmp_path: Path) -> None:
    static = encoder_folders.model2vec(tmp_path / "static")
    with pytest.raises(TrainingError, match="nothing to fine-tune, use -p arch=encoder"):
        train(documents(20), tmp_path / "model", static)


def test_a_model_of_the_encoder_of_an_encoder_decoder_is_read_again(tmp_path: Path) -> None:
    import transformers

    encoder_folders.transformer(tmp_path / "t5")  # its tokenizer
    config = transformers.T5Config(
        vocab_size=len(encoder_folders.SPECIAL) + len(encoder_folders.WORDS), d_model=16, d_kv=8, d_ff=32,
        num_layers=2, num_heads=2, pad_token_id=0,
    )  # fmt: skip
    transformers.T5EncoderModel(config).save_pretrained(tmp_path / "t5")
    made = pooled.open_folder(tmp_path / "t5", 2, "cpu")
    again = pretrained.load(*made.state(), "cpu")
    texts = ["goal striker", "bank rates money today"]
    np.testing.assert_allclose(again.logits(texts, lambda: None), made.logits(texts, lambda: None), atol=1e-6)
