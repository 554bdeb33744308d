"""A Doc2Vec model as arrays, on disk as JSON and safetensors, and as an object of gensim.

The files of gensim are pickles, and the order of its vocabulary depends on the processor; here words keep their order.
Only a sample of the training documents' vectors is kept: inference needs no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from nlp_tasks.similarity import TrainSimilarityParameters

if TYPE_CHECKING:
    from gensim.models.doc2vec import Doc2Vec

FORMAT = "docmill doc2vec 2"


@dataclass(frozen=True)
class References:
    """R training documents as a search has them."""

    #: Inferred from their words.
    vectors: NDArray[np.float32]  # (R, D)
    #: Their words, packed as the store has them.
    terms: Sequence[bytes]  # (R,)
    #: The mean distance of one from the nearest others.
    distance: float


@dataclass(frozen=True)
class Model:
    """Everything that inference depends on."""

    parameters: TrainSimilarityParameters
    words: list[str]  # (V,)
    counts: NDArray[np.int64]  # (V,)
    #: The output layer with negative sampling (syn1neg in gensim).
    output: NDArray[np.float32]  # (V, D)
    #: The word vectors of PV-DM; None for PV-DBOW.
    word_vectors: NDArray[np.float32] | None  # (V, D)
    #: The vectors of some training documents: the region in which inference must be accurate.
    typical: NDArray[np.float32]  # (S, D)
    #: The number of training documents ...
    n_documents: int
    #: ... and of those that contain each word, for idf.
    document_counts: NDArray[np.int64]  # (V,)
    #: The mean of the training documents' vectors, which a search subtracts: what all texts of a corpus have in common.
    mean: NDArray[np.float32]  # (D,)
    #: Some training documents, by which scores are scaled (nlp_tasks.similarity.hubness); None in models that were
    #: trained before there were any.
    references: References | None = None
    #: The digest of the manifest of the model whose training this one went on from; None for none.
    started_from: str | None = None

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The index in `words` of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def infer_epochs(self) -> int:
        return self.parameters.infer_epochs or self.parameters.epochs


def save(model: Model, model_dir: Path) -> None:
    """Write a model and seal it."""
    config, tensors = packed(model)
    model_files.save(model_dir, {"format": FORMAT} | config, tensors)


def load(model_dir: Path) -> Model:
    """The model of a folder, verified. Raises ModelFileError if it is incomplete, or not a Doc2Vec model."""
    config, tensors = model_files.load(model_dir)
    if config.get("format") != FORMAT:
        raise ModelFileError(
            f"{model_dir} holds {config.get('format')!r}, not {FORMAT!r}: train the model again"
        )
    return unpacked(config, tensors)


def packed(model: Model) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A model as values for JSON and safetensors."""
    tensors: dict[str, NDArray[Any]] = {
        "counts": model.counts,
        "output": model.output,
        "typical": model.typical,
        "document_counts": model.document_counts,
        "mean": model.mean,
    }
    if model.word_vectors is not None:
        tensors["word_vectors"] = model.word_vectors
    if model.references is not None:
        tensors["reference_vectors"] = model.references.vectors
        tensors["reference_terms"] = np.frombuffer(b"".join(model.references.terms), np.uint8)
        tensors["reference_sizes"] = np.array(list(map(len, model.references.terms)), np.int64)
    config = {
        "parameters": asdict(model.parameters),
        "n_documents": model.n_documents,
        "words": model.words,
        "reference_distance": model.references.distance if model.references is not None else None,
    }
    if model.started_from is not None:
        config["started_from"] = model.started_from
    return config, tensors


def unpacked(config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Model:
    """The model that `packed` described; other values are ignored."""
    return Model(
        TrainSimilarityParameters(**config["parameters"]),
        config["words"],
        tensors["counts"],
        tensors["output"],
        tensors.get("word_vectors"),
        tensors["typical"],
        config["n_documents"],
        tensors["document_counts"],
        tensors["mean"],
        _references(config, tensors),
        config.get("started_from"),
    )


def _references(config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> References | None:
    if "reference_vectors" not in tensors:
        return None
    bounds = np.concatenate([[0], np.cumsum(tensors["reference_sizes"])]).tolist()
    every = tensors["reference_terms"].tobytes()
    terms = [every[start:stop] for start, stop in pairwise(bounds)]
    return References(tensors["reference_vectors"], terms, config["reference_distance"])


def rebuild(model_dir: Path) -> Doc2Vec:
    """The gensim object of a saved model: its inference gives, bit for bit, the same vectors as the trained one."""
    return as_gensim(load(model_dir))


def as_gensim(model: Model) -> Doc2Vec:
    """The gensim object of a model, for inference."""
    built = untrained(model.parameters, model.words, model.counts)
    built.syn1neg[:] = model.output
    if model.word_vectors is not None:
        built.wv.vectors[:] = model.word_vectors
    built.epochs = model.infer_epochs
    return built


def untrained(parameters: TrainSimilarityParameters, words: list[str], counts: NDArray[np.int64]) -> Doc2Vec:
    """A gensim model with this vocabulary, in this order, and initial weights from the seed."""
    from gensim.models.doc2vec import Doc2Vec

    model = Doc2Vec(
        dm=int(parameters.architecture == "dm"),
        vector_size=parameters.vector_size,
        epochs=parameters.epochs,
        window=parameters.window,
        negative=parameters.negative,
        sample=parameters.sample,
        alpha=parameters.alpha,
        min_alpha=parameters.min_alpha,
        seed=parameters.seed,
        hs=0,
        min_count=1,
        sorted_vocab=0,  # gensim's sort is not stable: words with equal counts would differ between processors
        workers=1,
    )
    model.build_vocab_from_freq(dict(zip(words, counts.tolist(), strict=True)))
    return model
