"""Heartbeats from inside every kind and every trainer, measured in CPU time, which no load of the machine stretches.

Two bounds. Between two signs of life from the work itself: the lease allows a minute of CPU time. Between two looks
of another thread (a worker's keeper renews the lease that way while a single call of torch, numpy or gensim goes on):
a tenth of a second is a second on a tenth of a core, and only a call that keeps the interpreter to itself is longer.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_tasks import pulse
from nlp_tasks.abstractive import TRAIN_SUMMARIZER, TrainSummarizerParameters
from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.keywords import KEYWORDS
from nlp_tasks.kind import Candidate, Document, Kind, Setup
from nlp_tasks.registry import KINDS
from nlp_tasks.similarity import SIMILARITY, TRAIN_SIMILARITY, SimilarityParameters, TrainSimilarityParameters
from nlp_tasks.summarization import SUMMARIZE

#: CPU seconds between two signs of life, and between two looks. Half a second and a tenth are what is aimed at; a
#: processor whose caches others fill needs twice the time for the same.
BEATS, LOOKS = 1.0, 0.25


class Listener:
    """Hears every sign of life of the thread that made it, and looks from another one."""

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._worker = threading.get_ident()
        self._last = self._now()
        self._ended = threading.Event()
        self.n, self.beats, self.looks = 0, 0.0, 0.0
        #: Where the work was in the longest silence of each sort.
        self.silent_at, self.unseen_at = "", ""

    def beat(self, *_: Any) -> None:
        now = self._now()
        self.beats, self._last, self.n = max(self.beats, now - self._last), now, self.n + 1

    def _now(self) -> float:
        return time.clock_gettime(self._clock)

    def look(self) -> None:
        before = self._now()
        while not self._ended.wait(0.01):
            now = self._now()
            if now - before > self.looks:
                self.looks, self.unseen_at = now - before, self._place()
            if now - self._last > self.beats:
                self.silent_at = self._place()
            before = now

    def _place(self) -> str:
        frames = traceback.extract_stack(sys._current_frames()[self._worker])
        own = [frame for frame in frames if "nlp_tasks" in frame.filename]
        return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(own[-4:]))

    @contextmanager
    def listening(self) -> Iterator[None]:
        looker = threading.Thread(target=self.look)
        looker.start()
        try:
            with pulse.heard_by(self.beat):
                yield
            self.beat()
        finally:
            self._ended.set()
            looker.join()


@contextmanager
def lively(at_least: int = 1) -> Iterator[Listener]:
    """What runs inside is never silent for long."""
    listener = Listener()
    with listener.listening():
        yield listener
    assert listener.n > at_least
    assert listener.beats < BEATS, (
        f"{listener.beats:.2f} s of CPU time without a beat at {listener.silent_at}"
    )
    assert listener.looks < LOOKS, (
        f"{listener.looks:.2f} s of CPU time without a look at {listener.unseen_at}"
    )


class Listed:
    """Documents from a list."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


SYLLABLES = [chr(0xAC00 + 28 * n) for n in range(300)]


def made(n: int, n_words: int, *, label: Callable[[int], str] = lambda i: f"label {i % 12}") -> Listed:
    """Documents of made-up words, half of them Korean, in sentences."""
    random = np.random.default_rng(7)
    latin = ["".join(random.choice(list("aeioustrnl"), 6)) for _ in range(4_000)]
    hangul = ["".join(random.choice(SYLLABLES, 3)) for _ in range(4_000)]
    found = []
    for number in range(n):
        words = random.choice(latin if number % 2 else hangul, n_words)
        sentences = [" ".join(words[start : start + 12]) for start in range(0, n_words, 12)]
        found.append(Document(number, f"k{number}", ". ".join(sentences) + ".", label(number)))
    return Listed(found)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """What is loaded once in a process, while a worker's lease is kept for longer: libraries, the dictionary."""
    import gensim.models.doc2vec  # noqa: F401
    import torch

    from nlp_tasks.classification import cnn, ensemble, linear, pretrained, training  # noqa: F401
    from nlp_tasks.text import tokens

    weight = torch.nn.Parameter(torch.ones(1))
    (weight * 2).sum().backward()
    torch.optim.AdamW([weight]).step()
    tokens("한글로 쓴 글")


def train_classify(folder: Path, documents: Listed, heard: Callable[..., None], **parameters: Any) -> None:
    assert TRAIN_CLASSIFY.train is not None
    folder.mkdir(exist_ok=True)
    TRAIN_CLASSIFY.train(documents, TrainParameters(**parameters), "cpu", folder, heard)  # type: ignore[arg-type]


#: Sizes of documents and words at which the steps without a beat were seconds.
SIZES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "linear": (1_500, 220, {}),
    "naive-bayes": (1_500, 220, {}),
    "morphemes": (600, 100, {}),
    "cnn": (300, 200, {"epochs": 1}),
    "gru": (100, 200, {"epochs": 1}),
    "lstm": (100, 200, {"epochs": 1}),
    "transformer": (100, 200, {"epochs": 1}),
    "ensemble": (200, 100, {"epochs": 1}),
    "nearest": (300, 100, {"epochs": 5}),
}


def test_every_trainer_is_listed_here() -> None:
    from nlp_tasks.classification.architecture import ARCHITECTURES

    here = {*SIZES, "pretrained", "zero-shot"}
    print(set(ARCHITECTURES) ^ here, [k.name for k in KINDS])
    assert here >= set(ARCHITECTURES)


@pytest.mark.parametrize("arch", SIZES)
def test_a_training_of_a_classifier_is_never_silent(arch: str, tmp_path: Path) -> None:
    n, n_words, parameters = SIZES[arch]
    documents = made(n, n_words)
    with lively() as listener:
        train_classify(tmp_path / "model", documents, listener.beat, arch=arch, **parameters)
    print(
        arch,
        listener.n,
        round(listener.beats, 3),
        listener.silent_at,
        round(listener.looks, 3),
        listener.unseen_at,
        time.process_time(),
    )
