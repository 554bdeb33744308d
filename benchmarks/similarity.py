"""Similarity compared with gensim, faiss, tf-idf and LSA: speed and accuracy of inference, search, quality.

    pip install faiss-cpu scikit-learn
    python -m benchmarks.similarity --data DIR [--device cpu] [--only speed topk quality end-to-end] [--threads 1]
    python -m benchmarks.similarity --data DIR --only defaults [--seeds 2]

DIR contains en_similarity_lee, ko_similarity_wikihalves, ko_longdoc_law and ko_throughput_wiki. Without faiss the
search is measured alone. The part `defaults` takes half an hour, and is measured only if it is named.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks import (
    report,
    similarity_data,
    similarity_defaults,
    similarity_end_to_end,
    similarity_quality,
    similarity_speed,
    similarity_topk,
)

PARTS = ("speed", "topk", "quality", "end-to-end")
#: Parts that are measured only if they are named.
SLOW_PARTS = ("defaults",)


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    options = _options()
    torch.set_num_threads(options.threads)
    device = options.device
    name = torch.cuda.get_device_name() if device != "cpu" else f"{options.threads} thread(s)"
    print(f"{report.machine()}; torch {torch.__version__} on {device}: {name}\n")
    golds = [
        read(options.data) for read in (similarity_data.lee, similarity_data.wikihalves, similarity_data.law)
    ]
    figures: dict[str, float] = {}
    bars: dict[str, dict[str, float]] = {}
    for part in options.only:
        if part == "topk":
            more = similarity_topk.measure(device)
        elif part == "speed":
            more = similarity_speed.measure(golds, device)
        elif part == "end-to-end":
            more = similarity_end_to_end.measure(options.data, options.documents, device)
        elif part == "defaults":
            more = similarity_defaults.measure(golds, options.seeds)
        else:
            more = similarity_quality.measure(golds, device)
        figures |= more[0]
        bars |= more[1]
    report.end(figures, bars)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the document sets")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS + SLOW_PARTS,
        default=list(PARTS),
        help="parts to measure; defaults, which takes half an hour, only if it is named",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and faiss")
    parser.add_argument("--documents", type=int, default=100_000, help="documents of the part end-to-end")
    parser.add_argument(
        "--seeds", type=int, default=2, help="number of trainings for each choice in the part defaults"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
