"""Similarity: train Doc2Vec, infer the vectors of documents, and find the nearest neighbours of each document.

This module declares the kinds `similarity` and `train-similarity`. It imports neither torch, gensim nor numpy, because
clients import it to check parameters.

    trainer.py              trains a model; corpus.py: its training documents as word numbers
    flow_training.py        training for PV-DBOW in torch; sides.py, sparse_rows.py, block_threads.py: its data, kernels
                            and threads
    warm_start.py           what a training goes on from
    model.py                a Doc2Vec model as arrays, on disk and as a gensim object
    gate.py                 decides whether a new model replaces the champion
    infer_runner.py         the stage `infer`: documents to vectors
    inference.py            inference for PV-DBOW in batches; integrators.py, noise_sample.py: its numerics
    gensim_descent.py       training and inference by gensim's own descent
    search_runner.py        the stage `search`: vectors to neighbours
    by_encoder.py           both stages by an imported model
    embedding.py            the kind `embed`: vectors as results; embedding_runner.py: its stage
    increments.py           documents whose neighbours change because of new ones
    exact_search.py         exact nearest neighbours by the vectors; candidate_search.py: its candidates
    inverted_lists.py       nearest neighbours among millions of vectors, not all of which are compared; centroids.py:
                            of its lists
    search_recall.py        what such a search has found of the nearest
    mixed_search.py         exact nearest neighbours by the vectors and the words
    shared_terms.py         tf-idf, and the words that two documents share
    word_counts.py          counts of known words
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlp_tasks.kind import (
    IMPORTED,
    Candidate,
    Documents,
    Figure,
    Input,
    Kind,
    ModelInput,
    Others,
    Progress,
    Runner,
    Setup,
    Stage,
    VectorsWanted,
)
from nlp_tasks.parameters import LOCAL_FOLDER, Seed, parameters


@parameters
class SimilarityParameters:
    """Which neighbours to find."""

    k: Annotated[
        int,
        Field(ge=1, le=1000, description="maximum number of neighbours of each document"),
    ] = 10
    min_score: Annotated[
        float, Field(ge=-1, le=1, description="leave out neighbours with a lower score; -1 keeps all")
    ] = -1.0
    scope: Annotated[
        Literal["collection", "all"],
        Field(description="search the document's own collection, or all that have vectors of the same model"),
    ] = "collection"
    method: Annotated[
        Literal["hybrid", "doc2vec", "hybrid-embedding", "embedding"],
        Field(
            description="hybrid: combine Doc2Vec with tf-idf; doc2vec: compare vectors alone; hybrid-embedding and "
            "embedding: the same with the vectors of an imported model"
        ),
    ] = "hybrid"
    terms: Annotated[
        int,
        Field(ge=0, le=100, description="number of shared words stored for each neighbour; 0 for none"),
    ] = 3
    search: Annotated[
        Literal["exact", "index"],
        Field(
            description="exact: compare all documents with each other; index: for millions of documents, compare only "
            "those that are probably near, and measure what is missed; methods doc2vec and embedding only"
        ),
    ] = "exact"
    target_recall: Annotated[
        float,
        Field(ge=0.5, le=1, description="share of the nearest documents that search=index is to find"),
    ] = 0.95

    @property
    def needs_terms(self) -> bool:
        """Whether a search reads the words of the documents, and not only their vectors."""
        return self.method.startswith("hybrid") or self.terms > 0

    @property
    def makers(self) -> tuple[str, ...]:
        """Who makes the models that the method compares by."""
        return (IMPORTED,) if self.method.endswith("embedding") else ("train-similarity",)

    @property
    def others(self) -> Others:
        """A list depends on all documents. New documents are merged into the lists of the others, except by
        `hybrid-embedding` (a new document changes the weight of its words everywhere), by an index (a merged list is
        not what its search finds) and where other collections are searched, too."""
        is_exact = self.method != "hybrid-embedding" and self.search == "exact"
        are_updated = is_exact and self.scope == "collection"
        return Others(NeighbourRow.table, are_updated, self.scope == "all", NeighbourListRow.table)

    @property
    def vectors(self) -> VectorsWanted:
        """The vectors that a search reads."""
        return VectorsWanted(self.needs_terms, self.scope == "all")


@parameters
class TrainSimilarityParameters:
    """How Doc2Vec is trained (Le & Mikolov 2014, with gensim). The defaults were chosen by experiment:
    docs/similarity.md."""

    architecture: Annotated[
        Literal["dbow", "dm"],
        Field(description="dbow: faster, usually better; dm: takes word order into account"),
    ] = "dbow"
    trainer: Annotated[
        Literal["gensim", "torch"],
        Field(description="gensim: on one thread, as always for dm; torch: on all cores or a GPU, dbow only"),
    ] = "gensim"
    vector_size: Annotated[int, Field(ge=2, le=2000, description="dimensions of a document's vector")] = 200
    epochs: Annotated[int, Field(ge=1, le=10_000, description="passes over the documents")] = 40
    infer_epochs: Annotated[
        int, Field(ge=0, le=10_000, description="passes in inference; 0 for as many as epochs")
    ] = 0
    min_count: Annotated[int, Field(ge=1, le=1_000_000, description="ignore words that occur less often")] = 2
    window: Annotated[
        int, Field(ge=1, le=100, description="words on each side that predict a word; dm only")
    ] = 5
    negative: Annotated[int, Field(ge=1, le=100, description="noise words drawn for each word")] = 5
    sample: Annotated[
        float,
        Field(
            ge=-1,
            le=0.5,
            description="threshold for down-sampling frequent words, as a share of all words; 0 for none, -1 to "
            "choose it by the size of the text",
            json_schema_extra={"anyOf": [{"const": -1}, {"minimum": 0}]},
        ),
    ] = -1.0
    alpha: Annotated[float, Field(gt=0, le=1, description="learning rate at the start")] = 0.025
    min_alpha: Annotated[float, Field(gt=0, le=1, description="learning rate at the end")] = 0.0001
    start_from: Annotated[
        str,
        Field(
            description="the name of a model that `train similarity` made, to go on from, with fewer epochs: NAME for "
            "its champion, NAME@VERSION; or its folder"
        ),
        LOCAL_FOLDER,
    ] = ""
    seed: Seed = 0

    def __post_init__(self) -> None:
        if -1 < self.sample < 0:
            raise ValueError(f"sample must be from 0 to 0.5, or -1 to choose one, not {self.sample}")
        if self.min_alpha > self.alpha:
            raise ValueError(f"min_alpha must be at most alpha ({self.alpha}), not {self.min_alpha}")


@dataclass(frozen=True, slots=True)
class VectorRow:
    """A document's vector under one model version."""

    table: ClassVar[str] = "document_vector"

    #: float32, little-endian; of Doc2Vec not normalised.
    vector: bytes
    #: Its words and their counts: of Doc2Vec as `nlp_tasks.similarity.shared_terms.packed` makes them, of an imported
    #: model as JSON.
    terms: bytes
    #: What its distances are multiplied by in a hybrid score; NULL for 1.
    scale: float | None


