"""Every kind of model on a GPU: documents a second, and how near the arithmetic comes to what the device can do.

    python -m benchmarks.gpu [--device cuda:0] [--only PART ...] [--small]

The device's own speed is measured first: a product of two large matrices in each type of number, and a copy in its
memory. Then each part runs some work of docmill, once to count its floating-point operations and the bytes that its
operations read and write, and at least three times for the time. `share of the roof` is the speed reached as a share
of what the roofline model allows: the smaller of the speed of arithmetic, and of the speed of memory times operations
per byte. Bytes are counted for each operation by itself, so that a fused or cached one may come out above 100 %.

Texts, vectors and weights are random: none of them affects the speed. `--device cpu --small` tries it on any machine.
"""

from __future__ import annotations

import argparse
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks import classification_pretrained, report, summaries_pretrained
from benchmarks.devices import BART, ELECTRA
from nlp_tasks import precision
from workers.metrics.gpu_load import parsed
from workers.processes import gpus

#: At least this many runs are measured.
ROUNDS = 3
COLUMNS = [
    "work", "numbers", "units/s", "GFLOP/s", "of the device's", "GB/s", "of the device's", "share of the roof", "busy",
]  # fmt: skip
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: A GPU must be at least this busy in the parts that are large enough to fill it.
BUSY = 0.5


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    matrix: int
    vectors: int
    queries: int
    documents: int
    reviews: int
    written: int
    shapes: tuple[dict[str, int], dict[str, int]]


