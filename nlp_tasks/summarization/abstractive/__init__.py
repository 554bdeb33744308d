"""Abstractive summaries: a small encoder-decoder that docmill trains, and models that transformers loads.

This module declares the kind `train-summarizer` (`summarize` is in the package above). It imports neither torch nor
numpy, because clients import it to check parameters.

    runner.py               the stage of `summarize` for method=abstractive
    trainer.py              trains docmill's own model
    model.py, network.py    that model: on disk and at work; its network
    subwords.py, embeddings.py, encoder_input.py   its vocabulary, initial embeddings and input
    decoding.py             beam search and sampling
    pretrained.py           models of transformers
    windows.py              long texts in windows of whole sentences
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
        Field(ge=0, le=10_000, description="passes over the documents; 0 for the default"),
    ] = 0
    width: Annotated[int, Field(ge=16, le=1024, description="hidden size of the network")] = 128


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
