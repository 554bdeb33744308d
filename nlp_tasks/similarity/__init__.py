"""Similarity: train Doc2Vec on documents, infer every document's vector, find each one's nearest others.

This module is light (no torch, no gensim, no numpy): a client reads it to check parameters. The work is done
by `training.train`, `runner.Inferrer` and `search.Searcher`, imported when they are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlp_tasks.kind import Candidate, Documents, Figure, Kind, Progress, Runner, Setup, Stage, VectorsWanted
from nlp_tasks.parameters import Seed, parameters


@parameters
class SimilarityParameters:
    """Which neighbours are wanted."""

    k: Annotated[
        int,
        Field(
            ge=1, le=1000, description="neighbours of each document; fewer when there are no more documents"
        ),
    ] = 10
    min_score: Annotated[
        float, Field(ge=-1, le=1, description="leave out neighbours of a lower cosine; -1 leaves out none")
    ] = -1.0
    scope: Annotated[
        Literal["collection", "all"],
        Field(
            description="look in the document's own collection, or in all that have vectors of the same model"
        ),
    ] = "collection"
    method: Annotated[
        Literal["doc2vec", "hybrid"],
        Field(description="what is compared; hybrid: Doc2Vec and tf-idf together"),
    ] = "doc2vec"
    terms: Annotated[
        int,
        Field(
            ge=0, le=100, description="words shown for each neighbour that both documents share; 0 for none"
        ),
    ] = 3

    @property
    def needs_terms(self) -> bool:
        """Whether a search reads the documents' words beside their vectors."""
        return self.method == "hybrid" or self.terms > 0

    @property
    def vectors(self) -> VectorsWanted:
        """The vectors that a search reads."""
        return VectorsWanted(self.needs_terms, self.scope == "all")


@parameters
class TrainSimilarityParameters:
    """How Doc2Vec is trained (Le & Mikolov 2014, by gensim). The defaults are measured: docs/similarity.md."""

    architecture: Annotated[
        Literal["dbow", "dm"],
        Field(description="dbow: faster, usually better; dm: takes word order into account"),
    ] = "dbow"
    vector_size: Annotated[int, Field(ge=2, le=2000, description="numbers in a document's vector")] = 200
    epochs: Annotated[int, Field(ge=1, le=10_000, description="passes over the documents")] = 40
    infer_epochs: Annotated[
        int, Field(ge=0, le=10_000, description="passes of an inference; 0 for as many as epochs")
    ] = 0
    min_count: Annotated[
        int, Field(ge=1, le=1_000_000, description="words that occur less often are unknown to the model")
    ] = 2
    window: Annotated[
        int, Field(ge=1, le=100, description="words on each side that predict a word; dm only")
    ] = 5
    negative: Annotated[int, Field(ge=1, le=100, description="noise words drawn for each word")] = 5
    sample: Annotated[
        float,
        Field(
            ge=-1,
            le=0.5,
            description="words with a larger share of the text are thinned out; 0 for none, -1 to choose by the "
            "size of the text",
        ),
    ] = -1.0
    alpha: Annotated[float, Field(gt=0, le=1, description="learning rate at the start")] = 0.025
    min_alpha: Annotated[float, Field(gt=0, le=1, description="learning rate at the end")] = 0.0001
    seed: Seed = 0

    def __post_init__(self) -> None:
        if -1 < self.sample < 0:
            raise ValueError(f"sample must be from 0 to 0.5, or -1 to choose one, not {self.sample}")
        if self.min_alpha > self.alpha:
            raise ValueError(f"min_alpha is {self.min_alpha}: at most alpha, {self.alpha}")


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
    key: ClassVar[tuple[str, ...]] = ("rank",)
    tied: ClassVar[str] = "neighbour_id"

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


def _export(model_dir: Path, folder: Path) -> tuple[Path, str]:
    """As gensim's Doc2Vec."""
    from nlp_tasks.similarity.model import rebuild

    target = folder / "doc2vec.model"
    rebuild(model_dir).save(str(target))
    return target, f"gensim.models.doc2vec.Doc2Vec.load({str(target)!r})"


SIMILARITY = Kind(
    name="similarity",
    summary="Find each document's most similar other documents by their Doc2Vec vectors, and what they share",
    parameters=SimilarityParameters,
    rows=(VectorRow, NeighbourRow, NeighbourTermRow),
    stages=(
        Stage("infer", _open_infer),
        Stage("search", _open_search, reads="nothing", vectors=attrgetter("vectors")),
    ),
    model_from="train-similarity",
    chunk_documents=1000,
    chunk_chars=4_000_000,
)

TRAIN_SIMILARITY = Kind(
    name="train-similarity",
    summary="Train a Doc2Vec model on documents, for `similarity`",
    parameters=TrainSimilarityParameters,
    train=_train,
    gate=_gate,
    headline={"self_rank": "self-rank {:.3f}"},
    export=_export,
)

KINDS = (SIMILARITY, TRAIN_SIMILARITY)