LARGE = Sizes(8192, 1_000_000, 8192, 4096, 8192, 512, (ELECTRA, BART))
SMALL = Sizes(
    256, 20_000, 64, 64, 48, 16,
    (
        {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "embedding_size": 64},
        {"d_model": 48, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """Some work in one type of number: `run` does `units` documents, queries or tokens."""

    name: str
    numbers: str
    units: int
    run: Callable[[], Any]


class Counter(TorchDispatchMode):
    """Counts the floating-point operations, and the bytes of the tensors that each operation reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        count = flop_registry.get(func.overloadpacket)
        if count is None:
            # Inference mode hands over composite operations whole: their parts come back here.
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        found = func(*args, **kwargs)
        if count is not None:
            self.operations += count(*args, **kwargs, out_val=found)
        if not func.is_view:
            self.bytes += sum(t.numel() * t.element_size() for t in _tensors((args, kwargs, found)))
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument(
        "--small", action="store_true", help="little of everything, to try this benchmark out"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch finds no GPU here: --device cpu --small tries the benchmark without one")
    sizes = SMALL if asked.small else LARGE
    name = torch.cuda.get_device_name(asked.device) if asked.device != "cpu" else "no GPU"
    print(f"{report.machine()}; torch {torch.__version__}; {name}")
    roofs = {numbers: arithmetic(asked.device, sizes.matrix, numbers) for numbers in _types(asked.device)}
    memory = bandwidth(asked.device, sizes.matrix)
    report.table("the device", ["", "GFLOP/s"], [[numbers, speed / 1e9] for numbers, speed in roofs.items()])
    print(f"memory: {memory / 1e9:,.3g} GB/s")
    figures: dict[str, Any] = {"device": name, "arithmetic": roofs, "memory": memory}
    rows, bars = [], {}
    for part in asked.only:
        for work in PARTS[part](asked.device, sizes):
            one = measure(work, asked.device, roofs[work.numbers], memory, asked.seconds)
            figures[f"{work.name}, {work.numbers}"] = one
            rows.append([work.name, work.numbers, *_cells(one)])
            print(f"{work.name}, {work.numbers}: {one['units_per_second']:,.0f}/s", flush=True)
            if asked.device != "cpu" and work.name == "search":
                bars[f"search, {work.numbers}: busy"] = {"value": one["busy"], "at_least": BUSY}
    report.table(f"on {name}", COLUMNS, rows)
    report.end(figures, bars)


def measure(work: Work, device: str, roof: float, memory: float, least: float) -> dict[str, float]:
    """Speeds in units, operations and bytes a second, and the share of what the device allows."""
    precision.choose(work.numbers)
    try:
        work.run()  # Kernels are loaded, memory is allocated.
        with Counter() as counter:
            work.run()
        seconds, busy = _timed(work.run, device, least)
    finally:
        precision.choose("auto")
    allowed = min(roof, memory * counter.operations / max(counter.bytes, 1))
    reached = counter.operations / seconds
    return {
        "units_per_second": work.units / seconds,
        "operations_per_second": reached,
        "share_of_arithmetic": reached / roof,
        "bytes_per_second": counter.bytes / seconds,
        "share_of_memory": counter.bytes / seconds / memory,
        "share_of_roof": reached / allowed,
        "busy": busy,
    }


def arithmetic(device: str, n: int, numbers: str) -> float:
    """Operations a second of a product of two matrices (n, n)."""
    left = torch.randn(n, n, device=device, dtype=DTYPES[numbers])
    return 2.0 * n**3 / _timed(lambda: left @ left, device, 0.5)[0]


def bandwidth(device: str, n: int) -> float:
    """Bytes a second that a copy of n * n numbers of 4 bytes reads and writes."""
    source = torch.randn(n, n, device=device)
    target = torch.empty_like(source)
    return 2.0 * source.numel() * 4 / _timed(lambda: target.copy_(source), device, 0.5)[0]


# --- work -------------------------------------------------------------------------------------------------------


def search(device: str, sizes: Sizes) -> Iterator[Work]:
    """The 10 nearest of 128-dimensional vectors, exactly. Units: queries."""
    from nlp_tasks.similarity.exact_search import Index

    matrix = np.random.default_rng(0).normal(size=(sizes.vectors, 128)).astype(np.float32)
    index = Index(matrix, [f"{row:08}" for row in range(sizes.vectors)], device, rough=())
    rows = np.arange(sizes.queries)
    yield Work("search", "float32", sizes.queries, lambda: list(index.neighbours(rows, 10)))


def inference(device: str, sizes: Sizes) -> Iterator[Work]:
    """Doc2Vec vectors of documents of 300 words. Units: documents."""
    from benchmarks import similarity_data
    from nlp_tasks.similarity import TrainSimilarityParameters, model, trainer
    from nlp_tasks.similarity.inference import DbowInference

    random = texts(sizes.documents, 300, seed=1)
    some = similarity_data.texts([{"id": number, "text": text} for number, text in enumerate(random)])
    documents = some.words()
    with TemporaryDirectory() as folder:
        parameters = TrainSimilarityParameters(epochs=1, infer_epochs=10)
        trainer.train(some, parameters, "cpu", Path(folder), lambda *_: None)
        trained = model.load(Path(folder))
    infer = DbowInference(trained, device)
    yield Work("Doc2Vec inference", "float32", len(documents), lambda: infer(documents))


def classification(device: str, sizes: Sizes) -> Iterator[Work]:
    """A transformers classifier of the shape of ELECTRA-base. Units: documents of 80 words."""
    documents = texts(sizes.reviews, 80, seed=2)
    classifier = classification_pretrained._classifier(documents[:2000], **sizes.shapes[0])
    classifier.model.to(device)
    classifier.device = device
    for numbers in _types(device):
        yield Work(
            "classification", numbers, len(documents), lambda: classifier.logits(documents, lambda: None)
        )


def writing(device: str, sizes: Sizes) -> Iterator[Work]:
    """A transformers encoder-decoder of the shape of BART-base, greedy. Units: tokens written."""
    from nlp_tasks.summarization.abstractive import pretrained
    from nlp_tasks.summarization.abstractive.decoding import Decoding

    documents = texts(sizes.written, 200, seed=3)
    how = Decoding(beams=1, no_repeat=0, max_tokens=32)
    with TemporaryDirectory() as folder:
        summaries_pretrained._save_bart(Path(folder), documents, 7, **sizes.shapes[1])
        for numbers in _types(device):
            precision.choose(numbers)
            writer = pretrained.open_folder(Path(folder), device)
            yield Work("writing", numbers, 32 * len(documents), partial(writer.summarize, documents, how))


PARTS: dict[str, Callable[[str, Sizes], Iterator[Work]]] = {
    "search": search,
    "inference": inference,
    "classification": classification,
    "writing": writing,
}


def texts(n: int, n_words: int, seed: int) -> list[str]:
    """Random words of 20,000, the first ones most often, and no two documents of one length."""
    random = np.random.default_rng(seed)
    lengths = random.integers(n_words // 2, n_words * 3 // 2, size=n)
    words = np.minimum(random.zipf(1.3, size=int(lengths.sum())), 20_000)
    ends = itertools.accumulate(lengths.tolist())
    return [
        " ".join(f"w{word}" for word in words[end - length : end])
        for length, end in zip(lengths.tolist(), ends, strict=True)
    ]


# --- measuring --------------------------------------------------------------------------------------------------


def _timed(run: Callable[[], Any], device: str, least: float) -> tuple[float, float]:
    """The median seconds of a run, and how busy the device was meanwhile. Runs until `least` seconds are over."""
    run()
    _wait(device)
    times: list[float] = []
    began, used = time.perf_counter(), time.process_time()
    with _Load(device) as load:
        while len(times) < ROUNDS or time.perf_counter() - began < least:
            started = time.perf_counter()
            run()
            _wait(device)
            times.append(time.perf_counter() - started)
    whole = time.perf_counter() - began
    own = (time.process_time() - used) / whole / torch.get_num_threads()
    return float(np.median(times)), own if device == "cpu" else load.share()


class _Load:
    """How busy a GPU is, as nvidia-smi tells four times a second."""

    def __init__(self, device: str) -> None:
        self._uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}" if device != "cpu" else None
        self._found: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> _Load:
        if self._uuid is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._uuid is not None:
            self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.25):
            status, said = gpus.ask(
                "--query-gpu=uuid,memory.used,memory.total,utilization.gpu", "--format=csv,noheader,nounits"
            )
            load = parsed(said).get(self._uuid or "", {}) if status == 0 else {}
            if (share := load.get("docmill_device_utilisation_ratio")) is not None:
                self._found.append(share)

    def share(self) -> float:
        """The mean; NaN if nvidia-smi told nothing."""
        return float(np.mean(self._found)) if self._found else float("nan")


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def _types(device: str) -> tuple[str, ...]:
    return ("float32",) if device == "cpu" else ("float32", "bfloat16", "float16")


def _tensors(given: Any) -> Iterator[torch.Tensor]:
    if isinstance(given, torch.Tensor):
        yield given
    elif isinstance(given, dict):
        yield from _tensors(tuple(given.values()))
    elif isinstance(given, (tuple, list)):
        for one in given:
            yield from _tensors(one)


def _cells(one: dict[str, float]) -> list[Any]:
    return [
        one["units_per_second"],
        one["operations_per_second"] / 1e9,
        f"{one['share_of_arithmetic']:.0%}",
        one["bytes_per_second"] / 1e9,
        f"{one['share_of_memory']:.0%}",
        f"{one['share_of_roof']:.0%}",
        f"{one['busy']:.0%}",
    ]


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    main()
