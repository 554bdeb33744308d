"""Traces: one from submit to outcome, through the job's row, across processes and lost Redis, with OpenTelemetry's own
exporter in memory. Without OpenTelemetry nothing is imported and nothing is stored."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from db.documents import NewDocument
from db.store import Store
from scheduler import requests
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from scheduler.requests import JobRequest
from tests.db.builders import add, chunks_of, crash, held, job_of, let_backoffs_pass
from workers import tracing
from workers.app import make_app
from workers.processes import logs
from workers.processes.process import Process
from workers.running import chunk_run, runners
from workers.settings import settings

_exporter = InMemorySpanExporter()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans of this test. A process has one provider for life."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(_exporter))
        trace.set_tracer_provider(provider)
    _exporter.clear()
    _exporter._stopped = False
    yield _exporter
    # Spans of other tests of this process are not kept.
    _exporter.shutdown()
    _exporter.clear()


@pytest.fixture
def process(store: Store) -> Iterator[Process]:
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), store, crash_file)
        yield process
        process.watch_no_more()


def submitted(store: Store, texts: list[str]) -> int:
    add(store, [NewDocument(f"k{i}", text, None, "f") for i, text in enumerate(texts)], "inbox")
    with store.write() as session:
        return requests.submit(session, JobRequest("oracle", "inbox")).job_id


def by_name(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def only(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    [span] = by_name(spans, name)
    return span


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def number(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return int(context.span_id)


def test_a_trace_goes_from_submit_to_outcome(process: Process, spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("user").start_as_current_span("their program"):
        job_id = submitted(process.store, ["a secret text", "!raise", "b"])
    [chunk] = chunks_of(process.store, job_id)
    chunk_run.run(process, chunk.id)
    scheduler = Scheduler(process.store, Broker(make_app()), settings())
    scheduler.mover.move_jobs()
    assert job_of(process.store, job_id).state == "finished"

    found = spans.get_finished_spans()
    assert {span.context.trace_id for span in found} == {only(spans, "submit").context.trace_id}
    submit, run = only(spans, "submit"), only(spans, "chunk")
    assert parent(submit) == number(only(spans, "their program"))
    assert parent(run) == parent(only(spans, "finish")) == number(submit)
    for name in ("claim", "load", "open model", "batch", "write"):
        assert parent(only(spans, name)) == number(run), name
    assert run.attributes is not None
    assert dict(run.attributes) == {
        "docmill.job": job_id, "docmill.chunk": chunk.id, "docmill.kind": "oracle", "docmill.stage": 0,
        "docmill.fence": 1, "docmill.documents": 3, "docmill.result": "done",
    }  # fmt: skip
    assert (only(spans, "finish").attributes or {})["docmill.errors"] == 1
    assert run.start_time is not None
    assert run.start_time <= (only(spans, "claim").start_time or 0)
    assert "secret" not in "".join(span.to_json() for span in found)


def test_a_chunk_that_runs_again_is_seen_twice_in_the_same_trace(
    process: Process, spans: InMemorySpanExporter
) -> None:
    job_id = submitted(process.store, ["a", "!raise"])
    [chunk] = chunks_of(process.store, job_id)
    process.stopping = True
    chunk_run.run(process, chunk.id)
    process.stopping = False
    held(process.store, chunk.id)
    crash(process.store)
    let_backoffs_pass(process.store)
    chunk_run.run(process, chunk.id)

    first, second = by_name(spans, "chunk")
    assert first.context.trace_id == second.context.trace_id == only(spans, "submit").context.trace_id
    assert [(span.attributes or {})["docmill.fence"] for span in (first, second)] == [1, 3]
    assert [(span.attributes or {})["docmill.result"] for span in (first, second)] == ["stopped", "done"]


def test_an_exception_is_an_error_of_its_type_and_says_no_more(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.span("outer", kind="oracle"):
        raise ValueError("a secret text")
    span = only(spans, "outer")
    assert (span.status.is_ok, (span.attributes or {})["error.type"]) == (False, "ValueError")
    assert "secret" not in span.to_json()


def test_a_job_of_no_trace_begins_one_of_its_own(process: Process, spans: InMemorySpanExporter) -> None:
    job_id = submitted(process.store, ["a"])
    with process.store.write() as session:
        job = job_of(process.store, job_id)
        session.merge(job).traceparent = "not a header"
    chunk_run.run(process, chunks_of(process.store, job_id)[0].id)
    assert only(spans, "chunk").parent is None


def test_log_lines_lead_to_their_trace(spans: InMemorySpanExporter) -> None:
    record = logging.LogRecord("docmill.worker", logging.INFO, "", 0, "this", (), None)
    with tracing.span("chunk") as span:
        logs._with_fields(record)
    assert span is not None
    found = json.loads(logs.Json().format(record))
    assert found["trace"] == f"{span.get_span_context().trace_id:032x}"
    assert found["span"] == f"{span.get_span_context().span_id:016x}"


# --- in processes of their own --------------------------------------------------------------------------------

PLAIN = """
import os, sys
from workers import tracing
import workers.running.chunk_run, scheduler.loop.moving, scheduler.requests
AWAY = "http://127.0.0.1:1"
for variables in (
    {},
    {"OTEL_SERVICE_NAME": "x"},
    {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": AWAY},
    {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": AWAY},
):
    os.environ.update(variables)
    tracing.start("x")
    with tracing.span("a") as span:
        assert span is None and tracing.traceparent() is None and tracing.ids() == {}
    tracing.stop()
    for name in variables:
        del os.environ[name]
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
SENDS = (
    "from workers import tracing\ntracing.start('docmill-test')\nwith tracing.span('a span of ours'): pass\n"
)


def _python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=plain | variables, timeout=60
    )


def test_nothing_is_imported_unless_it_is_asked_for() -> None:
    said = _python(PLAIN)
    assert said.stdout == "[]\n", said.stderr


def test_spans_are_sent_where_the_variables_say() -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        said = _python(
            SENDS,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
            OTEL_EXPORTER_OTLP_COMPRESSION="none",
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert said.returncode == 0, said.stderr
    assert b"a span of ours" in b"".join(received)
    assert b"docmill-test" in b"".join(received)


def test_a_collector_that_is_away_does_not_hold_up_the_end() -> None:
    said = _python(
        f"import time; began = time.monotonic()\n{SENDS}tracing.stop()\nprint(time.monotonic() - began < 15)",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
    )
    assert (said.returncode, said.stdout) == (0, "True\n"), said.stderr


def test_what_cannot_be_done_is_said_with_the_fix() -> None:
    said = _python(SENDS, OTEL_TRACES_EXPORTER="zipkin")
    assert "OTEL_TRACES_EXPORTER=zipkin: docmill has otlp, console and none" in said.stderr
    hidden = "import sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
    said = _python(hidden + SENDS, OTEL_TRACES_EXPORTER="console")
    assert "pip install 'docmill[traces]'" in said.stderr
