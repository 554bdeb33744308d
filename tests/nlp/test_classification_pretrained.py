"""Fine-tuning a transformers model from a folder, on a tiny model that the test makes and saves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.classification.transformers import pretrained
from nlp_tasks.classification.transformers.zero_shot_embedding import SCALE
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Runner, Setup

pytest.importorskip("transformers")

WORDS = [
    "goal",
    "striker",
    "골을",
    "경기에서",
    "bank",
    "interest",
    "은행이",
    "금리를",
    "the",
    "today",
    "오늘",
]
WINDOW = 16


class Listed:
    """Documents from a list, read anew at every iteration."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


def labelled() -> Listed:
    random = np.random.default_rng(5)
    documents = []
    for number in range(120):
        label, first = (("sport", 0), ("money", 4))[number % 2]
        words = [*random.choice(WORDS[first : first + 4], 2), *random.choice(WORDS[8:], 3)]
        documents.append(Document(number, f"key-{number}", " ".join(words), label))
    return Listed(documents)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained ELECTRA with a tokenizer of whole words."""
    import tokenizers
    import transformers

    folder = tmp_path_factory.mktemp("pretrained")
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=special
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_max_length=WINDOW,
    ).save_pretrained(folder)
    config = transformers.ElectraConfig(
        vocab_size=len(vocabulary),
        embedding_size=16,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=WINDOW,
        # So that what the model says depends on its words: with the usual 0.02, its answers to any two texts differ by
        # less than rounding does from one processor or version of torch to another.
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    transformers.ElectraModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model_dir(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model_dir = tmp_path_factory.mktemp("fine-tuned")
    train(folder, model_dir)
    return model_dir


def train(folder: Path, model_dir: Path) -> dict[str, float]:
    assert TRAIN_CLASSIFY.train is not None
    parameters = TrainParameters(arch="pretrained", pretrained=str(folder), epochs=2)
    return TRAIN_CLASSIFY.train(labelled(), parameters, "cpu", model_dir, lambda *_: None)


def opened(model_dir: Path) -> Runner:
    return CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(), model_dir=model_dir))


def test_scores_equal_those_of_transformers_itself(model_dir: Path) -> None:
    classifier: Any = opened(model_dir).classifier  # type: ignore[attr-defined]
    texts = ["goal", "bank interest today the 금리를", "오늘 경기에서 골을"]
    ours = classifier.logits(texts, lambda: None)
    with torch.inference_mode():
        theirs = [
            classifier.model(**classifier.tokenizer(text, return_tensors="pt")).logits for text in texts
        ]
    assert np.allclose(ours, torch.cat(theirs).numpy(), atol=1e-5)


def test_tokens_are_the_evidence(model_dir: Path) -> None:
    setup = Setup(parameters=ClassifyParameters(evidence=3), model_dir=model_dir)
    (rows,) = CLASSIFY.stages[0].open(setup).run([Document(1, "a", "goal the striker today " * 10)])
    assert {row.term for row in rows[1:]} <= {"goal", "the", "striker", "today"}
    assert len(rows) > 1


def test_a_long_document_is_read_to_its_end(model_dir: Path) -> None:
    classifier: Any = opened(model_dir).classifier  # type: ignore[attr-defined]
    inner = WINDOW - 2
    first, second = " ".join(["goal"] * inner), " ".join(["bank"] * inner)
    both, one, other = classifier.logits([f"{first} {second}", first, second], lambda: None)
    # Float32 rounds each window on its own, so what counts is the distance between the windows.
    apart = np.abs(one - other).max()
    assert apart > 0.01
    assert np.abs(both - (one + other) / 2).max() < 0.001 * apart


def test_the_same_seed_makes_the_same_model(folder: Path, model_dir: Path, tmp_path: Path) -> None:
    train(folder, tmp_path)
    documents = [Document(1, "a", "the striker today"), Document(2, "b", "오늘 은행이 금리를")]
    assert opened(tmp_path).run(documents) == opened(model_dir).run(documents)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no config\.json"):
        train(tmp_path, tmp_path / "model")


def test_weights_in_another_format_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(TrainingError, match="cannot read"):
        train(tmp_path, tmp_path / "model")


# --- zero-shot ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inference_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained model for inference: 16 tokens at once, one of its outputs is entailment."""
    import transformers

    inference = tmp_path_factory.mktemp("inference")
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(inference)
    config = transformers.AutoConfig.from_pretrained(
        folder,
        id2label={0: "ENTAILMENT", 1: "neutral", 2: "contradiction"},
        label2id={"ENTAILMENT": 0, "neutral": 1, "contradiction": 2},
    )
    torch.manual_seed(3)
    transformers.ElectraForSequenceClassification(config).save_pretrained(inference)
    return inference


def zero_shot(folder: Path, model_dir: Path, documents: Listed | None = None, **parameters: Any) -> Any:
    assert TRAIN_CLASSIFY.train is not None
    model_dir.mkdir()
    chosen = TrainParameters(
        arch="zero-shot", pretrained=str(folder), hypothesis="the {} today", **parameters
    )
    some = Listed((documents or labelled()).documents[:30])
    TRAIN_CLASSIFY.train(some, chosen, "cpu", model_dir, lambda *_: None)
    return opened(model_dir)


