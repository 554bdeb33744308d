"""Nearest neighbours among millions of vectors by an index, compared with exact search, faiss IVF and usearch HNSW.

    python -m benchmarks.similarity_index [--vectors 1000000] [--dimensions 100] [--queries 2048] [--recall 0.95]
    python -m benchmarks.similarity_index --vectors 10000000 --only index

Two sorts of vectors: `topics`, made of topics within topics, with numbers that fall off as those of Doc2Vec do; and
with `--data DIR` `doc2vec`: those of a model of pieces of Wikipedia articles, and differences of near ones added to
them, until there are enough. Peers read as many lists, or keep as many candidates, as the same recall needs. The
queries are vectors of the set. Times are processor time of all threads, since other work falsifies wall time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.similarity_data import texts
from benchmarks.similarity_end_to_end import pieces
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity.corpus import read
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.inverted_lists import InvertedIndex
from nlp_tasks.similarity.trainer import fit

K = 10
SIDES = ("index", "exact", "faiss", "usearch")
COLUMNS = ["search", "build s", "queries/s", "recall@10", "settings", "peak GB"]
#: Queries of the exact search; it takes long.
EXACT_QUERIES = 512
#: Pieces that the model of `doc2vec` is trained on.
PIECES = 20_000
#: The numbers of lists or candidates that are tried for a peer.
TRIED = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

Search = Callable[[NDArray[np.int64]], NDArray[np.int64]]


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    options = _options()
    torch.set_num_threads(options.threads)
    print(f"{report.machine()}; {options.threads} thread(s)\n", flush=True)
    figures: dict[str, float] = {}
    bars: dict[str, dict[str, float]] = {}
    sorts = {"topics": lambda: topics(options.vectors, options.dimensions)}
    if options.data is not None:
        sorts["doc2vec"] = lambda: doc2vec(options.data, options.vectors, options.dimensions)
    for name, make in sorts.items():
        found = _compare(name, make(), options)
        figures |= {f"{name}, {what}": value for what, value in found.items()}
        bars[f"{name}: recall@10"] = {"value": found["index, recall"], "at_least": options.recall - 0.01}
        if "exact, queries/s" in found:
            ratio = found["index, queries/s"] / found["exact, queries/s"]
            bars[f"{name}: times as fast as exact search"] = {"value": ratio, "at_least": 5.0}
    report.end(figures, bars)


def topics(n: int, size: int) -> NDArray[np.float32]:
    """Vectors of topics within topics  # (N, D)."""
    random = np.random.default_rng(0)
    falling = (1 / np.sqrt(1 + np.arange(size))).astype(np.float32)
    broad = random.normal(size=(100, size)).astype(np.float32)
    narrow = broad[random.integers(0, 100, n // 200)] + random.normal(size=(n // 200, size)).astype(
        np.float32
    )
    vectors = np.empty((n, size), np.float32)
    for start in range(0, n, 2**18):
        of = random.integers(0, len(narrow), min(2**18, n - start))
        vectors[start : start + len(of)] = narrow[of] + random.standard_normal((len(of), size), np.float32)
    vectors *= falling
    return vectors


def doc2vec(data: Path, n: int, size: int) -> NDArray[np.float32]:
    """Vectors as a training leaves them, less their mean, and others between near ones  # (N, D)."""
    records = [{"id": number, "text": text} for number, text in enumerate(pieces(data, PIECES))]
    corpus = read(texts(records), TrainSimilarityParameters().min_count, lambda _: None)
    _, real = fit(corpus, TrainSimilarityParameters(trainer="torch", vector_size=size), lambda *_: None)
    real = real - real.mean(axis=0)
    keys = [f"{row:09}" for row in range(len(real))]
    near = np.stack([rows for rows, _ in Index(real, keys).neighbours(np.arange(len(real)), 20)])
    random = np.random.default_rng(0)
    vectors = np.empty((n, size), np.float32)
    for start in range(0, n, 2**18):
        of = random.integers(0, len(real), min(2**18, n - start))
        one, other = (near[of, random.integers(0, 20, len(of))] for _ in range(2))
        vectors[start : start + len(of)] = real[of] + real[one] - real[other]
    return vectors


def _compare(name: str, vectors: NDArray[np.float32], options: argparse.Namespace) -> dict[str, float]:
    """Figures of each side; prints the table."""
    keys = [f"{row:09}" for row in range(len(vectors))]
    queries = np.random.default_rng(1).choice(len(vectors), options.queries, replace=False)
    few = queries[:EXACT_QUERIES]
    made = [_ours(vectors, keys, queries, few, options.recall)]
    nearest = made[0].nearest
    if "exact" in options.only:
        exact = Index(vectors, keys)
        _ids(exact.neighbours(few, K))  # after which it uses the copy that fits these vectors
        speed, share = _measured(lambda of: _ids(exact.neighbours(of, K)), few, nearest)
        made.append(Made("exact", 0.0, speed, share, "", _peak_gb(), nearest))
        print(made[-1].row, flush=True)
        del exact
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    for peer, make in (("faiss", _faiss), ("usearch", _usearch)):
        if peer in options.only:
            seconds = _clock()
            tuned = make(units, options.threads)
            built = seconds()
            n = next(
                n for n in TRIED if _share(tuned(n)(few), few, nearest) >= options.recall or n == TRIED[-1]
            )
            speed, share = _measured(tuned(n), queries, nearest)
            made.append(Made(peer, built, speed, share, str(n), _peak_gb(), nearest))
            print(made[-1].row, flush=True)
            del tuned
    report.table(
        f"{name}: {len(vectors):,} vectors of {vectors.shape[1]}", COLUMNS, [one.row for one in made]
    )
    return {what: value for one in made for what, value in one.figures.items()}


@dataclass(frozen=True)
class Made:
    """What was measured of a side."""

    side: str
    built: float
    speed: float
    recall: float
    setting: str
    peak: float
    nearest: dict[int, NDArray[np.int64]]

    @property
    def row(self) -> list[Any]:
        return [self.side, self.built, self.speed, self.recall, self.setting, self.peak]

    @property
    def figures(self) -> dict[str, float]:
        return {
            f"{self.side}, build s": self.built,
            f"{self.side}, queries/s": self.speed,
            f"{self.side}, recall": self.recall,
            f"{self.side}, peak GB": self.peak,
        }


def _ours(
    vectors: NDArray[np.float32],
    keys: list[str],
    queries: NDArray[np.int64],
    few: NDArray[np.int64],
    recall: float,
) -> Made:
    seconds = _clock()
    index = InvertedIndex(vectors, np.zeros(vectors.shape[1], np.float32), keys, recall)
    built = seconds()
    nearest = dict(zip(few.tolist(), _ids(index.exact_neighbours(few, K)), strict=True))
    speed, share = _measured(lambda of: _ids(index.neighbours(of, K)), queries, nearest)
    setting = f"{index.n_probed} of {index.n_lists} lists"
    made = Made("index", built, speed, share, setting, _peak_gb(), nearest)
    print(made.row, flush=True)
    return made


def _measured(
    search: Search, queries: NDArray[np.int64], nearest: dict[int, NDArray[np.int64]]
) -> tuple[float, float]:
    """Queries a second, and recall@10 of those whose nearest are known."""
    seconds = _clock()
    found = search(queries)
    speed = len(queries) / seconds()
    return speed, _share(found, queries, nearest)


def _share(
    found: NDArray[np.int64], queries: NDArray[np.int64], nearest: dict[int, NDArray[np.int64]]
) -> float:
    """A peer finds the query itself, too."""
    shares = [
        len(np.intersect1d([row for row in rows if row != query][:K], nearest[query])) / K
        for query, rows in zip(queries.tolist(), found.tolist(), strict=True)
        if query in nearest
    ]
    return float(np.mean(shares))


def _ids(found: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> NDArray[np.int64]:
    return np.stack([rows for rows, _ in found])


def _faiss(units: NDArray[np.float32], threads: int) -> Callable[[int], Search]:
    import faiss

    faiss.omp_set_num_threads(threads)
    quantizer = faiss.IndexFlatIP(units.shape[1])
    index = faiss.IndexIVFFlat(
        quantizer, units.shape[1], round(len(units) ** 0.5), faiss.METRIC_INNER_PRODUCT
    )
    index.train(units)
    index.add(units)

    def tuned(n: int) -> Search:
        index.nprobe = n
        return lambda queries: index.search(units[queries], K + 1)[1]

    return tuned


def _usearch(units: NDArray[np.float32], threads: int) -> Callable[[int], Search]:
    from usearch.index import Index as Graph

    graph = Graph(ndim=units.shape[1], metric="ip", dtype="f32")
    graph.add(np.arange(len(units)), units, threads=threads)

    def tuned(n: int) -> Search:
        def search(queries: NDArray[np.int64]) -> NDArray[np.int64]:
            graph.expansion_search = max(n, K + 1)
            found = graph.search(units[queries], K + 1, threads=threads).keys
            return np.asarray(found, np.int64)

        return search

    return tuned


def _clock() -> Callable[[], float]:
    started = time.process_time()
    return lambda: time.process_time() - started


def _peak_gb() -> float:
    """The peak memory of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder of the document sets; only for doc2vec")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--queries", type=int, default=2048)
    parser.add_argument("--recall", type=float, default=0.95, help="the share of the nearest to find")
    parser.add_argument("--only", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
