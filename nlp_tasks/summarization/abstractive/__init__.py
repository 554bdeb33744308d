"""Summaries in new words: a small encoder-decoder that is trained here, and those that transformers loads.

This module is light (no torch, no numpy): a client reads it to check parameters. `summarization` has the kind
that writes summaries; here is the kind that trains a model for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from nlp_tasks.kind import Documents, Kind, Progress
from nlp_tasks.parameters import HeldOut, Seed, parameters


@parameters
class TrainSummarizerParameters:
    """How a summarizer is trained."""

    seed: Seed = 0
    held_out: HeldOut = 0.1
    epochs: Annotated[
        int,
        Field(ge=0, le=10_000, description="passes over the pairs at most; 0 for what suits few pairs"),
    ] = 0
    width: Annotated[int, Field(ge=16, le=1024, description="width of the network's layers")] = 128


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
    headline={"rouge_l": "ROUGE-L {:.1f}", "lead_rouge_l": "first sentences' {:.1f}"},
    labelled_only=True,
    pairs_field="summary",
)

KINDS = (TRAIN_SUMMARIZER,)
