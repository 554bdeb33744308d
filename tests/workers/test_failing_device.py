"""A GPU that fails is taken out, reported, and tried again; no document is blamed for it. A document that makes a sound
GPU fail is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db import device_faults
from db.device_faults import Fault
from db.documents import NewDocument
from db.store import Store
from docmill.doctor import members
from tests.db.builders import add, outcomes, sql, submit, the_chunk
from tests.faults.stack import ROOT, Stack
from tests.servers import until
from tests.workers.emulated_gpus import LOST, MODEL, UUID, install
from workers.processes import device_watch, heartbeat, probe
from workers.processes.device_watch import DeviceWatch
from workers.processes.process import Process
from workers.processes.supervision import Child
from workers.running import chunk_run
from workers.settings import Settings, settings


class GpuStack(Stack):
    """A stack whose one worker is on an emulated GPU."""

    def start_launcher(self, environment: Any = None) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.folder / "worker.log").open("ab") as log:
            self.launcher = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.emulated_gpus"],
                env=self.environment | dict(environment or {}),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[GpuStack]:
    path = f"{install(tmp_path / 'bin')}:{os.environ['PATH']}"
    stack = GpuStack("sqlite", n_workers=1, environment={"PATH": path, "DOCMILL_DEVICE_REST_SECONDS": "1"})
    yield stack
    stack.stop()


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.long
def test_a_lost_gpu_is_taken_out_and_comes_back_and_no_document_is_blamed(stack: GpuStack) -> None:
    stack.home.mkdir(parents=True)
    marker = stack.home / "gpu-is-lost"
    marker.touch()
    stack.start(["a", "!gpu", "c"])
    job_id = stack.submit()

    [(fault, model, worker)] = until(
        lambda: stack.rows("SELECT fault, model, worker FROM device_fault WHERE n_failures >= 2"),
        "the second failure of the device",
        60,
    )
    assert "GPU is lost" in fault
    assert model == MODEL
    assert stack.n_crashes(job_id) == stack.n_done(job_id) == 0
    assert "unspecified launch failure" in stack.rows("SELECT fault FROM chunk")[0][0]
    said = stack.run("status").stderr
    assert f"device of {worker}: {MODEL} has failed and is taken out" in said
    assert f"{worker} is taken out, since its device ({MODEL}) has failed" in stack.log("worker")

    marker.unlink()
    until(lambda: stack.state(job_id) == "finished", "the end of the job", 60)
    assert set(outcomes(stack.store, job_id).values()) == {"ok"}
    assert stack.n_crashes(job_id) == 0
    assert stack.rows("SELECT * FROM device_fault") == []
    assert "starts again: its device works" in stack.log("worker")


class LeftError(BaseException):
    """The process would have ended."""


@pytest.fixture
def process(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Process]:
    """A worker process on the emulated GPU, which does not really end."""
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))
    monkeypatch.setenv("PATH", f"{install(tmp_path / 'bin')}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", UUID)

    def end(self: Process, how: Any = "") -> None:
        raise LeftError(how)

    monkeypatch.setattr(Process, "die", end)
    monkeypatch.setattr(Process, "leave", end)
    settings().home_path.mkdir(parents=True)
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), sqlite_store, crash_file)
        yield process
        process.watch_no_more()


def _run(process: Process, *texts: str) -> tuple[int, LeftError]:
    collection = add(
        process.store, [NewDocument(f"k{i}", text, None, f"f:{i}") for i, text in enumerate(texts)]
    )
    job_id = submit(process.store, collection, per_chunk=100).job_id
    with pytest.raises(LeftError) as left:
        chunk_run.run(process, the_chunk(process.store, job_id).id)
    return job_id, left.value


def test_a_document_that_makes_a_sound_gpu_fail_is_not_excused(process: Process) -> None:
    job_id, left = _run(process, "!assert")
    assert "device-side assert" in str(left)
    chunk = the_chunk(process.store, job_id)
    assert (chunk.state, chunk.n_put_back) == ("leased", 0), "the next process reports the death"
    folder = settings().home_path / "instances" / settings().instance
    assert not list(folder.glob("device-failed"))


def test_a_gpu_that_fails_its_probe_is_at_fault(process: Process) -> None:
    (settings().home_path / "gpu-is-lost").touch()
    job_id, left = _run(process, "!assert")
    assert str(left) == "70"
    chunk = the_chunk(process.store, job_id)
    assert (chunk.state, chunk.n_put_back, chunk.n_crashes) == ("ready", 1, 0)
    assert "device-side assert" in (chunk.fault or "")
    note = settings().home_path / "instances" / settings().instance / "device-failed"
    assert LOST[:40] in note.read_text()


def test_errors_in_many_chunks_are_the_devices_own(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe is short: a GPU may fail under load only. A kernel that stops because of its input does not count."""
    monkeypatch.setattr(probe, "ask", lambda _: "")
    (settings().home_path / "gpu-is-lost").touch()
    n_crashes = []
    for _ in range(device_watch.SUSPICIOUS_CHUNKS):
        _run(process, "!assert")
        job_id, left = _run(process, "!gpu")
        n_crashes.append(str(left))
    assert n_crashes[-1] == "70"
    assert all("launch failure" in said for said in n_crashes[:-1])
    assert the_chunk(process.store, job_id).n_put_back == 1


