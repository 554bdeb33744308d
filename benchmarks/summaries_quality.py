"""ROUGE of the default compared with its peers, with the same sentences and tokens.

Once with an equal number of sentences, and once with an equal length in characters, that of the reference."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import Prepared, sample
from benchmarks.summaries_peers import longest, peers
from nlp_tasks.evaluation.rouge import rouge, rouge_tokens

#: From a folder to the number of documents, and the maximum number of sentences for the slowest peer.
DOCUMENTS = {
    "en_news_bbc": (200, 10**9),
    "ko_summ_wikilead": (200, 10**9),
    "en_summ_scisummnet": (40, 350),
    "en_summ_qmsum": (24, 500),
}
MEASURES = ("ROUGE-1", "ROUGE-2", "ROUGE-L")
OURS = "docmill textrank"
#: How summaries are made equally long.
LENGTHS = ("characters", "sentences")
#: A peer ranks this many times the number of sentences of a summary: enough to fill the same length with short ones.
RANKED = 4

#: From (length, summarizer) to its scores, and the characters of its summaries.
Scores = dict[tuple[str, str], tuple[float, ...]]


def measure(data: Path, seed: int, share: float) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Figures and thresholds; `share` scales the number of documents."""
    figures: dict[str, Any] = {}
    bars: dict[str, dict[str, float]] = {}
    for folder, (n, most) in DOCUMENTS.items():
        documents = sample(data, folder, max(round(n * share), 2), seed, range(3, most))
        scores = _all(documents)
        means = {
            name: tuple(round(fmean(column), 2) for column in zip(*rows, strict=True))
            for name, rows in scores.items()
        }
        figures[folder] = {"documents": len(documents)}
        for length in LENGTHS:
            of_length = {name: scores for (is_length, name), scores in means.items() if is_length == length}
            figures[folder][length] = of_length
            report.table(
                f"ROUGE F1 on {folder}, {len(documents)} documents, equal {length}",
                ["summarizer", *MEASURES, "characters"],
                [[name, *scores] for name, scores in of_length.items()],
            )
            bars |= _bars(folder, length, of_length, scores)
    return figures, bars


def _bars(
    folder: str, length: str, means: dict[str, tuple[float, ...]], scores: dict[tuple[str, str], list[Any]]
) -> dict[str, dict[str, float]]:
    """For each measure: docmill is at or above the best peer."""
    found = {}
    peers_only = [name for name in means if not name.startswith("docmill")]
    for i, measure_name in enumerate(MEASURES):
        best = max(peers_only, key=lambda name: means[name][i])
        bar = f"{measure_name} of {folder}, equal {length}, over the best peer ({best})"
        ours, theirs = ([row[i] for row in scores[length, name]] for name in (OURS, best))
        found[bar] = report.at_least_as_good(ours, theirs)
    return found


def _all(documents: list[Prepared]) -> dict[tuple[str, str], list[Any]]:
    """The scores of each summarizer on each document; documents are distributed over the cores of the machine."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        scores = list(pool.map(_scores, documents))
    return {name: [each[name] for each in scores] for name in scores[0]}


def _scores(document: Prepared) -> Scores:
    """ROUGE of each summarizer on one document, and the characters of its summary."""
    tokens = [rouge_tokens(sentence) for sentence in document.sentences]
    reference = rouge_tokens(document.reference)
    return {
        name: (
            *rouge([token for place in places for token in tokens[place]], reference),
            sum(document.sizes[place] for place in places),
        )
        for name, places in _choices(document).items()
    }


def _choices(document: Prepared) -> dict[tuple[str, str], Sequence[int]]:
    """The sentences of each summarizer at each length."""
    chars = len(document.reference)
    chosen: dict[tuple[str, str], Sequence[int]] = {}
    for method in ("textrank", "lexrank", "centroid"):
        chosen["characters", f"docmill {method}"] = _ours(document, method, max_chars=chars)
        chosen["sentences", f"docmill {method}"] = _ours(document, method, sentences=document.keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, peer in peers().items():
            order = peer(document.tokens, RANKED * document.keep)
            chosen["characters", name] = longest(order, document.sizes, chars) if order else []
            chosen["sentences", name] = sorted(order[: document.keep])
    return chosen


def _ours(document: Prepared, method: str, **length: int) -> list[int]:
    import torch

    from nlp_tasks.summarization import SummarizeParameters
    from nlp_tasks.summarization.extractive.candidates import described
    from nlp_tasks.summarization.extractive.extract import extract

    torch.set_num_threads(1)
    parameters = SummarizeParameters(method=method, **length)  # type: ignore[arg-type]
    return extract([described(document.sentences, document.tokens)], parameters)[0].places
