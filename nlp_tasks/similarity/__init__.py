"""Similarity: train Doc2Vec on documents, infer every document's vector, find each one's nearest others.

This module is light (no torch, no gensim, no numpy): a client reads it to check parameters. The work is done
by `training.train`, `runner.Inferrer` and `search.Searcher`, imported when they are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nlp_tasks.kind import Candidate, Documents, Figure, Kind, Progress, Runner, Setup, Stage

ARCHITECTURES = ("dbow", "dm")
SCOPES = ("collection", "all")
METHODS = ("doc2vec", "hybrid")


@dataclass(frozen=True)
class SimilarityParameters:
    """Which neighbours are wanted."""

    #: How many nearest documents; fewer when there are no more.
    k: int = 10
    #: Leave out neighbours of a lower cosine; -1 leaves out none.
    min_score: float = -1.0
    #: Look in the document's own "collection", or in "all" that have vectors of the same model version.
    scope: str = "collection"
    #: Compare by "doc2vec", or by "hybrid": Doc2Vec and tf-idf together.
    method: str = "doc2vec"
    #: For each neighbour, so many of the words that both documents share; 0 spares reading their words.
    terms: int = 3

    @property
    def needs_terms(self) -> bool:
        """Whether a search reads the documents' words beside their vectors."""
        return self.method == "hybrid" or self.terms > 0

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 1000:
            raise ValueError(f"k must be from 1 to 1000, not {self.k}")
        if not -1 <= self.min_score <= 1:
            raise ValueError(f"min_score is a cosine, from -1 to 1, not {self.min_score}")
        if self.scope not in SCOPES:
            raise ValueError(f"scope must be one of {', '.join(SCOPES)}, not {self.scope!r}")
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        _check_range("terms", self.terms, 0, 100)


@dataclass(frozen=True)
class TrainSimilarityParameters:
    """How Doc2Vec is trained (Le & Mikolov 2014, by gensim). The defaults are measured: docs/similarity.md."""

    #: "dbow", the distributed bag of words, or "dm", the distributed memory, which takes word order into account.
    architecture: str = "dbow"
    vector_size: int = 200
    epochs: int = 40
    #: Passes of an inference; 0 for as many as in training.
    infer_epochs: int = 0
    #: Words that occur less often in all documents together are unknown to the model.
    min_count: int = 2
    #: Words on each side that predict a word; for "dm" only.
    window: int = 5
    #: Noise words drawn for each word.
    negative: int = 5
    #: Words with a larger share of the text are thinned out; 0 keeps all, -1 chooses by how much text there is.
    sample: float = -1.0
    #: The learning rate, falling in a straight line over the epochs from `alpha` to `min_alpha`.
    alpha: float = 0.025
    min_alpha: float = 0.0001
    seed: int = 0

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture must be one of {', '.join(ARCHITECTURES)}, not {self.architecture!r}"
            )
        _check_range("vector_size", self.vector_size, 2, 2000)
        _check_range("epochs", self.epochs, 1, 10_000)
        _check_range("infer_epochs", self.infer_epochs, 0, 10_000)
        _check_range("min_count", self.min_count, 1, 1_000_000)
        _check_range("window", self.window, 1, 100)
        _check_range("negative", self.negative, 1, 100)
        if self.sample != -1:
            _check_range("sample", self.sample, 0, 0.5)
        _check_range("seed", self.seed, 0, 2**31 - 1)
        if not 0 < self.min_alpha <= self.alpha <= 1:
            raise ValueError(
                f"0 < min_alpha <= alpha <= 1 is asked for, not {self.min_alpha} and {self.alpha}"
            )


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")


@dataclass(frozen=True, slots=True)
class VectorRow:
    """A document's vector under one model version."""

    table: ClassVar[str] = "document_vector"

    #: `vector_size` float32, little-endian; not normalised.
    vector: bytes
    #: Its known words and their counts: `nlp_tasks.similarity.shared_terms.packed`.
    terms: bytes


@dataclass(frozen=True, slots=True)
class NeighbourRow:
    """A document near another one."""

    table: ClassVar[str] = "neighbour"

    #: From 1, the nearest.
    rank: int
    #: The neighbour's document id.
    neighbour_id: int
    #: The cosine of the two vectors, or with method "hybrid" a mean of it and of the tf-idf cosine; from -1 to 1.
    score: float


@dataclass(frozen=True, slots=True)
class NeighbourTermRow:
    """A word that a document shares with a neighbour."""

    table: ClassVar[str] = "neighbour_term"

    neighbour_rank: int
    #: From 1, the word that weighs most.
    rank: int
    term: str
    #: Its share of the tf-idf cosine of the two documents.
    weight: float


def _open_infer(setup: Setup) -> Runner:
    from nlp_tasks.similarity.runner import Inferrer

    return Inferrer(setup)


def _open_search(setup: Setup) -> Runner:
    from nlp_tasks.similarity.search import Searcher

    return Searcher(setup)


def _train(
    documents: Documents,
    parameters: TrainSimilarityParameters,
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    from nlp_tasks.similarity.trainer import train

    return train(documents, parameters, device, model_dir, progress)


def _gate(candidate: Candidate) -> Sequence[Figure]:
    from nlp_tasks.similarity.gate import judge

    return judge(candidate)


SIMILARITY = Kind(
    name="similarity",
    summary="Find each document's most similar other documents by their Doc2Vec vectors, and what they share",
    parameters=SimilarityParameters,
    rows=(VectorRow, NeighbourRow, NeighbourTermRow),
    stages=(Stage("infer", _open_infer), Stage("search", _open_search, reads="nothing")),
    model_from="train-similarity",
    chunk_documents=1000,
    chunk_chars=4_000_000,
    help={
        "k": "how many neighbours each document gets",
        "min_score": "leave out neighbours whose cosine is lower",
        "method": "doc2vec, or hybrid (Doc2Vec and tf-idf together): " + ", ".join(METHODS),
        "terms": "words shown for each neighbour that both documents share; 0 for none",
        "scope": "look in the document's own collection, or in all: " + ", ".join(SCOPES),
    },
)

TRAIN_SIMILARITY = Kind(
    name="train-similarity",
    summary="Train a Doc2Vec model on documents, for `similarity`",
    parameters=TrainSimilarityParameters,
    train=_train,
    gate=_gate,
    help={
        "architecture": "dbow (faster, usually better) or dm (looks at word order)",
        "vector_size": "numbers in a document's vector",
        "epochs": "passes over the documents",
        "infer_epochs": "passes of an inference; 0 for as many as epochs",
        "min_count": "rarer words are unknown to the model",
        "window": "words on each side that predict a word (dm only)",
        "negative": "noise words for each word",
        "sample": "words with a larger share of the text are thinned out; 0 for none, -1 to choose by the text's size",
        "alpha": "learning rate at the start",
        "min_alpha": "learning rate at the end",
        "seed": "the same documents, parameters and seed make the same model",
    },
)
