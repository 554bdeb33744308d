"""The HTTP server of /metrics: scrapes are made one at a time, and whoever asks just after one gets the same text."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from workers.metrics.catalogue import METRICS, Sort
from workers.metrics.recorder import Counts

log = logging.getLogger("docmill.metrics")

#: A scrape within this time of the last one gets its answer: many that ask cost no more than one.
FRESH_SECONDS = 1.0
#: A client that sends or reads nothing for this long is cut off.
CLIENT_SECONDS = 10.0


class CountsCollector(Collector):
    """What `counts` returns at each scrape, as Prometheus' client wants it."""

    def __init__(self, counts: Callable[[], Counts]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        return families(self._counts())

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry would make a scrape to find out."""
        return ()


def families(counts: Counts) -> Iterator[Metric]:
    """The metrics in the order of the catalogue."""
    found: dict[str, Any] = {}
    for name in METRICS:
        found[name] = _family(name)
    for (name, labels), value in (*counts.counters.items(), *counts.gauges.items()):
        found[name].add_metric(labels, value)
    for (name, labels), histogram in counts.histograms.items():
        bounds = (*map(str, METRICS[name].buckets), "+Inf")
        so_far, buckets = 0, []
        for bound, n in zip(bounds, histogram.counts, strict=True):
            so_far += n
            buckets.append((bound, so_far))
        found[name].add_metric(labels, buckets, histogram.total)
    yield from (family for family in found.values() if family.samples)


def _family(name: str) -> Any:
    metric = METRICS[name]
    families = {
        Sort.COUNTER: CounterMetricFamily,
        Sort.GAUGE: GaugeMetricFamily,
        Sort.HISTOGRAM: HistogramMetricFamily,
    }
    return families[metric.sort](name, metric.help, labels=metric.labels)


class Exposition:
    """The text of a scrape, remembered for a moment."""

    def __init__(self, *collectors: Collector, with_process: bool = True) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in collectors:
            self._registry.register(collector)
        if with_process:
            ProcessCollector(registry=self._registry)
        self._lock = threading.Lock()
        self._made: dict[str, tuple[float, bytes]] = {}

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """(body, content type) in the format that the client accepts."""
        encoder, content_type = choose_encoder(accept)
        with self._lock:
            made_at, body = self._made.get(content_type, (float("-inf"), b""))
            if time.monotonic() - made_at > FRESH_SECONDS:
                body = encoder(self._registry)
                self._made = {content_type: (time.monotonic(), body)}
        return body, content_type


class MetricsServer:
    """Serves until `close`. OSError if the address cannot be had."""

    def __init__(self, host: str, port: int, exposition: Exposition) -> None:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = type("Server", (ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
        handler = type("Handler", (_Handler,), {"exposition": exposition})
        self._server: ThreadingHTTPServer = server((host, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    exposition: Exposition
    timeout = CLIENT_SECONDS
    server_version = "docmill"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, b"the metrics are at /metrics\n", "text/plain; charset=utf-8")
            return
        try:
            body, content_type = self.exposition.text(self.headers.get("Accept", ""))
        except Exception:
            log.exception("this scrape failed")
            self._answer(500, b"the scrape failed: see the log\n", "text/plain; charset=utf-8")
            return
        self._answer(200, body, content_type)

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A line for each scrape would hide the others."""
        log.debug(format, *args)
