"""The peers: linear SVM and naive Bayes of scikit-learn on tf-idf, and fastText, from text to label.

All get the same documents. If a peer needs words, they are the morphemes of MeCab for Korean, and words and punctuation
for English. Splitting is not timed, which is in the peers' favour.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mecab import MeCab

#: (learning rate, epochs) of fastText; the better pair on a tenth of the training set is used.
FASTTEXT_LARGE = ((0.1, 5), (0.5, 10))
FASTTEXT_SMALL = ((0.5, 25), (1.0, 50))
LARGE = 20_000


class Peer(Protocol):
    """Learns from texts and labels, and predicts labels."""

    def fit(self, texts: list[str], labels: list[str]) -> None: ...
    def predict(self, texts: list[str]) -> list[str]: ...


@dataclass
class Sklearn:
    """A scikit-learn pipeline."""

    make: Callable[[], Any]
    pipeline: Any = None

    def fit(self, texts: list[str], labels: list[str]) -> None:
        self.pipeline = self.make().fit(texts, labels)

    def predict(self, texts: list[str]) -> list[str]:
        return list(self.pipeline.predict(texts))


class FastText:
    """The supervised classifier of fastText with word bigrams; rate and epochs are chosen on a validation set."""

    def __init__(self, **options: int) -> None:
        self.options = options
        self.model: Any = None

    def fit(self, texts: list[str], labels: list[str]) -> None:
        grid = FASTTEXT_LARGE if len(texts) >= LARGE else FASTTEXT_SMALL
        scored = []
        for rate, epochs in grid:
            kept = [place for place in range(len(texts)) if place % 10]
            self._train([texts[p] for p in kept], [labels[p] for p in kept], rate, epochs)
            guesses = self.predict(texts[::10])
            right = sum(a == b for a, b in zip(guesses, labels[::10], strict=True))
            scored.append((right, rate, epochs))
        self._train(texts, labels, *max(scored)[1:])

    def predict(self, texts: list[str]) -> list[str]:
        lines = [f"{_line(text)}\n" for text in texts]
        names, _ = self.model.f.multilinePredict(lines, 1, 0.0, "strict")
        return [self.labels[int(name[0].removeprefix("__label__"))] for name in names]

    def _train(self, texts: list[str], labels: list[str], rate: float, epochs: int) -> None:
        import fasttext  # type: ignore[import-not-found, unused-ignore]

        self.labels = sorted(set(labels))
        index = {label: place for place, label in enumerate(self.labels)}
        lines = [f"__label__{index[lab]} {_line(text)}\n" for text, lab in zip(texts, labels, strict=True)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            path.write_text("".join(lines), encoding="utf-8")
            self.model = fasttext.train_supervised(
                str(path),
                lr=rate,
                epoch=epochs,
                wordNgrams=2,
                bucket=200_000,
                seed=1,
                thread=1,
                verbose=0,
                **self.options,
            )


@dataclass(frozen=True)
class Entry:
    """A peer, and how it is measured."""

    #: Words, or the text as it is.
    reads: str
    make: Callable[[], Peer]
    #: False: on the first fold only, since its training takes long.
    every_fold: bool = True


PEERS = {
    "SVM, words": Entry("words", lambda: Sklearn(lambda: _pipeline("svm", "word", (1, 2)))),
    "SVM, characters": Entry("text", lambda: Sklearn(lambda: _pipeline("svm", "char", (1, 4)))),
    "MultinomialNB, words": Entry("words", lambda: Sklearn(lambda: _pipeline("bayes", "word", (1, 2)))),
    "fastText": Entry("words", FastText, every_fold=False),
    "fastText, subwords": Entry("words", lambda: FastText(minn=2, maxn=4), every_fold=False),
}


def words(texts: Sequence[str], *, korean: bool) -> list[str]:
    """The texts with a space between words."""
    if korean:
        mecab = MeCab()
        return [
            " ".join(morpheme for line in text.split("\n") for morpheme in mecab.morphs(line))
            for text in texts
        ]
    return [" ".join(re.findall(r"\w+|[^\w\s]", text.lower())) for text in texts]


def _pipeline(model: str, analyzer: str, orders: tuple[int, int]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    options = {"tokenizer": str.split, "token_pattern": None} if analyzer == "word" else {}
    vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=orders, sublinear_tf=True, **options)
    return make_pipeline(vectorizer, LinearSVC() if model == "svm" else MultinomialNB(alpha=0.1))


def _line(text: str) -> str:
    return " ".join(text.split())
