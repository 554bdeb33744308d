"""Counts of one process, in plain numbers. Independent of the Prometheus client: a worker need not import one."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.metrics.catalogue import METRICS

#: A metric and the values of its labels.
Key = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class Histogram:
    """How many values fell into each bucket, the last one without bound; and their sum."""

    counts: list[int]
    total: float = 0.0

    def add(self, other: Histogram) -> None:
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


@dataclass(slots=True)
class Counts:
    """The values of some metrics."""

    counters: dict[Key, float] = field(default_factory=dict)
    gauges: dict[Key, float] = field(default_factory=dict)
    histograms: dict[Key, Histogram] = field(default_factory=dict)

    def add(self, other: Counts, *, with_gauges: bool = True) -> None:
        """Sum up. Without gauges, those of a process that has ended do not count any more."""
        for key, value in other.counters.items():
            self.counters[key] = self.counters.get(key, 0.0) + value
        for key, histogram in other.histograms.items():
            self.histograms.setdefault(key, Histogram([0] * len(histogram.counts))).add(histogram)
        for key, value in other.gauges.items() if with_gauges else ():
            self.gauges[key] = self.gauges.get(key, 0.0) + value

    def labelled(self, *first: str) -> Counts:
        """The same with these values before the other labels."""

        def new(key: Key) -> Key:
            return key[0], (*first, *key[1])

        return Counts(
            {new(key): value for key, value in self.counters.items()},
            {new(key): value for key, value in self.gauges.items()},
            {new(key): Histogram(list(h.counts), h.total) for key, h in self.histograms.items()},
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "counters": [[*key, value] for key, value in self.counters.items()],
            "gauges": [[*key, value] for key, value in self.gauges.items()],
            "histograms": [[*key, h.counts, h.total] for key, h in self.histograms.items()],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Iterable[Any]]) -> Counts:
        return cls(
            {(name, tuple(labels)): value for name, labels, value in found["counters"]},
            {(name, tuple(labels)): value for name, labels, value in found["gauges"]},
            {
                (name, tuple(labels)): Histogram(counts, total)
                for name, labels, counts, total in found["histograms"]
            },
        )


class Recorder:
    """Counts what happens. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()

    def count(self, name: str, *labels: str, n: float = 1) -> None:
        with self._lock:
            counters = self._counts.counters
            counters[name, labels] = counters.get((name, labels), 0.0) + n

    def set(self, name: str, *labels: str, value: float) -> None:
        with self._lock:
            self._counts.gauges[name, labels] = value

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Add a value to a histogram."""
        bounds = METRICS[name].buckets
        with self._lock:
            histogram = self._counts.histograms.get((name, labels))
            if histogram is None:
                histogram = self._counts.histograms[name, labels] = Histogram([0] * (len(bounds) + 1))
            histogram.counts[bisect_left(bounds, value)] += 1
            histogram.total += value

    def counts(self) -> Counts:
        """A copy of the counts so far."""
        with self._lock:
            return self._counts.labelled()
