"""What workers and schedulers count, how it survives a process that is killed, and how it is served."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.documents import NewDocument
from db.store import Store
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from tests.db.builders import a_job, add, submit, the_chunk
from workers.app import make_app
from workers.metrics import gpu_load
from workers.metrics.catalogue import METRICS, Sort
from workers.metrics.optional_server import serve_if_asked
from workers.metrics.recorder import Counts, Recorder
from workers.metrics.reporting import Reporter, Reports
from workers.metrics.serving import CountsCollector, Exposition, MetricsServer
from workers.processes import crash_reports
from workers.processes.process import Process
from workers.running import batches, chunk_run, runners
from workers.settings import settings

#: A worker process as far as its metrics are concerned: it locks its crash file, counts, and then hangs.
PROCESS = """
import sys, time
from pathlib import Path
from workers.metrics.reporting import Reporter
from workers.processes import crash_reports
folder, instance = Path(sys.argv[1]), sys.argv[2]
file = crash_reports.open_file(folder, instance)
reporter = Reporter(folder, instance, "cpu")
reporter.recorder.count("docmill_worker_documents_total", "oracle", n=5)
reporter.recorder.observe("docmill_worker_batch_seconds", "oracle", value=0.02)
reporter.recorder.set("docmill_worker_busy", value=1)
reporter.write()
print("written", flush=True)
time.sleep(600)
"""


@pytest.fixture
def process(sqlite_store: Store) -> Iterator[Process]:
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), sqlite_store, crash_file)
        yield process
        process.watch_no_more()


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, values of the labels) -> value, as Prometheus' own parser reads it."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_names_and_units_are_by_the_conventions_of_prometheus() -> None:
    for metric in METRICS.values():
        assert metric.name.startswith("docmill_")
        assert metric.name.endswith("_total") == (metric.sort is Sort.COUNTER), metric.name
        assert metric.help.endswith(".")
        assert not set(metric.labels) & {"document", "job", "chunk", "instance", "le"}
        assert not any(unit in metric.name for unit in ("minutes", "hours", "_ms", "kilobytes", "percent"))
        assert sorted(metric.buckets) == list(metric.buckets)


def test_a_chunk_is_counted(process: Process) -> None:
    texts = ["a", "", *["b"] * 30]
    collection = add(process.store, [NewDocument(f"k{i}", t, None, "f") for i, t in enumerate(texts)])
    job_id = submit(process.store, collection, per_chunk=100).job_id
    chunk_run.run(process, the_chunk(process.store, job_id).id)

    counts = process.metrics.counts()
    assert counts.counters["docmill_worker_documents_total", ("oracle",)] == 32
    assert counts.counters["docmill_worker_chunks_total", ("oracle", "done")] == 1
    assert counts.gauges["docmill_worker_busy", ()] == 0
    for name, n in {
        "model_load_seconds": 1,
        "batch_seconds": 1,
        "batch_fill_ratio": 1,
        "chunk_seconds": 1,
    }.items():
        assert sum(counts.histograms[f"docmill_worker_{name}", ("oracle",)].counts) == n, name
    assert counts.histograms["docmill_worker_batch_fill_ratio", ("oracle",)].total == 1


def test_what_becomes_of_chunks_and_memory_is_counted(process: Process) -> None:
    collection = add(process.store, [NewDocument(f"k{i}", "!oom", None, "f") for i in range(8)])
    job_id = submit(process.store, collection, per_chunk=100).job_id
    chunk_run.run(process, the_chunk(process.store, job_id).id)
    chunk_run.run(process, 4711)
    process.stopping = True
    chunk_run.run(process, the_chunk(process.store, a_job(process.store)).id)

    counters = process.metrics.counts().counters
    assert counters["docmill_worker_out_of_memory_total", ("oracle",)] == 2
    assert counters["docmill_worker_chunks_total", ("oracle", "done")] == 1
    assert counters["docmill_worker_chunks_total", ("oracle", "stopped")] == 1
    assert len([key for key in counters if key[0] == "docmill_worker_chunks_total"]) == 2


@pytest.mark.parametrize(
    ("lengths", "filled"), [([10] * 4, 1.0), ([10] * 2, 0.5), ([50, 10], 1.0), ([25, 1], 0.5), ([1_000], 1.0)]
)
def test_a_batch_is_full_of_documents_or_of_characters(lengths: list[int], filled: float) -> None:
    from nlp_tasks.kind import Document

    batch = [Document(i, f"k{i}", "x" * n) for i, n in enumerate(lengths)]
    assert batches.fill(batch, 4, 100) == filled


def test_the_counts_of_a_process_that_is_killed_stay_and_its_gauges_go(tmp_path: Path) -> None:
    reports = Reports(tmp_path)
    first, second = (_start(tmp_path, name) for name in ("w.1", "w.2"))
    both = reports.counts()
    assert both.counters["docmill_worker_documents_total", ("oracle",)] == 10
    assert both.gauges["docmill_worker_busy", ()] == 2
    for killed in (first, second):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert killed.stdout is not None
        killed.stdout.close()

    for _ in range(2):
        after = reports.counts()
        assert after.counters == both.counters
        assert after.histograms[("docmill_worker_batch_seconds", ("oracle",))].counts[2] == 2
        assert after.gauges == {}
    assert list(tmp_path.glob("*.metrics")) == []


def _start(folder: Path, instance: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, str(folder), instance]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def test_a_file_that_is_no_report_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "w.1.metrics").write_text('{"counters": [["docmill_wor')
    (tmp_path / "w.2.metrics").write_bytes(b"\xff\xfe")
    assert Reports(tmp_path).counts() == Counts()


def test_reports_are_written_at_most_once_a_second_unless_told(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path, "w.1", "cpu")
    with crash_reports.open_file(tmp_path, "w.1"):
        for _ in range(3):
            reporter.recorder.count("docmill_worker_documents_total", "oracle")
            reporter.write()
        assert Reports(tmp_path).counts().counters["docmill_worker_documents_total", ("oracle",)] == 1
        reporter.write(now=True)
        assert Reports(tmp_path).counts().counters["docmill_worker_documents_total", ("oracle",)] == 3


def test_a_folder_that_is_gone_does_not_end_the_work(tmp_path: Path) -> None:
    Reporter(tmp_path / "none", "w.1", "cpu").write()
    Reporter(None, "w.1", "cpu").write()


def test_a_histogram_is_what_prometheus_expects() -> None:
    recorder = Recorder()
    for seconds in (0.001, 0.01, 0.05, 1_000):
        recorder.observe("docmill_worker_batch_seconds", "oracle", value=seconds)
    counts = Counts.from_json(recorder.counts().as_json())
    body, content_type = Exposition(
        CountsCollector(lambda: counts.labelled("cpu-0")), with_process=False
    ).text()
    found = samples(body)

    assert content_type.startswith("text/plain")
    at_most = {key[1][-1]: n for key, n in found.items() if key[0] == "docmill_worker_batch_seconds_bucket"}
    assert (at_most["0.003"], at_most["0.01"], at_most["0.1"], at_most["100.0"], at_most["+Inf"]) == (
        1,
        2,
        3,
        3,
        4,
    )
    assert found["docmill_worker_batch_seconds_count", ("cpu-0", "oracle")] == 4
    assert found["docmill_worker_batch_seconds_sum", ("cpu-0", "oracle")] == pytest.approx(1_000.061)


def test_a_scheduler_counts_its_steps_and_messages(sqlite_store: Store, redis_url: str) -> None:
    scheduler = Scheduler(sqlite_store, Broker(make_app()), settings())
    a_job(sqlite_store, 30, per_chunk=10)
    scheduler.run_once()
    scheduler.broker.close()
    scheduler._survive("broken", lambda: 1 // 0 > 0)

    counts = scheduler.turns.metrics.counts()
    assert counts.counters["docmill_scheduler_messages_total", ("oracle",)] == 3
    assert counts.counters["docmill_scheduler_step_failures_total", ("broken",)] == 1
    steps = {key[1][0] for key in counts.histograms if key[0] == "docmill_scheduler_step_seconds"}
    assert steps == {"broken", *(name for name, _ in scheduler._steps())}
    assert {key[1][0] for key in counts.gauges} == steps


# --- the server ------------------------------------------------------------------------------------------------


def test_it_answers_at_metrics_alone_and_only_on_loopback() -> None:
    counts = Counts(gauges={("docmill_worker_up", ("cpu-0",)): 1.0})
    server = MetricsServer("127.0.0.1", 0, Exposition(CountsCollector(lambda: counts)))
    at = f"http://127.0.0.1:{server.port}"
    try:
        with urllib.request.urlopen(f"{at}/metrics", timeout=10) as answer:
            found = samples(answer.read())
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{at}/", timeout=10)
        assert refused.value.code == 404
        refused.value.close()
        with socket.socket() as other, pytest.raises(OSError):
            other.connect((_other_address(), server.port))
    finally:
        server.close()
    assert found["docmill_worker_up", ("cpu-0",)] == 1
    assert found["process_resident_memory_bytes", ()] > 1_000_000


def _other_address() -> str:
    """Of this machine, but not the one that the server listens on."""
    return "127.0.0.2"


def test_many_scrapes_at_once_ask_once() -> None:
    asked = []

    def counts() -> Counts:
        asked.append(1)
        return Counts()

    exposition = Exposition(CountsCollector(counts), with_process=False)
    for _ in range(5):
        exposition.text()
    assert len(asked) == 1


def test_a_scrape_that_fails_is_an_error_and_the_next_one_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = iter([ZeroDivisionError("a fault"), Counts()])

    def counts() -> Counts:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    server = MetricsServer("127.0.0.1", 0, Exposition(CountsCollector(counts)))
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10)
        assert refused.value.code == 500
        refused.value.close()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
            assert answer.status == 200
    finally:
        server.close()
    assert "this scrape failed" in caplog.text


def test_a_port_that_is_taken_does_not_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve_if_asked("127.0.0.1", port, Counts) is None
    assert f"no metrics: cannot listen on 127.0.0.1:{port}" in caplog.text
    assert serve_if_asked("127.0.0.1", 0, Counts) is None


def test_without_a_port_no_client_of_prometheus_is_imported() -> None:
    code = (
        "import sys; import workers.processes.launcher, scheduler.loop, workers.running.chunk_run; "
        "print('prometheus_client' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert said.stdout == "False\n"


def test_nvidia_smi_is_read() -> None:
    said = (
        "GPU-aaaa, 1024, 81559, 37\n"
        "GPU-bbbb, 0, 81559, [N/A]\n"
        "Unable to determine the device handle for GPU0000:41:00.0: Unknown Error\n"
    )
    assert gpu_load.parsed(said) == {
        "GPU-aaaa": {
            "docmill_device_memory_used_bytes": 1024 * 1_048_576,
            "docmill_device_memory_total_bytes": 81559 * 1_048_576,
            "docmill_device_utilisation_ratio": 0.37,
        },
        "GPU-bbbb": {
            "docmill_device_memory_used_bytes": 0,
            "docmill_device_memory_total_bytes": 81559 * 1_048_576,
        },
    }
