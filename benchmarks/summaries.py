"""Extractive summaries beside sumy and textrankr: speed, quality, and the sentence splitter.

    pip install sumy textrankr
    python -m benchmarks.summaries --data DIR [--device cpu] [--seed 7] [--share 1.0]

DIR holds the folders en_news_bbc, ko_summ_wikilead, en_summ_scisummnet, en_summ_qmsum and ko_longdoc_law, each
with one *.jsonl.gz of {text, summary}. All run side by side, on the same sentences and tokens. Most of the
time (about ten minutes on two cores) is the peers' on long documents; --share 0.2 is for a look.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import report, summaries_quality, summaries_speed, summaries_splitter
from benchmarks.summaries_peers import peers


def main() -> None:
    """Measure, print, and exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="a torch device, for our part of the speed")
    parser.add_argument("--seed", type=int, default=7, help="which documents are drawn")
    parser.add_argument("--share", type=float, default=1.0, help="scales the documents of the quality part")
    arguments = parser.parse_args()
    peers()
    machine = report.machine()
    print(machine)
    splitter, splitter_bars = summaries_splitter.measure(arguments.data, arguments.seed)
    speed, speed_bars = summaries_speed.measure(arguments.data, arguments.seed, arguments.device)
    quality, quality_bars = summaries_quality.measure(arguments.data, arguments.seed, arguments.share)
    report.end(
        {"machine": machine, "splitter": splitter, "speed": speed, "quality": quality},
        splitter_bars | speed_bars | quality_bars,
    )


if __name__ == "__main__":
    main()
