"""Speed of extractive summaries compared with sumy and textrankr, in CPU time of one core; time and memory of long
documents."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.summaries_data import Prepared, sample
from benchmarks.summaries_peers import peers

Bars = dict[str, dict[str, float]]

#: From a folder to the number of documents and their number of sentences; those of the encyclopedia are truncated after
#: the tenth.
SHORT = {"en_news_bbc": (128, range(8, 13)), "ko_summ_wikilead": (128, range(10, 10**9))}
LONG = {name: (4, range(300, 500)) for name in ("en_summ_scisummnet", "en_summ_qmsum", "ko_longdoc_law")}
#: The peers that the thresholds refer to.
RIVALS = ("sumy TextRank", "sumy LexRank", "textrankr")
SENTENCES = 3


def measure(data: Path, seed: int, device: str) -> tuple[dict[str, Any], Bars]:
    """Figures and thresholds for short and long documents."""
    import torch

    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    bars: Bars = {}
    for folders, times in ((SHORT, 5), (LONG, 50)):
        for folder, (n, n_sentences) in folders.items():
            documents = sample(data, folder, n, seed, n_sentences)
            if folder == "ko_summ_wikilead":
                documents = [document.cut(10) for document in documents]
            figures[folder] = _compare(folder, documents, device)
            bars[f"ranking, {folder}, times the fastest peer"] = {
                "value": figures[folder]["ranking_ratio"],
                "at_least": times,
            }
            bars[f"text to summary, {folder}, times the fastest peer"] = {
                "value": figures[folder]["text_ratio"],
                "at_least": 1,
            }
    figures["5000 sentences"] = _five_thousand()
    bars["5,000 sentences, seconds"] = {"value": figures["5000 sentences"]["seconds"], "at_most": 2}
    bars["5,000 sentences, MiB"] = {"value": figures["5000 sentences"]["mib"], "at_most": 100}
    return figures, bars


def _compare(folder: str, documents: list[Prepared], device: str) -> dict[str, Any]:
    """Milliseconds per document of each summarizer, from tokens and from text."""
    from nlp_tasks.summarization import SummarizeParameters
    from nlp_tasks.summarization.extractive.candidates import described
    from nlp_tasks.summarization.extractive.extract import extract

    tokens = [d.tokens for d in documents]
    candidates = [described(d.sentences, d.tokens) for d in documents]
    parameters = SummarizeParameters(sentences=SENTENCES)
    n = len(documents)
    ours = _best(lambda: extract(candidates, parameters, device=device), times=5) / n
    whole = _best(lambda: _from_text(documents, device), times=2) / n
    prepared = _best(lambda: _prepared(documents), times=2) / n
    rivals = {}
    for name in RIVALS:
        peer = peers()[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rivals[name] = _best(lambda p=peer: [p(d, SENTENCES) for d in tokens], times=1) / n  # type: ignore[misc]
    fastest = min(rivals.values())
    rows: list[list[Any]] = [["docmill textrank", 1000 * ours, 1000 * whole, prepared / whole]]
    rows += [[name, 1000 * s, 1000 * (s + prepared), prepared / (s + prepared)] for name, s in rivals.items()]
    report.table(
        f"{folder}: {n} documents of {min(map(len, tokens))}-{max(map(len, tokens))} sentences, one core",
        ["summarizer", "ranking, ms/doc", "text to summary, ms/doc", "share of splitting and tokenising"],
        rows,
    )
    return {
        "documents": n,
        "ranking_ms": {"docmill": 1000 * ours} | {name: 1000 * s for name, s in rivals.items()},
        "text_ms": {"docmill": 1000 * whole} | {name: 1000 * (s + prepared) for name, s in rivals.items()},
        "preparing_share": prepared / whole,
        "ranking_ratio": fastest / ours,
        "text_ratio": (fastest + prepared) / whole,
    }


def _from_text(documents: list[Prepared], device: str) -> None:
    from nlp_tasks.kind import Document, Setup
    from nlp_tasks.summarization import SUMMARIZE, SummarizeParameters

    runner = SUMMARIZE.stages[0].open(Setup(SummarizeParameters(sentences=SENTENCES), device))
    runner.run([Document(i, str(i), document.text) for i, document in enumerate(documents)])


def _prepared(documents: list[Prepared]) -> None:
    from benchmarks.summaries_data import prepare

    for document in documents:
        prepare("ko_longdoc_law", {"text": document.text})


def _best(work: Callable[[], object], times: int) -> float:
    """The minimum CPU seconds of several runs: the rest comes from the shared machine."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _five_thousand() -> dict[str, float]:
    """Seconds and peak MiB that ranking 5,000 sentences of 20 words takes, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(_rank_five_thousand).result()
    report.table("One document of 5,000 sentences of 20 words", list(found), [list(found.values())])
    return found


def _rank_five_thousand() -> dict[str, float]:
    import random

    import torch

    from nlp_tasks.summarization import SummarizeParameters
    from nlp_tasks.summarization.extractive.candidates import described
    from nlp_tasks.summarization.extractive.extract import extract

    torch.set_num_threads(1)
    words = [f"word{int(random.paretovariate(0.7)) % 20_000}" for _ in range(100_000)]
    sentences = [words[i : i + 20] for i in range(0, len(words), 20)]
    texts = [" ".join(sentence) for sentence in sentences]
    document = described(texts, sentences)
    extract([described(texts[:100], sentences[:100])], SummarizeParameters())
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _peak_kib()
    start = time.process_time()
    extract([document], SummarizeParameters())
    seconds = time.process_time() - start
    return {"seconds": round(seconds, 3), "mib": round((_peak_kib() - before) / 1024, 1)}


def _peak_kib() -> int:
    """The peak memory of this process (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
