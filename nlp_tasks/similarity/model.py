"""A Doc2Vec model as arrays, on disk as JSON and safetensors, and as gensim's object.

gensim's own files are pickles, and its vocabulary order depends on the processor's sort; here words keep the
order they are given. Of the training documents' vectors only a sample is kept: inference needs no more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from nlp_tasks.similarity import TrainSimilarityParameters

if TYPE_CHECKING:
    from gensim.models.doc2vec import Doc2Vec

FORMAT = "docmill doc2vec 2"


@dataclass(frozen=True)
class Model:
    """All that inference depends on."""

    parameters: TrainSimilarityParameters
    words: list[str]  # (V,)
    counts: NDArray[np.int64]  # (V,)
    #: The output layer with negative sampling, gensim's syn1neg.
    output: NDArray[np.float32]  # (V, D)
    #: The word vectors; for PV-DM only, PV-DBOW has none.
    word_vectors: NDArray[np.float32] | None  # (V, D)
    #: Some training documents' vectors: where in space inference has to be good.
    typical: NDArray[np.float32]  # (S, D)
    #: Of so many training documents ...
    n_documents: int
    #: ... each word occurs in these: the idf table.
    document_counts: NDArray[np.int64]  # (V,)
    #: The mean of the training documents' vectors: what all texts of a corpus are alike in, and a search takes away.
    mean: NDArray[np.float32]  # (D,)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each word's place in `words`."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def infer_epochs(self) -> int:
        return self.parameters.infer_epochs or self.parameters.epochs


def save(model: Model, model_dir: Path) -> None:
    """Write a model and seal it."""
    tensors: dict[str, NDArray[np.generic]] = {
        "counts": model.counts,
        "output": model.output,
        "typical": model.typical,
        "document_counts": model.document_counts,
        "mean": model.mean,
    }
    if model.word_vectors is not None:
        tensors["word_vectors"] = model.word_vectors
    config = {
        "format": FORMAT,
        "parameters": asdict(model.parameters),
        "n_documents": model.n_documents,
        "words": model.words,
    }
    model_files.save(model_dir, config, tensors)


def load(model_dir: Path) -> Model:
    """The checked model of a folder. Raises ModelFileError if it is not whole, or not a Doc2Vec model."""
    config, tensors = model_files.load(model_dir)
    if config.get("format") != FORMAT:
        raise ModelFileError(
            f"{model_dir} holds {config.get('format')!r}, not {FORMAT!r}: train the model again"
        )
    return Model(
        TrainSimilarityParameters(**config["parameters"]),
        config["words"],
        cast("NDArray[np.int64]", tensors["counts"]),
        cast("NDArray[np.float32]", tensors["output"]),
        cast("NDArray[np.float32] | None", tensors.get("word_vectors")),
        cast("NDArray[np.float32]", tensors["typical"]),
        config["n_documents"],
        cast("NDArray[np.int64]", tensors["document_counts"]),
        cast("NDArray[np.float32]", tensors["mean"]),
    )


def rebuild(model_dir: Path) -> Doc2Vec:
    """gensim's object of a saved model: its inference gives, bit for bit, what the trained one gave."""
    return as_gensim(load(model_dir))


def as_gensim(model: Model) -> Doc2Vec:
    """gensim's object of a model, for inference."""
    built = untrained(model.parameters, model.words, model.counts)
    built.syn1neg[:] = model.output
    if model.word_vectors is not None:
        built.wv.vectors[:] = model.word_vectors
    built.epochs = model.infer_epochs
    return built


def untrained(parameters: TrainSimilarityParameters, words: list[str], counts: NDArray[np.int64]) -> Doc2Vec:
    """A gensim model with this vocabulary, in this order, and first weights from the seed."""
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
        sorted_vocab=0,  # its sort is not stable: equal counts would change places between processors
        workers=1,
    )
    model.build_vocab_from_freq(dict(zip(words, counts.tolist(), strict=True)))
    return model
