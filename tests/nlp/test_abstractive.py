"""The summarizer that is trained here: its tokens, its network, how it writes, and what it learns."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.errors import DocumentError, ModelFileError, TrainingError
from nlp_tasks.kind import Document, Setup
from nlp_tasks.summarization import SUMMARIZE, SummarizeParameters, SummaryRow
from nlp_tasks.summarization.abstractive import (
    TRAIN_SUMMARIZER,
    TrainSummarizerParameters,
    encoder_input,
    model,
    subwords,
    trainer,
)
from nlp_tasks.summarization.abstractive.decoding import Decoding, cut, write
from nlp_tasks.summarization.abstractive.encoder_input import Source, Sources
from nlp_tasks.summarization.abstractive.network import Network, Size
from nlp_tasks.summarization.abstractive.subwords import BEGIN, END, PAD, UNKNOWN, Subwords

# Two threads that wait for each other on a busy machine take minutes for what one does in seconds.
torch.set_num_threads(1)

TEXTS = [
    "한강에 새 다리를 놓는다. 새 다리는 길다.",
    "A new bridge over the river. The bridge is long, the river is not.",
] * 3


class Listed:
    """Documents from a list, read anew at every iteration."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


def reports(n: int, seed: int = 1) -> list[Document]:
    """Reports whose headline is their subject, which stands after the word 주제, amid other words."""
    draw = random.Random(seed)
    subjects = [a + b for a in "가나다라마바사아자차카타파하" for b in "강산들길집문터꽃별"]
    fillers = ["오늘", "회의", "에서", "여러", "사람", "말씀", "하고", "다시", "모여", "의논", "했다"]
    documents = []
    for number in range(n):
        one, two = draw.sample(subjects, 2)
        before, after = (" ".join(draw.choices(fillers, k=draw.randint(3, 6))) for _ in range(2))
        documents.append(
            Document(number, f"key-{number}", f"{before} 주제 {one} {two} 끝 {after}", f"{one} {two}")
        )
    return documents


