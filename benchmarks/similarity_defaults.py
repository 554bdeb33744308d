"""The alternatives from which the defaults of a training were chosen: words, windows of long documents, size, epochs.

Each row changes one setting; figures are the mean over several seeds, and their range. Top-1 accuracy for the other
half of an article and the family of a statute; for lee, correlation with human ratings. Subwords need the package
tokenizers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.similarity_data import Gold, Texts, cosines
from benchmarks.similarity_quality import term_cosines
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.similarity.inference import DbowInference
from nlp_tasks.similarity.model import Model
from nlp_tasks.similarity.shared_terms import TFIDF_SHARE
from nlp_tasks.similarity.trainer import fit
from nlp_tasks.text import morphemes, tokens

COLUMNS = ["set", "what", "words", "doc2vec", "apart", "hybrid", "apart"]
#: Words of a window, and of a document's beginning.
WINDOW_WORDS = 1000
#: Parts of speech of nouns: common, proper, numerals, and unknown words, which are mostly names.
NOUNS = frozenset({"NNG", "NNP", "NR", "UNKNOWN"})
SUBWORDS = 16_000

#: Splits a text into words.
Cut: TypeAlias = Callable[[str], Sequence[str]]
#: From the words of some documents to their vectors  # (B, D).
Infer: TypeAlias = Callable[[Model, Sequence[Sequence[str]]], NDArray[np.float32]]

_hangul = re.compile("[\uac00-\ud7a3]")
_words = re.compile(r"\w+")


@dataclass(frozen=True)
class Choice:
    """One setting that differs from the default."""

    name: str
    #: Makes the function that splits a text, from the training texts.
    cut: Callable[[Texts], Cut] = lambda _: tokens
    infer: Infer = lambda model, words: DbowInference(model)(words)
    prepare: Callable[[Corpus], Corpus] = lambda corpus: corpus
    parameters: TrainSimilarityParameters = field(default_factory=TrainSimilarityParameters)
    #: The sets that it is measured on; empty for all.
    sets: frozenset[str] = frozenset()


def nouns(text: str) -> list[str]:
    """Korean nouns; other words and numbers as in `tokens`."""
    return _of_morphemes(text, lambda kind: kind in NOUNS)


def every_morpheme(text: str) -> list[str]:
    """Korean morphemes as written, including particles and endings; other words and numbers."""
    return _of_morphemes(text, lambda _: True)


def _of_morphemes(text: str, wanted: Callable[[str], bool]) -> list[str]:
    other = [word for word in tokens(text) if not _hangul.search(word)]
    cut = ((text[start:stop], kind) for start, stop, kind in morphemes(text))
    return other + [word for word, kind in cut if _hangul.search(word) and wanted(kind)]


def written(text: str) -> list[str]:
    """Words as written (eojeol), in lower case, without punctuation."""
    return _words.findall(text.lower())


def subwords(texts: Texts) -> Cut:
    """Byte pairs learned from these texts (Sennrich, Haddow and Birch 2016), within words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    learnt = Tokenizer(models.BPE(unk_token="?"))
    learnt.normalizer = normalizers.Lowercase()
    learnt.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(behavior="removed")]
    )
    trainer = trainers.BpeTrainer(vocab_size=SUBWORDS, special_tokens=["?"], show_progress=False)
    learnt.train_from_iterator((document.text for document in texts), trainer)
    return lambda text: [token for token in learnt.encode(text).tokens if token not in ("?", "▁")]


def beginnings(_: Texts) -> Cut:
    return lambda text: tokens(text)[:WINDOW_WORDS]


def in_windows(corpus: Corpus) -> Corpus:
    """The same words, with every window as a document of its own."""
    bounds = zip(corpus.starts[:-1].tolist(), corpus.starts[1:].tolist(), strict=True)
    starts = [range(start, stop, WINDOW_WORDS) for start, stop in bounds]
    return replace(corpus, starts=np.array([*chain.from_iterable(starts), corpus.starts[-1]]))


def mean_of_windows(model: Model, documents: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """The mean of the normalised vectors of each document's windows  # (B, D)."""
    flow = DbowInference(model)
    found = []
    for words in documents:
        windows = [words[start : start + WINDOW_WORDS] for start in range(0, len(words), WINDOW_WORDS)]
        vectors = flow(windows) - model.mean
        found.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0) + model.mean)
    return np.stack(found)


LONG, KOREAN = frozenset({"law"}), frozenset({"wikihalves", "law"})
CHOICES = (
    Choice("default"),
    Choice("words: nouns only", cut=lambda _: nouns, sets=KOREAN),
    Choice("words: every morpheme", cut=lambda _: every_morpheme, sets=KOREAN),
    Choice("words: as written", cut=lambda _: written),
    Choice("words: subwords", cut=subwords),
    Choice("long: first 1,000 words", cut=beginnings, sets=LONG),
    Choice("long: mean of windows", infer=mean_of_windows, sets=LONG),
    Choice("long: mean of windows, trained on windows", infer=mean_of_windows, prepare=in_windows, sets=LONG),
    *(Choice(f"size {n}", parameters=TrainSimilarityParameters(vector_size=n)) for n in (100, 300)),
    *(Choice(f"epochs {n}", parameters=TrainSimilarityParameters(epochs=n)) for n in (20, 80)),
)


def measure(golds: list[Gold], n_seeds: int) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures without thresholds; prints a line for each training, and the table. Takes half an hour of CPU time."""
    rows = []
    figures: dict[str, float] = {}
    for gold in golds:
        for choice in CHOICES:
            if choice.sets and gold.name not in choice.sets:
                continue
            found = _found(gold, choice, range(n_seeds))
            rows.append([gold.name, choice.name, *found.values()])
            figures |= {f"{gold.name}, {choice.name}, {what}": value for what, value in found.items()}
    report.table(f"defaults, {n_seeds} seeds", COLUMNS, rows)
    return figures, {}


def _found(gold: Gold, choice: Choice, seeds: Iterable[int]) -> dict[str, float]:
    parameters = choice.parameters
    corpus = read(gold.train, parameters.min_count, lambda _: None, choice.cut(gold.train))
    words = [corpus.document(row) for row in range(len(corpus) - len(gold.test), len(corpus))]
    trained_on = choice.prepare(corpus)
    values = []
    for seed in seeds:
        model, _ = fit(trained_on, replace(parameters, seed=seed), lambda *_: None)
        vectors = cosines(choice.infer(model, words) - model.mean)
        mixed = TFIDF_SHARE * term_cosines(model, words) + (1 - TFIDF_SHARE) * vectors
        values.append((gold.quality(vectors), gold.quality(mixed)))
        print(f"{gold.name}, {choice.name}, seed {seed}: {values[-1][0]:.4f}, hybrid {values[-1][1]:.4f}")
    means, apart = np.mean(values, axis=0), np.ptp(values, axis=0)
    return {
        "words": int(corpus.counts.sum()),
        "doc2vec": float(means[0]),
        "doc2vec apart": float(apart[0]),
        "hybrid": float(means[1]),
        "hybrid apart": float(apart[1]),
    }
