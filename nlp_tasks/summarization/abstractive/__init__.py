"""Summaries in new words: a small encoder-decoder that is trained here, and those that transformers loads.

This module is light (no torch, no numpy): a client reads it to check parameters. `summarization` has the kind
that writes summaries; here is the kind that trains a model for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nlp_tasks.kind import Documents, Kind, Progress


@dataclass(frozen=True)
class TrainSummarizerParameters:
    """How a summarizer is trained."""

    seed: int = 0
    #: Share of the pairs kept out of training to measure the model.
    held_out: float = 0.1
    #: At most so many passes over the pairs; 0: as many as few pairs do well with.
    epochs: int = 0
    #: The width of the network's layers.
    width: int = 128

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be from 0 to {2**31 - 1}, not {self.seed}")
        if not 0 <= self.epochs <= 10_000:
            raise ValueError(f"epochs must be from 0 to 10000, not {self.epochs}")
        if not 0.0 < self.held_out <= 0.5:
            raise ValueError(f"held_out is {self.held_out}: hold out more than 0 and at most half")
        if not 16 <= self.width <= 1024:
            raise ValueError(f"width is {self.width}: choose from 16 to 1024")


def _train(
    documents: Documents,
    parameters: TrainSummarizerParameters,
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    from nlp_tasks.summarization.abstractive import trainer

    return trainer.train(documents, parameters, device, model_dir, progress)


TRAIN_SUMMARIZER = Kind(
    name="train-summarizer",
    summary="Train a model that writes headlines, on documents whose label is their headline",
    parameters=TrainSummarizerParameters,
    train=_train,
    labelled_only=True,
    help={
        "seed": "the same documents, parameters and seed make the same model",
        "held_out": "share of the documents kept out of training to measure the model",
        "epochs": "at most so many passes over the documents; 0: as many as few documents do well with",
        "width": "the width of the network's layers",
    },
)
