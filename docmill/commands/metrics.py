"""docmill metrics: the store and Redis, for Prometheus."""

from __future__ import annotations

import sys
import threading
from typing import Annotated

import typer

from docmill.commands.output import say


def metrics(
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="The address; the metrics have no password: keep others out."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port to listen on; 0: a free one.")
    ] = 9815,
    once: Annotated[bool, typer.Option("--once", help="Print the metrics and exit.")] = False,
) -> None:
    """Serve metrics of the store and Redis for Prometheus.

    They are at /metrics. A scrape costs the same however many documents and ended jobs there are. Workers and
    schedulers have metrics of their own: `docmill worker --metrics-port`. docs/monitoring.md lists all of them.

    Example: docmill metrics --port 9815
    """
    from docmill.commands.processes import on_stop
    from docmill.monitoring.store_metrics import StoreMetrics
    from scheduler.broker import Broker
    from scheduler.store import store
    from workers.app import make_app
    from workers.metrics.serving import CountsCollector, Exposition, MetricsServer
    from workers.processes import logs
    from workers.processes.heartbeat import version

    opened = store()
    app = make_app()
    # Prometheus waits for ten seconds.
    quick = {
        "socket_timeout": 3,
        "socket_connect_timeout": 3,
        "connect_retries_timeout": 1,
        "interval_start": 0.2,
    }
    app.conf.broker_transport_options |= quick
    collector = CountsCollector(StoreMetrics(opened, Broker(app), version()).counts)
    if once:
        body, _ = Exposition(collector, with_process=False).text()
        sys.stdout.write(body.decode())
        return
    logs.to_stderr()
    stopping = threading.Event()
    on_stop(stopping.set)
    server = MetricsServer(host, port, Exposition(collector))
    say(f"metrics are at http://{host}:{server.port}/metrics")
    stopping.wait()
    server.close()
