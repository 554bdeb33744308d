"""The neural architectures: that they learn, that long documents are read to the end, that models come back."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nlp_tasks import checkpoint, model_files
from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.classification.neural import classifier, word_ngrams
from nlp_tasks.kind import Document, Runner, Setup

WORDS = {"sport": ["goal", "striker", "골을", "경기에서"], "money": ["bank", "interest", "은행이", "금리를"]}
FILLER = ["the", "a", "today", "오늘", "그리고", "was", "said", "했다"]
ARCHITECTURES = ["cnn", "gru", "lstm", "transformer", "ensemble"]


class Listed:
    """Documents from a list, read anew at every iteration."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


def written(label: str, random: np.random.Generator) -> str:
    words = [*random.choice(WORDS[label], 2), *random.choice(FILLER, 4)]
    return " ".join(random.permutation(words))


def labelled(n: int = 200) -> Listed:
    random = np.random.default_rng(7)
    labels = ["sport", "money"] * (n // 2)
    return Listed([Document(i, f"key-{i}", written(lab, random), lab) for i, lab in enumerate(labels)])


def train(
    model_dir: Path, arch: str, documents: Listed, notes: list[str] | None = None, epochs: int = 10
) -> dict[str, float]:
    assert TRAIN_CLASSIFY.train is not None
    model_dir.mkdir()
    parameters = TrainParameters(arch=arch, epochs=epochs, seed=3)
    heard = [] if notes is None else notes
    return TRAIN_CLASSIFY.train(documents, parameters, "cpu", model_dir, lambda *step: heard.append(step[2]))


def opened(model_dir: Path) -> Runner:
    return CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(), model_dir=model_dir))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neural") / "model"
    metrics = train(folder, request.param, labelled())
    assert metrics["accuracy"] > 0.9
    return folder


def test_both_languages_get_their_labels(model_dir: Path) -> None:
    texts = ["the striker said goal", "오늘 은행이 금리를 했다", "goal 경기에서", "bank interest today"]
    results = opened(model_dir).run([Document(i, str(i), text) for i, text in enumerate(texts)])
    assert [rows[0].label for rows in results] == ["sport", "money", "sport", "money"]


def test_results_do_not_depend_on_the_batch(model_dir: Path) -> None:
    runner = opened(model_dir)
    random = np.random.default_rng(1)
    texts = [" ".join(written("sport", random) for _ in range(n)) for n in (1, 300, 2, 90)]
    documents = [Document(i, str(i), text) for i, text in enumerate(texts)]
    together = [rows[0].score for rows in runner.run(documents)]
    alone = [runner.run([document])[0][0].score for document in documents]
    assert together == pytest.approx(alone, abs=1e-4)


def test_the_end_of_a_long_document_counts(model_dir: Path) -> None:
    runner = opened(model_dir)
    start = "goal the striker was 골을 " * 60
    (short,) = runner.run([Document(1, "a", start)])
    (long,) = runner.run([Document(2, "b", start + "bank interest said 금리를 " * 2000)])
    assert short[0].label == "sport"
    assert long[0].label == "money"


def test_the_words_of_the_label_are_its_evidence(model_dir: Path) -> None:
    runner = CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(evidence=2), model_dir=model_dir))
    text = "the striker said today goal was a striker " + "오늘 그리고 했다 " * 3
    (rows,) = runner.run([Document(1, "a", text)])
    label, terms = rows[0].label, [row.term for row in rows[1:]]
    assert label == "sport"
    assert {"striker", "goal"} & set(terms)


def test_a_text_of_unknown_words_gets_a_label(model_dir: Path) -> None:
    (rows,) = opened(model_dir).run([Document(1, "a", "⠿⠿ ⠿")])
    assert rows[0].label in WORDS


def test_the_same_seed_makes_the_same_model(tmp_path: Path) -> None:
    torch.manual_seed(1)
    train(tmp_path / "one", "cnn", labelled(60))
    torch.manual_seed(2)
    train(tmp_path / "two", "cnn", labelled(60))
    _, one = model_files.load(tmp_path / "one")
    _, two = model_files.load(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_progress_names_the_epoch(tmp_path: Path) -> None:
    notes: list[str] = []
    train(tmp_path / "model", "cnn", labelled(60), notes, epochs=2)
    # of fast steps only the last is sure to be told
    assert any(note.startswith("epoch 2 of 2, loss") and "validation accuracy" in note for note in notes)


def test_words_are_the_same_alone_and_in_company() -> None:
    texts = ["영화가 정말 좋다!", "", "Good film", "a"]
    together = word_ngrams.split(texts, lambda: None)
    for place, text in enumerate(texts):
        alone = word_ngrams.split([text], lambda: None)
        first, last = together.text_starts[place : place + 2]
        assert last - first == len(alone.word_starts) - 1
        ids = together.ids[together.word_starts[first] : together.word_starts[last]]
        assert np.array_equal(ids, alone.ids)


def test_a_word_of_rare_ngrams_stays_a_word() -> None:
    split = word_ngrams.split(["good xyz good good"], lambda: None)
    indexed = word_ngrams.index(split, word_ngrams.learn(split, most=100, least=2))
    assert len(indexed.word_starts) - 1 == 4
    assert indexed.ids[indexed.word_starts[1] : indexed.word_starts[2]].tolist() == [word_ngrams.NOTHING]


# --- going on after a kill ----------------------------------------------------------------------------------------


class KilledError(Exception):
    """Stands for the end of the process: whatever raises it cannot clean up."""


@pytest.mark.parametrize("arch", ["cnn"])
def test_a_training_that_was_interrupted_twice_ends_with_the_same_model(
    tmp_path: Path, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE", 1.0)
    monkeypatch.setattr(classifier, "PATIENCE", 9)
    train(tmp_path / "whole", arch, labelled(60), epochs=6)
    parameters = TrainParameters(arch=arch, epochs=6, seed=3)
    folder = tmp_path / "interrupted"
    folder.mkdir()
    begun: list[list[str]] = []
    for last in (2, 4, 6):
        notes: list[str] = []
        begun.append(notes)

        def progress(done: int, total: int, note: str, last: int = last, notes: list[str] = notes) -> None:
            notes.append(note)
            if f"epoch {last + 1} of 6" in note:
                raise KilledError

        with contextlib.suppress(KilledError):
            TRAIN_CLASSIFY.train(labelled(60), parameters, "cpu", folder, progress)  # type: ignore[misc]
        torch.manual_seed(last)

    firsts = [next(note for note in notes if "epoch" in note) for notes in begun]
    assert [first.partition(" of")[0][-1] for first in firsts] == ["1", "3", "5"]
    _, whole = model_files.load(tmp_path / "whole")
    _, interrupted = model_files.load(folder)
    assert whole.keys() == interrupted.keys()
    assert all(np.array_equal(whole[name], interrupted[name]) for name in whole)
    assert not (folder / checkpoint.FOLDER).exists()


def test_a_checkpoint_of_another_training_is_left_alone(tmp_path: Path) -> None:
    saved = Checkpoint(tmp_path, "one")
    saved.save({"epoch": 3}, {"weights": np.ones(2)})
    found = saved.load()
    assert found is not None
    assert (found.facts, found.arrays["weights"].tolist()) == ({"epoch": 3}, [1.0, 1.0])
    assert Checkpoint(tmp_path, "two").load() is None
    saved.path.write_bytes(saved.path.read_bytes()[:20])
    assert saved.load() is None