@dataclass(frozen=True, slots=True)
class NeighbourRow:
    """A document near another one."""

    table: ClassVar[str] = "neighbour"
    key: ClassVar[tuple[str, ...]] = ("rank",)
    tied: ClassVar[str] = "neighbour_id"

    #: 1 for the nearest.
    rank: int
    #: The neighbour's document id.
    neighbour_id: int
    #: From -1 to 1: of vectors and words together for a hybrid method, otherwise the cosine of the two vectors.
    score: float


@dataclass(frozen=True, slots=True)
class NeighbourTermRow:
    """A word that a document shares with a neighbour."""

    table: ClassVar[str] = "neighbour_term"
    key: ClassVar[tuple[str, ...]] = ("neighbour_rank", "rank")

    neighbour_rank: int
    #: 1 for the word with the largest weight.
    rank: int
    term: str
    #: Its share of the tf-idf cosine of the two documents.
    weight: float


@dataclass(frozen=True, slots=True)
class NeighbourRecallRow:
    """What a search by an index has found of a document's nearest, for some documents of a job."""

    table: ClassVar[str] = "neighbour_recall"

    #: How many neighbours an exact search finds ...
    n_nearest: int
    #: ... and how many of these are on the document's list.
    n_found: int
    #: The lists of the index, and how many of them are read for a document.
    n_lists: int
    n_read: int


@dataclass(frozen=True, slots=True)
class NeighbourListRow:
    """What is known of a document's nearest documents beyond its list, so that later jobs need not search again."""

    table: ClassVar[str] = "neighbour_list"

    #: The score at which another document enters the list.
    least: float
    #: No document that is left out of `stored` had a higher score when the list was made; -2 if none is left out.
    bound: float
    #: The neighbours and some spare ones, nearest first: ids (int64), then scores (float32), little-endian.
    stored: bytes


def _check(parameters: SimilarityParameters) -> None:
    if parameters.search == "index" and parameters.method.startswith("hybrid"):
        instead = "embedding" if parameters.method == "hybrid-embedding" else "doc2vec"
        raise ValueError(
            f"search=index compares vectors alone, and method={parameters.method} words as well: use method={instead}, "
            "or search=exact"
        )


def _open_infer(setup: Setup) -> Runner:
    if setup.parameters.makers == (IMPORTED,):
        from nlp_tasks.similarity.by_encoder import EncoderInferrer

        return EncoderInferrer(setup)
    from nlp_tasks.similarity.infer_runner import Inferrer

    return Inferrer(setup)


def _open_search(setup: Setup) -> Runner:
    if setup.parameters.makers == (IMPORTED,):
        from nlp_tasks.similarity.by_encoder import EncoderSearcher

        return EncoderSearcher(setup)
    from nlp_tasks.similarity.search_runner import Searcher

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


def _inputs(parameters: TrainSimilarityParameters) -> Sequence[Input]:
    """A value that starts with "/" or "." is a folder."""
    if not parameters.start_from or parameters.start_from.startswith(("/", ".")):
        return ()
    return (ModelInput("start_from", "train-similarity"),)


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
    summary="Find the documents most similar to each, by Doc2Vec or an imported model, and the words they share",
    parameters=SimilarityParameters,
    rows=(VectorRow, NeighbourRow, NeighbourTermRow, NeighbourRecallRow),
    stages=(
        Stage("infer", _open_infer),
        Stage(
            "search", _open_search, reads="nothing", vectors=attrgetter("vectors"), updates=NeighbourListRow
        ),
    ),
    model_from="train-similarity",
    models_from=attrgetter("makers"),
    with_imported={"method": "embedding"},
    rounds=True,
    others=attrgetter("others"),
    check=_check,
    chunk_documents=1000,
    chunk_chars=4_000_000,
    # 2: lists with spare neighbours, and `hybrid` compares all documents, not 100 candidates.
    epoch=2,
)

TRAIN_SIMILARITY = Kind(
    name="train-similarity",
    summary="Train a Doc2Vec model on documents, for `similarity`",
    parameters=TrainSimilarityParameters,
    train=_train,
    inputs=_inputs,
    gate=_gate,
    headline={"self_rank": "self-rank {:.3f}"},
    export=_export,
)

KINDS = (SIMILARITY, TRAIN_SIMILARITY)
