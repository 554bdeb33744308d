"""docmill's own summarizer, trained on petitions and their titles, compared with the first sentence, truncated."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import records

FOLDER = "ko_topic_petitions"
PROCESSOR_MINUTES = 15
Bars = dict[str, dict[str, float]]


def measure(data: Path, seed: int, device: str) -> tuple[dict[str, Any], Bars]:
    """Figures and thresholds. `train` holds out a tenth of the pairs. One thread."""
    import torch

    from nlp_tasks.kind import Document
    from nlp_tasks.summarization.abstractive import TRAIN_SUMMARIZER, TrainSummarizerParameters

    torch.set_num_threads(1)
    by_key = sorted(records(data, FOLDER, seed), key=lambda record: str(record["id"]))
    pairs = [Document(n, str(r["id"]), r["text"], r["title"]) for n, r in enumerate(by_key)]
    assert TRAIN_SUMMARIZER.train is not None
    start = time.process_time()
    with TemporaryDirectory() as folder:
        figures = TRAIN_SUMMARIZER.train(
            pairs, TrainSummarizerParameters(seed=seed), device, Path(folder), _Epochs()
        )
    minutes = (time.process_time() - start) / 60
    report.table(
        f"{FOLDER}: {figures['n_documents']:.0f} pairs trained on in {minutes:.1f} processor minutes, "
        f"loss {figures['training_loss']:.2f}; {figures['n_held_out']:.0f} held out",
        ["", "ROUGE-1", "ROUGE-2", "ROUGE-L"],
        [
            [name, *(figures[prefix + measure] for measure in ("rouge_1", "rouge_2", "rouge_l"))]
            for name, prefix in (("docmill train summarizer", ""), ("first sentence, same length", "lead_"))
        ],
    )
    bars: Bars = {
        "headlines, ROUGE-L over the first sentence's": {
            "value": figures["rouge_l"] - figures["lead_rouge_l"],
            "at_least": 0,
        },
        "headlines, processor minutes of training": {"value": minutes, "at_most": PROCESSOR_MINUTES},
    }
    return figures | {"processor_minutes": minutes}, bars


class _Epochs:
    """Prints the result of each epoch."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, *said: Any) -> None:
        note = str(said[-1])
        if self.last.partition(",")[0] != note.partition(",")[0] and self.last.startswith("epoch"):
            print(f"  {self.last}", flush=True)
        self.last = note
