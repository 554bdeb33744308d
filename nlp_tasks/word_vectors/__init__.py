"""Word vectors: trains Word2Vec on documents, and finds the words nearest to others.

This module declares the kind `train-words`. It imports neither gensim nor numpy, because clients import it to check
parameters.

    trainer.py              trains a model: cut, count, descend, save
    units.py                what gets a vector: morphemes, words as written, or learned subwords
    descent.py              the descent of gensim, with heartbeats and checkpoints
    model.py                a model as arrays and on disk
    queries.py              nearest words and analogies; spelling.py: words that are spelled alike
    text_format.py          the text format of word2vec
    gate.py                 decides whether a new model replaces the champion
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nlp_tasks.kind import Candidate, Documents, Figure, Kind, Progress
from nlp_tasks.parameters import Seed, parameters


@parameters
class TrainWordsParameters:
    """How Word2Vec is trained (Mikolov et al. 2013, with gensim)."""

    arch: Annotated[
        Literal["skip-gram", "cbow"],
        Field(
            description="skip-gram: a word predicts each word around it, better for small texts and rare words; "
            "cbow: the words around it predict a word, several times as fast"
        ),
    ] = "skip-gram"
    units: Annotated[
        Literal["morphemes", "words", "bpe"],
        Field(
            description="what gets a vector. morphemes: content morphemes in Korean, words elsewhere; words: words as "
            "written; bpe: subwords learned from the texts. All in lower case"
        ),
    ] = "morphemes"
    merges: Annotated[
        int,
        Field(ge=1, le=200_000, description="for units bpe: number of merges, about that of the subwords"),
    ] = 16_000
    vector_size: Annotated[int, Field(ge=2, le=2000, description="dimensions of a word's vector")] = 100
    window: Annotated[
        int, Field(ge=1, le=100, description="maximum distance of two words that predict each other")
    ] = 5
    epochs: Annotated[int, Field(ge=1, le=10_000, description="passes over the documents")] = 10
    min_count: Annotated[int, Field(ge=1, le=1_000_000, description="ignore words that occur less often")] = 5
    negative: Annotated[int, Field(ge=1, le=100, description="noise words drawn for each pair of words")] = 5
    sample: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            description="threshold for down-sampling frequent words, as a share of all words; 0 for none",
        ),
    ] = 0.001
    alpha: Annotated[float, Field(gt=0, le=1, description="learning rate at the start")] = 0.025
    min_alpha: Annotated[float, Field(gt=0, le=1, description="learning rate at the end")] = 0.0001
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.min_alpha > self.alpha:
            raise ValueError(f"min_alpha must be at most alpha ({self.alpha}), not {self.min_alpha}")


def _train(
    documents: Documents,
    parameters: TrainWordsParameters,
    device: str,  # noqa: ARG001 (gensim trains on the processor)
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    from nlp_tasks.word_vectors import trainer

    return trainer.train(documents, parameters, model_dir, progress)


def _judge(candidate: Candidate) -> Sequence[Figure]:
    from nlp_tasks.word_vectors import gate

    return gate.judge(candidate)


def _export(model_dir: Path, folder: Path) -> tuple[Path, str]:
    """In the text format of word2vec."""
    from nlp_tasks.word_vectors import model as models
    from nlp_tasks.word_vectors import text_format

    target = folder / "vectors.txt"
    text_format.write(models.load(model_dir), target)
    return target, f"gensim.models.KeyedVectors.load_word2vec_format({str(target)!r})"


TRAIN_WORDS = Kind(
    name="train-words",
    summary="Train Word2Vec on documents: a vector for each word, for `docmill words`",
    parameters=TrainWordsParameters,
    train=_train,
    gate=_judge,
    headline={"vocabulary": "{:,.0f} words"},
    export=_export,
)

KINDS = (TRAIN_WORDS,)
