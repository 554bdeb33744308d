"""Log lines: a record is one line whatever is in it, and says which job, chunk and document it is about."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from db.documents import NewDocument
from db.store import Store
from tests.db.builders import add, crash, held, let_backoffs_pass, submit, the_chunk
from workers.processes import child_output, log_context, logs
from workers.processes.process import Process
from workers.running import chunk_run
from workers.settings import settings

NASTY = 'a "quoted"\nline\r\x1b[2K\x00\x85\u2028\u2029 한글 \ud800'


class Lines(logging.Handler):
    """What would be written, as it would be formatted."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(logs._with_fields)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def as_json(self) -> list[dict[str, Any]]:
        return [json.loads(logs.Json().format(record)) for record in self.records]

    def as_text(self) -> list[str]:
        return [logs.OneLine(logs.OneLine.FORMAT).format(record) for record in self.records]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    log_context.begin()


@pytest.fixture
def process(sqlite_store: Store) -> Iterator[Process]:
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), sqlite_store, crash_file)
        yield process
        process.watch_no_more()


def test_a_record_is_one_line_whatever_is_in_it(lines: Lines) -> None:
    # Not among the loggers of the process: pytest would capture a text that no encoding has.
    log = logging.Logger("docmill.worker")
    log.addHandler(lines)
    try:
        raise ValueError(NASTY)
    except ValueError:
        log.exception("that: %s", NASTY, stack_info=True)
    with log_context.about(kind=NASTY):
        log.warning("this")

    first, second = (logs.Json().format(record) for record in lines.records)
    assert first.isprintable()
    assert second.isprintable()
    found = json.loads(first)
    assert found["message"] == f"that: {NASTY}"
    assert found["exception"].endswith(f"ValueError: {NASTY}")
    assert found["stack"].startswith("Stack (most recent call last)")
    assert (found["level"], found["logger"], found["process"]) == ("ERROR", "docmill.worker", "MainProcess")
    assert json.loads(second)["kind"] == NASTY
    assert "한글" in first


def test_lines_of_the_work_say_what_they_are_about(process: Process, lines: Lines) -> None:
    collection = add(
        process.store, [NewDocument(f"k{i}", t, None, "f") for i, t in enumerate(["a", "!raise"])]
    )
    job_id = submit(process.store, collection, per_chunk=100).job_id
    chunk_id = the_chunk(process.store, job_id).id
    chunk_run.run(process, chunk_id)
    logging.getLogger("celery.app.trace").info("Task succeeded", extra={"data": {"args": "(1,)"}})

    about = {"job": job_id, "chunk": chunk_id, "kind": "oracle", "instance": process.instance, "fence": 1}
    for record in lines.as_json():
        assert record.items() >= about.items(), record
    [blamed] = [
        record for record in lines.as_json() if "asked to raise" in str(record) or "document" in record
    ]
    assert blamed["document"] > 0
    assert f"[job={job_id} chunk={chunk_id} kind=oracle" in lines.as_text()[0]
    chunk_run.run(process, 4711)
    logging.getLogger("x").info("later")
    assert "job" not in lines.as_json()[-1]


def test_a_document_that_is_run_alone_is_named_in_every_line(process: Process, lines: Lines) -> None:
    collection = add(
        process.store, [NewDocument("k0", "a", None, "f"), NewDocument("k1", "!raise", None, "f")]
    )
    chunk_id = the_chunk(process.store, submit(process.store, collection, per_chunk=100).job_id).id
    held(process.store, chunk_id)
    crash(process.store)
    let_backoffs_pass(process.store)
    chunk_run.run(process, chunk_id)
    assert [record["document"] for record in lines.as_json() if "ValueError" in record["message"]]


def test_another_thread_of_the_work_says_the_same(lines: Lines) -> None:
    log_context.begin(job=3)
    call = log_context.carried(lambda: logging.getLogger("x").info("in a thread"))
    for target in (call, lambda: logging.getLogger("x").info("of another")):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert [record.get("job") for record in lines.as_json()] == [3, None]


def test_lines_of_celery_about_a_message_say_which_job(lines: Lines) -> None:
    data = {"args": "job 42, classify, chunk 7 of 40, 256 documents", "id": "x"}
    logging.getLogger("celery.worker.strategy").info("Task received", extra={"data": data})
    logging.getLogger("celery.worker.strategy").info("Task received", extra={"data": {"args": "(1,)"}})
    assert lines.as_json()[0].items() >= {"job": 42, "kind": "classify"}.items()
    assert "job" not in lines.as_json()[1]


def test_all_that_python_itself_would_print_is_a_record() -> None:
    code = (
        "import threading, warnings\n"
        "from workers.processes import logs\n"
        "logs.to_stderr()\n"
        "warnings.warn('beware', stacklevel=1)\n"
        "def fail(): raise RuntimeError('in\\na thread')\n"
        "thread = threading.Thread(target=fail, name='t1'); thread.start(); thread.join()\n"
        "raise ValueError('at the end')\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"DOCMILL_LOG_FORMAT": "json"}
    )
    records = [json.loads(line) for line in said.stderr.splitlines()]
    assert said.returncode == 1
    assert [record["level"] for record in records] == ["WARNING", "CRITICAL", "CRITICAL"]
    assert "beware" in records[0]["message"]
    assert records[1]["message"] == "thread t1 ends: RuntimeError"
    assert records[2]["exception"].endswith("ValueError: at the end")


def test_a_format_that_is_none_is_refused_with_the_names_of_both() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "docmill.cli", "scheduler"],
        capture_output=True, text=True, env={"DOCMILL_LOG_FORMAT": "xml"},
    )  # fmt: skip
    assert said.returncode == 2
    assert "DOCMILL_LOG_FORMAT" in said.stderr
    assert "'text' or 'json'" in said.stderr


def test_the_last_words_of_a_child_are_found_in_json_too(tmp_path: Any, lines: Lines) -> None:
    supervision = logging.getLogger("docmill.supervision")
    logging.getLogger("docmill.worker").info("job 1: opening")
    try:
        raise OSError("no such device")
    except OSError:
        logging.getLogger("docmill").critical("the process ends: OSError", exc_info=True)
    supervision.warning("cpu-0@host ended (exit code 1), starting it again in 1 s")
    file = tmp_path / "worker.log"
    overheard = child_output.Overheard(file)
    file.write_text("".join(f"{logs.Json().format(record)}\n" for record in lines.records))

    [death] = overheard.deaths()
    assert death == (
        "cpu-0@host ended (exit code 1), starting it again in 1 s; it said: OSError: no such device"
    )
