"""Real processes, watched: a worker that is killed between two jobs, its metrics, its scheduler's, and all their log
lines as JSON."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.migrations import upgrade
from tests.faults.stack import Stack
from tests.servers import missing_redis, until
from workers.metrics.catalogue import METRICS, Source

pytestmark = [
    pytest.mark.stack,
    pytest.mark.long,
    pytest.mark.skipif(bool(missing_redis()), reason=missing_redis() or ""),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ports() -> tuple[int, int]:
    """Of the scheduler, and of the worker."""
    return _free_port(), _free_port()


@pytest.fixture
def stack(ports: tuple[int, int]) -> Iterator[Stack]:
    stack = Stack("sqlite", n_workers=1, environment={"DOCMILL_LOG_FORMAT": "json"})
    for server in stack.servers:
        server.start()
    upgrade(stack.store)
    stack.start_scheduler({"DOCMILL_METRICS_PORT": str(ports[0])})
    stack.start_launcher({"DOCMILL_METRICS_PORT": str(ports[1])})
    yield stack
    stack.stop()


def scrape(port: int) -> dict[tuple[str, str], float]:
    """(name, values of the labels) -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_worker_that_is_killed_leaves_its_counts_and_every_line_is_json(
    stack: Stack, ports: tuple[int, int]
) -> None:
    stack.add(["a", "!raise", *["b"] * 8])
    first = stack.submit(per_chunk=5)
    until(lambda: stack.state(first) == "finished", "the end of the first job")
    until(
        lambda: scrape(ports[1]).get(("docmill_worker_documents_total", "cpu-0 oracle")) == 10,
        "the first counts",
    )
    [child] = stack.children()
    child.kill()
    second = stack.submit(per_chunk=5)
    until(lambda: stack.state(second) == "finished", "the end of the second job")
    until(
        lambda: scrape(ports[1]).get(("docmill_worker_documents_total", "cpu-0 oracle")) == 20,
        "the second counts",
    )

    worker, scheduler = scrape(ports[1]), scrape(ports[0])
    assert worker["docmill_worker_process_starts_total", "cpu-0"] >= 2
    assert worker["docmill_worker_chunks_total", "cpu-0 oracle done"] == 4
    assert worker["docmill_worker_model_load_seconds_count", "cpu-0 oracle"] == 2
    assert worker["docmill_worker_up", "cpu-0"] == 1
    assert worker["docmill_worker_resident_memory_bytes", "cpu-0"] > 10_000_000
    assert scheduler["docmill_scheduler_messages_total", "oracle"] >= 4
    assert scheduler["docmill_scheduler_step_seconds_count", "jobs"] > 1
    for source, found in ((Source.WORKER, worker), (Source.SCHEDULER, scheduler)):
        known = {name for metric in METRICS.values() if metric.source is source for name in metric.series}
        assert {name for name, _ in found if name.startswith("docmill_")} <= known

    records = [
        (name, json.loads(line)) for name in ("worker", "scheduler") for line in stack.log(name).splitlines()
    ]
    about = [record for _, record in records if record.get("job") == first and "chunk" in record]
    assert {record["logger"] for record in about} >= {"docmill.worker", "celery.app.trace"}
    assert [record["document"] for record in about if "ValueError" in record["message"]]
