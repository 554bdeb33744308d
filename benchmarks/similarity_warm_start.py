"""Retraining Doc2Vec from a model of most of the documents, compared with training anew on all: time and quality.

    python -m benchmarks.similarity_warm_start --data DIR [--sets wikihalves law] [--seeds 3] [--epochs 10]

A model is trained on four fifths of the documents. Then all are trained anew, and by going on from that model with
fewer epochs. Quality is top-1 on all documents (lee: correlation with human ratings); `before` is the model of four
fifths on the same. Time is processor time of one thread, without reading the words of the documents, which takes the
same for both; that of going on includes finding the documents' vectors by the old model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import report, similarity_data
from benchmarks.similarity_data import Gold, Texts, cosines
from nlp_tasks.similarity import TrainSimilarityParameters, warm_start
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.similarity.infer_runner import inference
from nlp_tasks.similarity.model import Model
from nlp_tasks.similarity.trainer import fit, goes_on

SETS = {"wikihalves": similarity_data.wikihalves, "law": similarity_data.law, "lee": similarity_data.lee}
#: The share of the documents that the first model has.
OLD = 0.8
#: By how much top-1 may be lower, and the share of the time.
LESS, LEAST_TIME = 0.01, 0.6
COLUMNS = ["seed", "before", "anew", "gone on", "anew s", "gone on s", "time", "reading s"]


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    options = _options()
    torch.set_num_threads(1)
    print(f"{report.machine()}; going on with {options.epochs} epochs\n")
    figures: dict[str, float] = {}
    bars: dict[str, dict[str, float]] = {}
    for name in options.sets:
        gold = SETS[name](options.data)
        for trainer in options.trainers:
            rows = [_one(gold, trainer, seed, options.epochs) for seed in range(options.seeds)]
            report.table(f"{name}, {trainer}", COLUMNS, [[seed, *row] for seed, row in enumerate(rows)])
            before, anew, gone_on, _, _, share, _ = np.mean(rows, axis=0).tolist()
            of = f"{name}, {trainer}"
            figures |= {
                f"{of}, before": before,
                f"{of}, anew": anew,
                f"{of}, gone on": gone_on,
                f"{of}, time": share,
            }
            bars[f"{of}: top-1 less that of a full training"] = {"value": gone_on - anew, "at_least": -LESS}
            bars[f"{of}: share of its time"] = {"value": share, "at_most": LEAST_TIME}
    report.end(figures, bars)


def _one(gold: Gold, trainer: str, seed: int, epochs: int) -> list[float]:
    full = TrainSimilarityParameters(trainer=trainer, seed=seed)  # type: ignore[arg-type]
    order = np.random.default_rng(seed).permutation(len(gold.train))
    old = Texts([gold.train.documents[row] for row in sorted(order[: int(OLD * len(order))].tolist())])
    started = time.process_time()
    corpus = read(gold.train, full.min_count, lambda _: None)
    reading = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        before, _ = _fitted(read(old, full.min_count, lambda _: None), full)
        models.save(before, Path(folder))
        anew, anew_seconds = _fitted(corpus, full)
        on, on_seconds = _fitted(corpus, replace(full, epochs=epochs, start_from=folder))
    found = [_quality(gold, model) for model in (before, anew, on)]
    return [*found, anew_seconds, on_seconds, on_seconds / anew_seconds, reading]


def _fitted(corpus: Corpus, parameters: TrainSimilarityParameters) -> tuple[Model, float]:
    """The model, and the processor seconds that it took."""
    started = time.process_time()
    start = None
    if parameters.start_from:
        start = goes_on(warm_start.load(parameters), corpus, parameters)
    model, _ = fit(corpus, parameters, lambda *_: None, "cpu", start)
    return model, time.process_time() - started


def _quality(gold: Gold, model: Model) -> float:
    known = [[word for word in words if word in model.numbers] for words in gold.test.words()]
    return gold.quality(cosines(inference(model, "cpu")(known) - model.mean))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the document sets")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=["wikihalves", "law"])
    parser.add_argument("--trainers", nargs="*", choices=["torch", "gensim"], default=["torch", "gensim"])
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each sort")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of a training that goes on")
    return parser.parse_args()


if __name__ == "__main__":
    main()
