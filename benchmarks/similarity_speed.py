"""Inference compared with gensim, with the same model: documents per second, cosines of the vectors, and quality.

Times are CPU seconds of one thread, from lists of words to vectors, the best of several repetitions, to reduce the
effect of a busy machine. gensim ignores words after the first 10,000, so the compared documents are truncated there.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.similarity_data import Gold, cosines
from nlp_tasks.similarity import TrainSimilarityParameters, model, trainer
from nlp_tasks.similarity.gensim_descent import SLICE_WORDS
from nlp_tasks.similarity.inference import DbowInference
from nlp_tasks.similarity.model import Model

if TYPE_CHECKING:
    from gensim.models.doc2vec import Doc2Vec

COLUMNS = ["set", "words", "epochs", "gensim docs/s", "docs/s", "times", "cosine", "lowest", "gensim's own"]
FOUND_COLUMNS = ["set", "gensim finds", "we find"]
#: The thresholds: set -> epochs -> speed relative to gensim; and the minimum mean cosine.
LEAST_TIMES = {"lee": {10: 2.0, 40: 5.0}, "law": {10: 6.0, 40: 12.0}}
LEAST_COSINE = {"lee": 0.99, "wikihalves": 0.98, "law": 0.98}
#: The number of gensim runs that are averaged, and of documents of each set.
RUNS = 30
AVERAGED = {"lee": 50, "wikihalves": 30, "law": 8}
#: The tolerance in quality: the difference between two runs of gensim.
CHANCE = 0.01

Words = Sequence[Sequence[str]]


def measure(golds: list[Gold], device: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and thresholds; prints two tables."""
    rows, found_rows = [], []
    figures: dict[str, float] = {}
    bars: dict[str, dict[str, float]] = {}
    for gold in golds:
        trained = train(gold, TrainSimilarityParameters(vector_size=100, epochs=10, sample=1e-3))
        words = _known(gold.test.words(), trained)
        for epochs in (10, 40):
            one = _compare(words, AVERAGED[gold.name], _with_epochs(trained, epochs), device)
            rows.append([gold.name, round(np.mean([len(each) for each in words])), epochs, *one.values()])
            figures |= {f"{gold.name}, {epochs} epochs, {what}": value for what, value in one.items()}
            if epochs in LEAST_TIMES.get(gold.name, {}) and device == "cpu":
                least = LEAST_TIMES[gold.name][epochs]
                bars[f"{gold.name}: times gensim's speed at {epochs} epochs"] = {
                    "value": one["times"],
                    "at_least": least,
                }
            least = LEAST_COSINE[gold.name]
            bars[f"{gold.name}: mean cosine at {epochs} epochs"] = {"value": one["cosine"], "at_least": least}
        theirs, ours = _found(gold, words, _with_epochs(trained, 10), device)
        found_rows.append([gold.name, theirs, ours])
        figures |= {f"{gold.name}, gensim finds": theirs, f"{gold.name}, we find": ours}
        bars[f"{gold.name}: finds as much as gensim's vectors"] = {"value": ours, "at_least": theirs - CHANCE}
    report.table(f"inference on {device}, 100 dimensions, beside gensim's infer_vector", COLUMNS, rows)
    report.table(
        "found with those vectors, 10 epochs (lee: correlation; else share of nearest)",
        FOUND_COLUMNS,
        found_rows,
    )
    return figures, bars


def train(gold: Gold, parameters: TrainSimilarityParameters) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(gold.train, parameters, "cpu", Path(folder), lambda *_: None)
        return model.load(Path(folder))


def _known(documents: Words, trained: Model) -> list[list[str]]:
    known = frozenset(trained.words)
    return [[word for word in words if word in known][:SLICE_WORDS] for words in documents]


def _with_epochs(trained: Model, epochs: int) -> Model:
    parameters = dataclasses.replace(trained.parameters, infer_epochs=epochs)
    return dataclasses.replace(trained, parameters=parameters)


def _compare(words: Words, n_averaged: int, trained: Model, device: str) -> dict[str, float]:
    """Speed, and cosines of the vectors. The timed documents are spread evenly over the set for both sides."""
    epochs = trained.infer_epochs
    sample = words[:: max(len(words) // n_averaged, 1)][:n_averaged]
    gensim, flow = model.as_gensim(trained), DbowInference(trained, device)
    timed, runs = [], []
    for seed in range(RUNS):
        started = time.process_time()
        runs.append(by_gensim(gensim, sample, epochs, seed))
        timed.append(time.process_time() - started)
    mean, near = np.mean(runs, axis=0), flow(sample)
    # A batch in a worker has hundreds of documents of similar length: here the sample, repeated.
    batch = list(sample) * max(256 // len(sample), 1)
    theirs, ours = len(sample) / min(timed), len(batch) / _seconds(lambda: flow(batch), device)
    cosine = _cosine(near, mean)
    return {
        "gensim documents per second": theirs,
        "documents per second": ours,
        "times": ours / theirs,
        "cosine": float(cosine.mean()),
        "lowest cosine": float(cosine.min()),
        "gensim's own cosine": float(np.mean([_cosine(run, mean) for run in runs])),
    }


def _found(gold: Gold, words: Words, trained: Model, device: str) -> tuple[float, float]:
    theirs = by_gensim(model.as_gensim(trained), words, trained.infer_epochs, 0)
    return gold.quality(cosines(theirs)), gold.quality(cosines(DbowInference(trained, device)(words)))


def by_gensim(gensim: Doc2Vec, documents: Words, epochs: int, seed: int) -> NDArray[np.float32]:
    """The inference of gensim  # (B, D)."""
    gensim.random.seed(seed)
    return np.stack([gensim.infer_vector(words, epochs=epochs) for words in documents])


def _seconds(run: Callable[[], object], device: str) -> float:
    """The best of several runs: CPU time, or wall time on a GPU."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    run()
    seconds = []
    for _ in range(5):
        started = clock()
        run()
        seconds.append(clock() - started)
    return min(seconds)


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    products = (left * right).sum(axis=1)
    return np.asarray(products / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1))