def test_zero_shot_scores_are_those_of_transformers_itself(inference_folder: Path, tmp_path: Path) -> None:
    runner = zero_shot(inference_folder, tmp_path / "model")
    assert runner.labels == ["money", "sport"]
    model = runner.classifier.model
    texts = ["goal striker", "bank interest the 금리를"]
    ours = runner.classifier.logits(texts, lambda: None)
    for column, label in enumerate(runner.labels):
        pairs = model.tokenizer(texts, [f"the {label} today"] * 2, return_tensors="pt", padding=True)
        with torch.inference_mode():
            theirs = model.model(**pairs).logits[:, 0].numpy()
        assert np.allclose(ours[:, column], theirs, atol=1e-5)


def test_zero_shot_reads_a_long_document_to_its_end(inference_folder: Path, tmp_path: Path) -> None:
    classifier = zero_shot(inference_folder, tmp_path / "model").classifier
    start = "goal " * 40
    one, other = classifier.logits([start, start + "bank " * 40], lambda: None)
    assert np.abs(one - other).max() > 0.001


def test_zero_shot_refuses_a_model_that_is_for_something_else(folder: Path, tmp_path: Path) -> None:
    import transformers

    other = tmp_path / "other"
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(other)
    config = transformers.AutoConfig.from_pretrained(folder)
    transformers.ElectraForSequenceClassification(config).save_pretrained(other)
    with pytest.raises(TrainingError, match="ElectraForSequenceClassification without a label 'entailment'"):
        zero_shot(other, tmp_path / "model")


# --- zero-shot with an embedding model ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedding_dir(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the encoder in `folder`, for the labels bank and goal, which are words that it knows."""
    model_dir = tmp_path_factory.mktemp("embedding") / "model"
    zero_shot(folder, model_dir, documents=named())
    return model_dir


def named() -> Listed:
    names = {"sport": "goal", "money": "bank"}
    return Listed([replace(d, label=names[str(d.label)]) for d in labelled().documents])


def embedding(classifier: Any, text: str) -> Any:
    """What transformers itself makes of a text that fits a window: the mean of its tokens' vectors, of length 1."""
    with torch.inference_mode():
        found = classifier.model.model(**classifier.model.tokenizer(text, return_tensors="pt"))
    return torch.nn.functional.normalize(found.last_hidden_state[0].mean(dim=0), dim=0).numpy()


def test_an_encoder_scores_by_cosine_as_transformers_itself(embedding_dir: Path) -> None:
    runner: Any = opened(embedding_dir)
    assert runner.labels == ["bank", "goal"]
    texts = ["goal striker", "bank interest the 금리를 today today", "오늘"]
    ours = runner.classifier.logits(texts, lambda: None)
    sentences = [embedding(runner.classifier, f"the {label} today") for label in runner.labels]
    for row, text in zip(ours, texts, strict=True):
        cosines = np.array([embedding(runner.classifier, text) @ sentence for sentence in sentences])
        assert np.allclose(row, SCALE * (cosines - cosines.mean()), atol=1e-4)


def test_an_encoder_gives_the_label_whose_sentence_is_nearest(embedding_dir: Path) -> None:
    rows = opened(embedding_dir).run([Document(1, "a", "goal goal the"), Document(2, "b", "bank bank today")])
    assert [found[0].label for found in rows] == ["goal", "bank"]


def test_an_encoder_reads_a_long_document_to_its_end_whatever_stands_beside_it(embedding_dir: Path) -> None:
    classifier: Any = opened(embedding_dir).classifier  # type: ignore[attr-defined]
    inner = WINDOW - 2
    first, second = " ".join(["goal"] * inner), " ".join(["bank"] * inner)
    together = classifier.logits([f"{first} {second}", "오늘", first, second], lambda: None)
    alone = classifier.logits([f"{first} {second}"], lambda: None)
    assert np.allclose(together[0], alone[0], atol=1e-5)
    low, high = sorted((together[2][0], together[3][0]))
    assert low < together[0][0] < high


def test_an_encoders_evidence_is_its_tokens(embedding_dir: Path) -> None:
    setup = Setup(parameters=ClassifyParameters(evidence=5), model_dir=embedding_dir)
    (rows,) = CLASSIFY.stages[0].open(setup).run([Document(1, "a", "goal goal the " * 20)])
    assert rows[0].label == "goal"
    assert rows[1].term == "goal"
    assert {row.term for row in rows[1:]} <= {"goal", "the"}


def test_a_roberta_keeps_within_the_places_that_it_has() -> None:
    import transformers

    tokenizer = SimpleNamespace(model_max_length=10**30)
    config = transformers.RobertaConfig(max_position_embeddings=514, pad_token_id=1)
    assert pretrained.longest(tokenizer, config) == 512
    assert pretrained.longest(tokenizer, transformers.BertConfig(max_position_embeddings=512)) == 512
