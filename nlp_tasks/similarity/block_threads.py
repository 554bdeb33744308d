"""Runs blocks of torch work side by side on a CPU, each block on one thread.

A product that torch divides among threads may be summed in another order on another number of threads. Here every block
is computed by one thread, so that the number of threads changes no bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from nlp_tasks import heartbeat

T = TypeVar("T")
R = TypeVar("R")


class Blocks:
    """Calls a function for each of some blocks, with heartbeats, in the caller's thread, between them."""

    def __init__(self, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The results, in the order of the items."""
        results = map(function, items) if self._pool is None else self._pool.map(function, items)
        return heartbeat.beating(results)


@contextmanager
def blocks(device: str) -> Iterator[Blocks]:
    """On a CPU, as many blocks at a time as torch has threads; torch itself uses one until the end. On a GPU one."""
    if torch.device(device).type != "cpu":
        yield Blocks(None)
        return
    with one_thread() as n_threads, ThreadPoolExecutor(n_threads, "block") as pool:
        yield Blocks(pool)


@contextmanager
def one_thread() -> Iterator[int]:
    """torch uses one thread until the end; yields how many it had."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)
