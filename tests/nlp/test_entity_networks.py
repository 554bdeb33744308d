"""The neural architectures of `train entities`: what they learn, offsets, long texts, the same model again."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_tasks.entities import (
    ENTITIES,
    TRAIN_ENTITIES,
    EntitiesParameters,
    TrainEntitiesParameters,
    architecture,
    bilstm_crf,
    pretrained,
)
from nlp_tasks.entities.architecture import Finder
from nlp_tasks.entities.features import Known
from nlp_tasks.entities.tag_chain import TagChain, forbidden
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Setup

PERSONS, PLACES = ("김민수", "이영희", "Ann Lee", "Bob"), ("서울", "부산", "Paris")
PATTERNS = ("{p} 는 {l} 에 산다 .", "{l} 에서 {p} 를 만났다 .", "{p} moved to {l} .", "날씨가 좋다 .")
WINDOW = 16


class Listed(list[Document]):
    """Documents of a training."""


def examples(n: int = 120) -> Listed:
    """Every third has several sentences, so that each place in a window is learned."""
    draw = random.Random(1)
    found = Listed()
    for number in range(n):
        text, marks = "", []
        for _ in range(4 if number % 3 == 0 else 1):
            p, place = draw.choice(PERSONS), draw.choice(PLACES)
            sentence = draw.choice(PATTERNS).format(p=p, l=place)
            for said, label in ((p, "PER"), (place, "LOC")):
                if said in sentence:
                    start = len(text) + sentence.index(said)
                    marks.append([start, start + len(said), label])
            text += sentence + "\n"
        found.append(Document(number, f"doc-{number}", text.strip(), meta={"entities": marks}))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained ELECTRA with a tokenizer of whole words."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("pretrained")
    texts = " ".join(document.text for document in examples())
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({*texts.split(), "word"})]
    vocabulary = {word: index for index, word in enumerate(words)}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        model_max_length=WINDOW,
    ).save_pretrained(folder)  # fmt: skip
    config = transformers.ElectraConfig(
        vocab_size=len(vocabulary), embedding_size=16, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=WINDOW, initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.ElectraModel(config).save_pretrained(folder)
    return folder


def trained(model_dir: Path, folder: Path, arch: str, **parameters: Any) -> dict[str, float]:
    assert TRAIN_ENTITIES.train is not None
    model_dir.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {
        "bilstm-crf": {"epochs": 12}, "pretrained": {"steps": 200, "pretrained": str(folder)}
    }[arch]  # fmt: skip
    chosen = TrainEntitiesParameters(arch=arch, **(given | parameters))  # type: ignore[arg-type]
    return TRAIN_ENTITIES.train(examples(), chosen, "cpu", model_dir, lambda *_: None)


@pytest.fixture(scope="module", params=["bilstm-crf", "pretrained"])
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model_dir(arch: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model_dir = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        # A model that starts from random numbers learns nothing at the rate of a trained one.
        patch.setattr(pretrained, "LEARNING_RATE", 1e-2)
        assert trained(model_dir, folder, arch)["micro_f1"] > 0.8
    return model_dir


@pytest.fixture(scope="module")
def finder(model_dir: Path) -> Finder:
    return architecture.load(model_dir, "cpu")


def named(finder: Finder, text: str) -> list[tuple[str, str]]:
    (found,) = finder.find([text])
    assert all(0 < one.score <= 1 for one in found)
    return [(text[one.entity.start : one.entity.end], one.entity.label) for one in found]


def test_it_finds_names_with_exact_offsets(finder: Finder) -> None:
    expected = [("Ann Lee", "PER"), ("부산", "LOC")]

    assert named(finder, "Ann Lee 는 부산 에 산다 .") == expected
    assert named(finder, "\n\u3000 Ann Lee 는 부산 에 산다 .") == expected
    assert named(finder, "") == named(finder, " \n") == []


def test_a_text_of_many_windows_has_all_of_its_names(finder: Finder) -> None:
    text = "\n".join(["이영희 는 서울 에 산다 ."] * 40)

    assert named(finder, text) == [("이영희", "PER"), ("서울", "LOC")] * 40


@pytest.mark.parametrize("word", ["Seoul", "서울"])
def test_a_recurrent_network_sees_capitals_and_ends_of_words(word: str) -> None:
    """In sentences of words as well as in those with syllables."""
    seen = [
        {feature for each in described for feature in each}
        for _, _, described in bilstm_crf.read(f"{word} Smith", Known())
    ]

    assert any("Smith" in feature or "Sm" in feature for feature in seen[0])
    assert any(feature.startswith(("ends=", "e3=")) for feature in seen[0])


def test_what_is_found_does_not_depend_on_the_other_texts(finder: Finder) -> None:
    texts = [document.text for document in examples(30)]

    assert [[one.entity for one in found] for found in finder.find(texts)] == [
        [one.entity for one in finder.find([text])[0]] for text in texts
    ]


def test_the_same_seed_gives_the_same_model(arch: str, folder: Path, tmp_path: Path) -> None:
    few = {"epochs": 2} if arch == "bilstm-crf" else {"steps": 12}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(tmp_path / name, folder, arch, seed=seed, **few)
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in "abc"]

    assert weights[0] == weights[1] != weights[2]


class StoppedError(Exception):
    """The worker was killed."""


def test_a_training_that_was_killed_goes_on_to_the_same_model(
    arch: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlp_tasks.checkpoint import Checkpoint

    monkeypatch.setattr(Checkpoint, "is_due", lambda _: True)
    few: dict[str, Any] = {"epochs": 3} if arch == "bilstm-crf" else {"steps": 20}
    given = few if arch == "bilstm-crf" else {**few, "pretrained": str(folder)}
    parameters = TrainEntitiesParameters(arch=arch, **given)  # type: ignore[arg-type]
    assert TRAIN_ENTITIES.train is not None
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    TRAIN_ENTITIES.train(examples(), parameters, "cpu", whole, lambda *_: None)
    seen = 0

    def kill(done: int, total: int, note: str) -> None:
        nonlocal seen
        seen = max(seen, done)
        if done > total * 0.6:
            raise StoppedError

    with pytest.raises(StoppedError):
        TRAIN_ENTITIES.train(examples(), parameters, "cpu", cut, kill)
    steps: list[int] = []
    TRAIN_ENTITIES.train(
        examples(), parameters, "cpu", cut, lambda done, total, _: steps.append(done * (total > 1))
    )

    assert (whole / "weights.safetensors").read_bytes() == (cut / "weights.safetensors").read_bytes()
    assert min(done for done in steps if done) > 1
    assert not (cut / "checkpoint").exists()


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no config\.json"):
        trained(tmp_path / "model", tmp_path, "pretrained")


def test_an_architecture_without_its_folder_is_refused_with_the_fix() -> None:
    with pytest.raises(ValueError, match="needs pretrained: the local folder"):
        TrainEntitiesParameters(arch="pretrained")
    with pytest.raises(ValueError, match="leave pretrained out"):
        TrainEntitiesParameters(pretrained="/models/x")


def test_a_chain_agrees_with_all_sequences_written_out() -> None:
    names = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    torch.manual_seed(3)
    chain = TagChain(5, forbidden(names))
    for weight in chain.parameters():
        torch.nn.init.normal_(weight)
    scores = torch.randn(2, 4, 5)
    mask = torch.tensor([[True] * 4, [True, True, True, False]])
    right = torch.tensor([[0, 1, 2, 0], [3, 4, 4, 0]])

    with torch.no_grad():
        loss = chain.loss(scores, right, mask)
        tags, sure = chain.decode(scores, mask)

    losses = []
    for row, length in enumerate((4, 3)):
        total = {way: _score(chain, scores[row], way) for way in itertools.product(range(5), repeat=length)}
        every = torch.logsumexp(torch.stack(list(total.values())), 0)
        losses.append(every - total[tuple(right[row, :length].tolist())])
        best = max(total, key=lambda way: float(total[way]))
        assert tags[row, :length].tolist() == list(best)
        for place in range(length):
            share = [value for way, value in total.items() if way[place] == best[place]]
            assert float(sure[row, place]) == pytest.approx(
                float((torch.logsumexp(torch.stack(share), 0) - every).exp()), abs=1e-4
            )
    assert float(loss) == pytest.approx(float(torch.stack(losses).mean()), abs=1e-4)


def _score(chain: TagChain, scores: torch.Tensor, way: tuple[int, ...]) -> torch.Tensor:
    total = chain.first[way[0]] + chain.barrier[-1, way[0]] + scores[0, way[0]]
    for place in range(1, len(way)):
        before, here = way[place - 1], way[place]
        total = total + chain.transitions[before, here] + chain.barrier[before, here] + scores[place, here]
    return (total + chain.last[way[-1]]).detach()


class Blank:
    """A model of one token, which a tokenizer made of a blank and which the model calls a name."""

    device = "cpu"

    class model:  # noqa: N801
        eval = staticmethod(lambda: None)


def test_a_token_of_a_blank_is_no_entity(monkeypatch: pytest.MonkeyPatch) -> None:
    read = pretrained.Cut(
        pretrained.Windows([{"input_ids": [1, 2]}], np.zeros(1, np.int64), np.full(1, 2), 1),
        [[(0, 1), (1, 2)]],
    )
    monkeypatch.setattr(pretrained, "cut", lambda *_: read)
    monkeypatch.setattr(pretrained, "batches", lambda *_: iter([np.zeros(1, np.int64)]))
    monkeypatch.setattr(pretrained, "forward", lambda *_: torch.tensor([[[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]]))

    assert pretrained.PretrainedTagger(Blank(), ["O", "B-PER", "I-PER"]).find(["a "]) == [[]]  # type: ignore[arg-type]


@pytest.mark.long
def test_onnx_runtime_finds_what_torch_finds_and_so_does_a_folder_for_other_programs(
    model_dir: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    from nlp_tasks.entities import onnx_export

    def rows(graphs: Path | None) -> list[Any]:
        setup = Setup(EntitiesParameters(method="model", rules="none"), "cpu", model_dir, graphs=graphs)
        long = Document(999, "long", "\n".join(["이영희 는 서울 에 산다 ."] * 40))
        return list(ENTITIES.stages[0].open(setup).run([*examples(), long, Document(1000, "odd", "!")]))

    for one, other in zip(rows(None), rows(tmp_path / "graphs"), strict=True):
        assert [(e.start_char, e.end_char, e.label) for e in one] == [
            (e.start_char, e.end_char, e.label) for e in other
        ]
        assert [e.score for e in one] == pytest.approx([e.score for e in other], abs=1e-4)

    written = onnx_export.export(model_dir, tmp_path / "out", int8=True, documents=examples())
    assert written.float32.is_equal
    assert written.int8 is not None
    assert written.n_documents > 0
    about = json.loads((tmp_path / "out" / "docmill.json").read_text())
    assert about["tags"] == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert about["int8"]["changed_labels"] == written.int8.changed_labels
    assert {path.name for path in (tmp_path / "out").iterdir()} > {
        "model.onnx",
        "model.int8.onnx",
        "docmill.json",
    }