def train(documents: list[Document], model_dir: Path, **parameters: int) -> dict[str, float]:
    assert TRAIN_SUMMARIZER.train is not None
    wanted = TrainSummarizerParameters(width=32, **parameters)
    return TRAIN_SUMMARIZER.train(Listed(documents), wanted, "cpu", model_dir, lambda *_: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    model_dir = tmp_path_factory.mktemp("summarizer")
    return model_dir, train(reports(400), model_dir, epochs=12)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    network = Network(Size(n_ids=12, width=16)).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return network


def batch(*documents: list[int]) -> Sources:
    return encoder_input.batch(
        [Source(np.array(d), np.arange(len(d)) % 3, np.ones(len(d), int)) for d in documents], "cpu"
    )


# --- tokens ---------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="가다리 ab.1\n▁𝄞뷁'\t", max_size=40))
def test_any_text_comes_back_from_its_tokens_but_for_blanks(text: str) -> None:
    vocabulary = subwords.learn(TEXTS, 20)

    ids = vocabulary.encode(text)

    assert min(ids, default=END + 1) > UNKNOWN - 1
    assert vocabulary.decode(ids).replace(" ", "") == "".join(text.replace("▁", " ").split())


def test_frequent_words_are_one_token() -> None:
    vocabulary = subwords.learn(TEXTS, 100)

    assert len(vocabulary.encode("다리")) < len("다리") + 1
    assert len(vocabulary.encode("The bridge")) == 2
    assert vocabulary.decode(vocabulary.encode("The bridge is")) == "The bridge is"


def test_a_vocabulary_does_not_depend_on_the_order_of_the_texts_and_comes_back_from_json() -> None:
    vocabulary = subwords.learn(TEXTS, 50)

    assert subwords.learn(reversed(TEXTS), 50).as_json() == vocabulary.as_json()
    again = Subwords.from_json(vocabulary.as_json())
    assert [again.encode(text) for text in TEXTS] == [vocabulary.encode(text) for text in TEXTS]
    assert len(again) == len(vocabulary)


def test_a_source_begins_where_the_text_does() -> None:
    vocabulary = subwords.learn(TEXTS, 50)

    late = encoder_input.read("\n" * 2 * encoder_input.COUNTED_CHARS + TEXTS[0], vocabulary)

    assert late.ids.tolist() == encoder_input.read(TEXTS[0], vocabulary).ids.tolist()


# --- the network ----------------------------------------------------------------------------------------------


def test_padding_changes_nothing(network: Network) -> None:
    documents = [[4, 5, 6], [7, 8, 9, 10, 11, 4, 5], [6]]
    ids = torch.tensor([BEGIN, BEGIN, BEGIN])

    together, _ = network.next(*network.read(batch(*documents)), ids)

    for row, document in enumerate(documents):
        alone, _ = network.next(*network.read(batch(document)), ids[:1])
        assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_probabilities_add_up_to_one_and_a_token_can_be_copied(network: Network) -> None:
    chances, _ = network.next(*network.read(batch([4, 5, 6])), torch.tensor([BEGIN]))

    assert chances.exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_teacher_forcing_has_the_losses_of_writing_token_by_token(network: Network) -> None:
    documents, target = batch([4, 5, 6, 7], [9, 8]), torch.tensor([[5, 6, END], [8, END, PAD]])
    given_ids = torch.tensor([[BEGIN, 5, 6], [BEGIN, 8, PAD]])

    losses = network.losses(documents, given_ids, target)

    memory, state = network.read(documents)
    for step in range(3):
        chances, state = network.next(memory, state, given_ids[:, step])
        one_by_one = -chances.gather(1, target[:, step : step + 1])[:, 0] * (target[:, step] != PAD)
        assert torch.allclose(losses[:, step], one_by_one, atol=1e-4)


# --- writing --------------------------------------------------------------------------------------------------


def score(network: Network, document: list[int], ids: tuple[int, ...]) -> float:
    """The mean log probability of writing these ids and ending."""
    given_ids, wanted = torch.tensor([[BEGIN, *ids]]), torch.tensor([[*ids, END]])
    with torch.inference_mode():
        losses = network.losses(batch(document), given_ids, wanted)
    return -losses.sum().item() / (len(ids) + 1)


def test_a_wide_beam_finds_the_best_text_there_is(network: Network) -> None:
    document = [4, 5, 6, 7]
    ordinary = range(END + 2, 12)
    every = [ids for n in range(3) for ids in itertools.product(ordinary, repeat=n)]

    (found,) = write(network, batch(document), Decoding(beams=200, no_repeat=0, max_tokens=3), [0])

    best = max(every, key=lambda ids: score(network, document, ids))
    if len(found) < 3:  # texts of the greatest length end without END
        assert score(network, document, tuple(found)) == pytest.approx(
            score(network, document, best), abs=1e-4
        )


def test_greedy_takes_the_best_token_each_time(network: Network) -> None:
    (found,) = write(network, batch([4, 5, 6, 7]), Decoding(beams=1, no_repeat=0, max_tokens=6), [0])

    memory, state = network.read(batch([4, 5, 6, 7]))
    last, expected = BEGIN, []
    for _ in range(6):
        chances, state = network.next(memory, state, torch.tensor([last]))
        chances[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
        last = int(chances.argmax())
        if last == END:
            break
        expected.append(last)
    assert found == expected


@pytest.mark.parametrize(
    "how", [Decoding(beams=3, max_tokens=9), Decoding(beams=1, sample=True, max_tokens=9)]
)
def test_what_is_written_does_not_depend_on_the_batch(network: Network, how: Decoding) -> None:
    documents = [[4, 5, 6], [7, 8, 9, 10, 11, 4, 5], [6]]

    together = write(network, batch(*documents), how, [1, 2, 3])

    assert together == [
        write(network, batch(d), how, [seed])[0] for d, seed in zip(documents, [1, 2, 3], strict=True)
    ]


def test_no_two_tokens_in_a_row_come_twice(network: Network) -> None:
    for ids in write(
        network, batch([4, 5], [6, 7, 8]), Decoding(beams=2, no_repeat=2, max_tokens=30), [0, 0]
    ):
        pairs = list(itertools.pairwise(ids))
        assert len(pairs) == len(set(pairs))


def test_drawing_follows_the_probabilities(network: Network) -> None:
    chances, _ = network.next(*network.read(batch([4, 5, 6])), torch.tensor([BEGIN]))
    allowed = chances.clone()
    allowed[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
    expected = torch.softmax(allowed, 1)[0]
    n = 1500

    drawn = write(
        network, batch(*[[4, 5, 6]] * n), Decoding(sample=True, no_repeat=0, max_tokens=1), range(n)
    )

    counts = torch.bincount(torch.tensor([ids[0] if ids else END for ids in drawn]), minlength=12)
    assert torch.allclose(counts / n, expected, atol=0.05)


def test_cutting_leaves_the_best() -> None:
    scores = torch.log(torch.tensor([[0.1, 0.5, 0.15, 0.25]]))

    assert cut(scores, 2, 1.0).isfinite().tolist() == [[False, True, False, True]]
    assert cut(scores, 0, 0.6).isfinite().tolist() == [[False, True, False, True]]
    assert cut(scores, 0, 0.4).isfinite().tolist() == [[False, True, False, False]]
    assert cut(scores, 0, 1.0).isfinite().all()


# --- training -------------------------------------------------------------------------------------------------


def test_it_learns_what_to_copy_and_beats_the_first_sentence(trained: tuple[Path, dict[str, float]]) -> None:
    model_dir, figures = trained

    assert figures["rouge_l"] > 80 > 2 * figures["lead_rouge_l"]
    (new,) = model.load(model_dir, "cpu").summarize(
        ["회의 에서 주제 하꽃 파별 끝 다시 모여 의논"], Decoding()
    )
    assert new == "하꽃 파별"


def test_the_held_out_documents_are_not_trained_on(trained: tuple[Path, dict[str, float]]) -> None:
    parts = trainer.divide(Listed(reports(400)), 0.1)

    assert len(parts.held_out) == 40
    assert trained[1]["n_held_out"] == 40
    sides = [{document.key for document in part} for part in (parts.fit, parts.validation, parts.held_out)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 400


def test_the_same_seed_makes_the_same_model_and_another_another(tmp_path: Path) -> None:
    documents = reports(60)
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        train(documents, tmp_path / name, epochs=1, seed=seed)

    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "again", "other")]
    assert weights[0] == weights[1] != weights[2]


def test_progress_is_told_by_epoch(tmp_path: Path) -> None:
    notes: list[str] = []
    parameters = TrainSummarizerParameters(width=16, epochs=2)

    assert TRAIN_SUMMARIZER.train is not None
    TRAIN_SUMMARIZER.train(
        Listed(reports(30)), parameters, "cpu", tmp_path, lambda *said: notes.append(said[2])
    )

    assert any(note.startswith("epoch 2 of 2, loss") and "validation ROUGE-L" in note for note in notes)


def test_too_few_pairs_are_refused_with_the_option_that_helps(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--label-field"):
        train([*reports(10), Document(99, "x", " ", "title"), Document(98, "y", "text", None)], tmp_path)


def test_a_trained_model_writes_the_rows_of_summarize(trained: tuple[Path, dict[str, float]]) -> None:
    parameters = SummarizeParameters(method="abstractive")
    runner = SUMMARIZE.stages[0].open(Setup(parameters, model_dir=trained[0]))

    row, blank = runner.run(
        [Document(1, "a", "오늘 회의 에서 주제 나강 다산 끝 다시 모여.\n의논 했다."), Document(2, "b", "\n")]
    )

    assert row == [SummaryRow("나강 다산", "abstractive", 2)]
    assert isinstance(blank, DocumentError)


def test_a_damaged_model_is_refused(trained: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    for path in trained[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(ModelFileError, match="damaged"):
        model.load(tmp_path, "cpu")


def test_the_kind_is_light_to_import() -> None:
    code = (
        "import sys, nlp_tasks.summarization.abstractive; "
        "sys.exit(bool({'torch', 'numpy', 'gensim'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
