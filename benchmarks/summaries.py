"""Summaries: the sentence splitter; extractive summaries compared with sumy and textrankr; abstractive ones compared
with plain transformers and the first sentence.

    pip install sumy textrankr transformers
    python -m benchmarks.summaries --data DIR [--device cpu] [--seed 7] [--share 1.0] [--parts speed,quality]

DIR contains the folders en_news_bbc, ko_summ_wikilead, en_summ_scisummnet, en_summ_qmsum, ko_longdoc_law and
ko_topic_petitions, each with one *.jsonl.gz of {text, summary or title}. Extractive summarizers get the same sentences
and tokens. Most of the time (about ten minutes on two cores) is spent in the peers on long documents, and in the
training of `headlines`; use --share 0.2 for a quick run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    report,
    summaries_headlines,
    summaries_pretrained,
    summaries_quality,
    summaries_speed,
    summaries_splitter,
)
from benchmarks.summaries_peers import peers

PARTS = ("splitter", "speed", "quality", "pretrained", "headlines")
Bars = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="the torch device of docmill's part of the speed")
    parser.add_argument("--seed", type=int, default=7, help="seed of the sample of documents")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="scales the number of documents in the parts quality and pretrained",
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts to run, separated by commas")
    arguments = parser.parse_args()
    data, seed, device = arguments.data, arguments.seed, arguments.device
    measures: dict[str, Callable[[], tuple[dict[str, Any], Bars]]] = {
        "splitter": lambda: summaries_splitter.measure(data, seed),
        "speed": lambda: summaries_speed.measure(data, seed, device),
        "quality": lambda: summaries_quality.measure(data, seed, arguments.share),
        "pretrained": lambda: summaries_pretrained.measure(data, seed, device, arguments.share),
        "headlines": lambda: summaries_headlines.measure(data, seed, device),
    }
    peers()
    machine = report.machine()
    print(machine)
    figures: dict[str, Any] = {"machine": machine}
    bars: Bars = {}
    for part in arguments.parts.split(","):
        figures[part], found = measures[part]()
        bars |= found
    report.end(figures, bars)


if __name__ == "__main__":
    main()
