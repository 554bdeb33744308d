"""Training of Doc2Vec in torch compared with gensim's on one thread, in one run: time and quality.

    python -m benchmarks.similarity_training --data DIR [--device cpu] [--seeds 5] [--documents 100000] [--sets ...]

DIR is that of `benchmarks.similarity`. Quality is top-1 accuracy (lee: correlation with human ratings), the mean over
the seeds. Time is of one training on pieces of Wikipedia articles; beside wall time, which other work on the machine
falsifies, processor time is shown.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import report, similarity_data
from benchmarks.similarity_data import Gold, cosines, texts
from benchmarks.similarity_end_to_end import pieces
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.similarity.inference import DbowInference
from nlp_tasks.similarity.trainer import fit

TRAINERS = ("torch", "gensim")
SETS = {
    "lee": similarity_data.lee,
    "wikihalves": similarity_data.wikihalves,
    "law": similarity_data.law,
}
#: How many times as fast as gensim's one thread.
FASTER = {"cpu": 4.0, "cuda": 50.0}


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    options = _options()
    print(f"{report.machine()}; torch on {options.device}: {torch.get_num_threads()} thread(s)\n")
    figures, bars = _speed(options.data, options.documents, options.device)
    for name in options.sets:
        found = _quality(SETS[name](options.data), options.seeds, options.device)
        figures |= {f"{name}, {trainer}": value for trainer, value in found.items()}
        bars[f"{name}: as good as gensim"] = {"value": found["torch"], "at_least": found["gensim"]}
    report.end(figures, bars)


def _speed(data: Path, n_documents: int, device: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    records = [{"id": number, "text": text} for number, text in enumerate(pieces(data, n_documents))]
    corpus = read(texts(records), TrainSimilarityParameters().min_count, lambda _: None)
    wall, cpu = {}, {}
    for trainer in TRAINERS:
        wall[trainer], cpu[trainer] = _timed(corpus, TrainSimilarityParameters(trainer=trainer), device)
    rows = [[trainer, wall[trainer], cpu[trainer]] for trainer in TRAINERS]
    report.table(f"training on {n_documents:,} pieces", ["trainer", "wall s", "processor s"], rows)
    figures = {f"wall s, {trainer}": value for trainer, value in wall.items()}
    figures |= {f"processor s, {trainer}": value for trainer, value in cpu.items()}
    ratio = wall["gensim"] / wall["torch"]
    bar = {"value": ratio, "at_least": FASTER[torch.device(device).type]}
    return figures, {"wall time: times as fast as gensim's one thread": bar}


def _timed(corpus: Corpus, parameters: TrainSimilarityParameters, device: str) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    fit(corpus, parameters, lambda *_: None, device)
    return time.perf_counter() - wall, time.process_time() - cpu


def _quality(gold: Gold, n_seeds: int, device: str) -> dict[str, float]:
    corpus = read(gold.train, TrainSimilarityParameters().min_count, lambda _: None)
    words = gold.test.words()
    found: dict[str, list[float]] = {trainer: [] for trainer in TRAINERS}
    for seed in range(n_seeds):
        for trainer in TRAINERS:
            parameters = replace(TrainSimilarityParameters(), trainer=trainer, seed=seed)
            model, _ = fit(corpus, parameters, lambda *_: None, device)
            found[trainer].append(gold.quality(cosines(DbowInference(model)(words) - model.mean)))
    rows = [[trainer, *map(float, (np.mean(each), min(each), max(each)))] for trainer, each in found.items()]
    report.table(f"{gold.name}, {n_seeds} seeds", ["trainer", "mean", "lowest", "highest"], rows)
    return {trainer: float(np.mean(each)) for trainer, each in found.items()}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the document sets")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--documents", type=int, default=100_000, help="pieces to measure the time on")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each trainer on each set")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS), help="sets for quality")
    return parser.parse_args()


if __name__ == "__main__":
    main()