def test_a_cpu_is_not_probed(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(probe, "ask", lambda _: pytest.fail("it was probed"))
    assert "device-side assert" in str(_run(process, "!assert")[1])


def test_a_probe_tells_what_it_finds(process: Process) -> None:
    (settings().home_path / "gpu-is-lost").touch()
    beats: list[int] = []
    assert "GPU is lost" in probe.ask(lambda: beats.append(1))
    assert beats, "the lease is kept meanwhile"


def test_the_launcher_takes_the_device_out_and_tries_it_again(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: while the GPU is lost, and when it is back."""
    monkeypatch.setenv("DOCMILL_DEVICE_REST_SECONDS", "0.1")
    now = Settings()
    (now.home_path / "gpu-is-lost").touch()
    one = heartbeat.member("worker", "cuda-0@here", "launched", "cpu")
    worker = Child(one.name, ["sleep", "600"], {"CUDA_VISIBLE_DEVICES": UUID, "DOCMILL_DEVICE": "cpu"})
    watch = DeviceWatch(now, {one.name: one}, {one.name: MODEL})
    assert watch.allows(worker)
    worker.keep_up()

    device_watch.report(now.home_path, "launched", "no CUDA-capable device is detected")
    assert not watch.allows(worker)
    assert watch.is_out(worker)

    def known() -> list[Any]:
        return sql(process.store, "SELECT fault, n_failures FROM device_fault")

    assert [tuple(row) for row in known()] == [("no CUDA-capable device is detected", 1)]
    until(lambda: not watch.allows(worker) and known()[0][1] == 2, "the second failure", 60)
    assert "GPU is lost" in known()[0][0]
    assert worker.process is None, "it was stopped"
    (now.home_path / "gpu-is-lost").unlink()
    until(lambda: watch.allows(worker), "the return of the device", 120)
    assert known() == []
    assert not watch.is_out(worker)


def test_doctor_names_the_device_and_when_it_is_tried_again(store: Store) -> None:
    fault = Fault("i", "cuda-0@host", "host", "NVIDIA H100", "it computes wrong products", 3)
    with store.write() as session:
        device_faults.report(session, fault, 240)
    with store.read() as session:
        [finding] = members.devices_out(session)
    assert not finding.ok
    assert finding.what == "device of cuda-0@host"
    assert (
        "NVIDIA H100 has failed and is taken out (3 failures in a row): it computes wrong " in finding.detail
    )
    assert "it is tried again at" in finding.detail
    assert "nvidia-smi" in (finding.fix or "")
    with store.write() as session:
        device_faults.recovered(session, ["i"])
        assert list(members.devices_out(session)) == []
