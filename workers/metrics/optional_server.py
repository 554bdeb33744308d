"""Whether a worker or scheduler serves its metrics. Without a port, no Prometheus client is imported."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from workers.metrics.recorder import Counts

if TYPE_CHECKING:
    from workers.metrics.serving import MetricsServer

log = logging.getLogger("docmill.metrics")


def serve_if_asked(host: str, port: int, counts: Callable[[], Counts]) -> MetricsServer | None:
    """The server, or None if no port is set. The work matters more than its metrics: an address that cannot be had is
    reported, and the work goes on."""
    if not port:
        return None
    from workers.metrics.serving import CountsCollector, Exposition, MetricsServer

    try:
        server = MetricsServer(host, port, Exposition(CountsCollector(counts)))
    except OSError as error:
        fix = "set another DOCMILL_METRICS_PORT or DOCMILL_METRICS_HOST"
        log.error("no metrics: cannot listen on %s:%d: %s; %s", host, port, error.strerror or error, fix)
        return None
    log.info("metrics are at http://%s:%d/metrics", host, server.port)
    return server
