"""ROUGE of the default compared with its peers: same sentences, same tokens, same number of sentences kept."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import Prepared, sample
from benchmarks.summaries_peers import peers
from nlp_tasks.evaluation.rouge import rouge, rouge_tokens

#: From a folder to the number of documents, and the maximum number of sentences for the slowest peer.
DOCUMENTS = {
    "en_news_bbc": (200, 10**9),
    "ko_summ_wikilead": (120, 10**9),
    "en_summ_scisummnet": (40, 350),
    "en_summ_qmsum": (16, 700),
}
MEASURES = ("ROUGE-1", "ROUGE-2", "ROUGE-L")
OURS = "docmill textrank"

Scores = dict[str, tuple[float, ...]]


def measure(data: Path, seed: int, share: float) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Figures and thresholds; `share` scales the number of documents."""
    figures: dict[str, Any] = {}
    bars: dict[str, dict[str, float]] = {}
    for folder, (n, most) in DOCUMENTS.items():
        documents = sample(data, folder, max(round(n * share), 2), seed, range(3, most))
        means = _means(documents)
        report.table(
            f"ROUGE F1 on {folder}, {len(documents)} documents",
            ["summarizer", *MEASURES],
            [[name, *scores] for name, scores in means.items()],
        )
        figures[folder] = {"documents": len(documents), **means}
        for i, name in enumerate(MEASURES):
            best = max(scores[i] for peer, scores in means.items() if not peer.startswith("docmill"))
            bars[f"{name} of {folder}, over the best peer"] = {"value": means[OURS][i] - best, "at_least": 0}
    return figures, bars


def _means(documents: list[Prepared]) -> Scores:
    """The mean scores of each summarizer; documents are distributed over the cores of the machine."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        scores = list(pool.map(_scores, documents))
    return {
        name: tuple(round(fmean(each[name][i] for each in scores), 2) for i in range(len(MEASURES)))
        for name in scores[0]
    }


def _scores(document: Prepared) -> Scores:
    """ROUGE of each summarizer on one document."""
    tokens = [rouge_tokens(sentence) for sentence in document.sentences]
    reference = rouge_tokens(document.reference)
    return {
        name: rouge([token for place in places for token in tokens[place]], reference)
        for name, places in _choices(document).items()
    }


def _choices(document: Prepared) -> dict[str, list[int]]:
    import torch

    from nlp_tasks.summarization import METHODS, SummarizeParameters
    from nlp_tasks.summarization.extractive.extract import extract

    torch.set_num_threads(1)
    chosen = {}
    for method in METHODS:
        parameters = SummarizeParameters(method=method, sentences=document.keep)
        name = "lead" if method == "lead" else f"docmill {method}"
        chosen[name] = extract([document.tokens], [document.sizes], parameters)[0].places
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return chosen | {name: peer(document.tokens, document.keep) for name, peer in peers().items()}
