"""Devices are found without torch, on any machine: an emulated nvidia-smi says what real ones say. Each worker is
pinned before its interpreter starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.processes import devices, gpus

H200 = "NVIDIA H200"
#: UUIDs whose beginnings differ in the first digit.
UUIDS = [f"GPU-{i}1111111-2222-3333-4444-555555555555" for i in range(8)]
MIGS = [f"MIG-{i}aaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee" for i in range(3)]
LOST = "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU"
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running."
)
NO_NVML = (
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display Driver "
    "is properly installed and present in your system."
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"

Smi = Callable[..., None]


def gpu(number: int, model: str = H200) -> str:
    return f"GPU {number}: {model} (UUID: {UUIDS[number]})"


def mig(number: int, uuid: str) -> str:
    return f"  MIG 1g.18gb     Device  {number}: (UUID: {uuid})"


CUT = [gpu(0), mig(0, MIGS[0]), mig(1, MIGS[1]), gpu(1)]


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No GPU, no driver, no variable of this machine."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpus, "DRIVER_FOLDER", tmp_path / "no-driver")
    (tmp_path / "bin").mkdir()
    for name in ("sh", "cat", "sleep"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def smi(tmp_path: Path) -> Smi:
    """`smi(lines, status)` puts an nvidia-smi on the PATH. `modes` are the MIG modes of its GPUs."""

    def install(*lines: str, status: int = 0, modes: str = "", before: str = "") -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        listed = "\n".join(lines)
        program.write_text(
            f"#!/bin/sh\n{before}\n"
            f"if [ \"$1\" = -L ]; then cat <<'END'\n{listed}\nEND\nexit {status}\nfi\n"
            f"cat <<'END'\n{modes}\nEND\n"
        )
        program.chmod(0o755)

    return install


def names(text: str = "auto") -> list[str]:
    return [device.name for device in devices.parse(text)]


def seen(text: str = "auto") -> list[str]:
    return [device.environment["CUDA_VISIBLE_DEVICES"] for device in devices.parse(text)]


# --- the CPU ----------------------------------------------------------------------------------------------------


def test_cpu_workers_share_the_processors_evenly() -> None:
    found = devices.parse("cpu:2")
    assert [device.name for device in found] == ["cpu-0", "cpu-1"]
    assert {device.torch_name for device in found} == {"cpu"}
    every = os.sched_getaffinity(0)
    if len(every) >= 2:
        assert found[0].processors.isdisjoint(found[1].processors)
        assert found[0].processors | found[1].processors == every
    assert all(int(device.environment["OMP_NUM_THREADS"]) >= 1 for device in found)
    assert all(device.environment["CUDA_VISIBLE_DEVICES"] == "" for device in found)


def test_more_workers_than_processors_have_one_each() -> None:
    found = devices.parse("cpu:9")
    assert len({device.name for device in found}) == 9
    assert all(device.processors for device in found)


@pytest.mark.parametrize(
    "text",
    ["", "gpu", "cpu:", "cpu:x", "auto:1", "cuda:a", "cpu:0", "cpu:1000", "cpu:1,2", "cpu:1,", "cuda:", "cuda:,",
     "cuda:0,,1", "cuda:-1", "cpu:٢", "auto+", "+"],
)  # fmt: skip
def test_nonsense_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="--devices"):
        devices.parse(text)


# --- what nvidia-smi lists --------------------------------------------------------------------------------------


def test_each_gpu_worker_sees_its_gpu_alone_as_cuda_0(smi: Smi) -> None:
    smi(gpu(0), gpu(1))
    first, second = devices.parse("auto")
    assert (first.name, second.name) == ("cuda-0", "cuda-1")
    assert first.torch_name == second.torch_name == "cuda:0"
    assert second.environment["CUDA_VISIBLE_DEVICES"] == UUIDS[1]
    assert second.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert first.model == H200


@pytest.mark.parametrize("count", [1, 8])
def test_every_gpu_gets_a_worker(smi: Smi, count: int) -> None:
    smi(*map(gpu, range(count)))
    decision = devices.decide("auto")
    assert [device.name for device in decision.devices] == [f"cuda-{i}" for i in range(count)]
    assert decision.why == f"nvidia-smi lists {count} GPU{'s' if count > 1 else ''}"
    assert decision.problems == []


def test_devices_can_be_chosen_and_added_up(smi: Smi) -> None:
    smi(gpu(0), gpu(1))
    assert names("cuda:1") == ["cuda-1"]
    assert names("cuda:1,0+cpu:1") == ["cuda-1", "cuda-0", "cpu-0"]
    assert names("cuda") == ["cuda-0", "cuda-1"]


def test_a_gpu_that_is_not_there_is_named_with_those_that_are(smi: Smi) -> None:
    smi(gpu(0), gpu(1))
    with pytest.raises(ValueError, match=r"there is no 2 here. There is 0 \(cuda-0\), 1 \(cuda-1\)"):
        devices.parse("cuda:2")


@pytest.mark.parametrize("words", [(), ("No devices were found",), ("No devices found.",)])
@pytest.mark.parametrize("status", [0, 6])
def test_no_gpu_is_no_problem_and_no_cuda(smi: Smi, words: tuple[str, ...], status: int) -> None:
    if status and not words:
        pytest.skip("a failure that says nothing is a problem")
    smi(*words, status=status)
    decision = devices.decide("auto")
    assert {device.torch_name for device in decision.devices} == {"cpu"}
    assert decision.problems == []
    assert "nvidia-smi lists 0 GPUs: the CPU" in decision.why
    with pytest.raises(ValueError, match="there is no GPU for docmill here: nvidia-smi lists 0 GPUs"):
        devices.parse("cuda")


def test_without_nvidia_smi_and_driver_it_is_the_cpu() -> None:
    decision = devices.decide("auto")
    assert {device.torch_name for device in decision.devices} == {"cpu"}
    assert decision.problems == []
    with pytest.raises(ValueError, match="no nvidia-smi on PATH and no NVIDIA driver"):
        devices.parse("cuda")


# --- MIG --------------------------------------------------------------------------------------------------------


def test_slices_take_the_place_of_their_gpu(smi: Smi) -> None:
    smi(*CUT)
    assert names() == ["cuda-0-mig-0", "cuda-0-mig-1", "cuda-1"]
    assert seen() == [MIGS[0], MIGS[1], UUIDS[1]]
    assert devices.decide("auto").why == "nvidia-smi lists 1 GPU and 2 MIG slices"
    assert devices.parse("auto")[0].model == f"{H200} MIG 1g.18gb"
    assert names("cuda:2,0") == ["cuda-1", "cuda-0-mig-0"]


def test_slices_of_old_drivers_have_old_names(smi: Smi) -> None:
    old = f"MIG-{UUIDS[0]}/7/0"
    smi(gpu(0), mig(0, old))
    assert seen() == [old]


def test_a_gpu_in_mig_mode_without_slices_is_a_problem_and_not_used(smi: Smi) -> None:
    smi(gpu(0), gpu(1), modes="0, Enabled\n1, Disabled")
    decision = devices.decide("auto")
    assert [device.name for device in decision.devices] == ["cuda-1"]
    assert decision.problems[0].startswith("GPU 0 is in MIG mode and has no slices")


# --- CUDA_VISIBLE_DEVICES ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("0", ["cuda-0"]),
        ("5,2", ["cuda-5", "cuda-2"]),
        (" 1 , 0 ", ["cuda-1", "cuda-0"]),
        (UUIDS[3], ["cuda-3"]),
        ("GPU-4", ["cuda-4"]),
        ("gpu-4", None),
        (f"{UUIDS[7].upper().replace('GPU', 'GPU')},0", ["cuda-7", "cuda-0"]),
    ],
)
def test_the_variable_chooses_and_orders(
    smi: Smi, monkeypatch: pytest.MonkeyPatch, given: str, wanted: list[str] | None
) -> None:
    smi(*map(gpu, range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    decision = devices.decide("auto")
    if wanted is None:
        assert {device.torch_name for device in decision.devices} == {"cpu"}
        assert decision.problems
        return
    assert [device.name for device in decision.devices] == wanted
    assert f"CUDA_VISIBLE_DEVICES={given} leaves {len(wanted)} GPU" in decision.why
    assert decision.problems == []
    assert names("cuda") == wanted


@pytest.mark.parametrize("given", ["", " ", "-1", "NoDevFiles"])
def test_the_variable_can_leave_none(smi: Smi, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    smi(gpu(0))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    decision = devices.decide("auto")
    assert {device.torch_name for device in decision.devices} == {"cpu"}
    assert "leaves no GPU to docmill" in decision.why
    assert decision.problems == []
    with pytest.raises(ValueError, match="CUDA_VISIBLE_DEVICES"):
        devices.parse("cuda")


def test_numbers_count_what_the_variable_leaves(smi: Smi, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(*map(gpu, range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    assert names("cuda:1") == ["cuda-7"]
    with pytest.raises(ValueError, match=r"There is 0 \(cuda-6\), 1 \(cuda-7\)"):
        devices.parse("cuda:6")


@pytest.mark.parametrize(
    ("given", "wanted", "problem"),
    [
        ("0,9,1", ["cuda-0"], "'9' names no usable GPU here, which hides 1 too"),
        ("GPU-", [], "'GPU-' names no usable GPU here"),
        ("banana", [], "'banana' names no usable GPU here"),
        ("1,1", ["cuda-1"], "'1' is there twice"),
        ("0,-1,1", ["cuda-0"], "'-1' names no usable GPU here, which hides 1 too"),
    ],
)
def test_what_the_variable_names_in_vain_is_said(
    smi: Smi, monkeypatch: pytest.MonkeyPatch, given: str, wanted: list[str], problem: str
) -> None:
    """As CUDA does: what comes after a wrong name is not used."""
    smi(gpu(0), gpu(1))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    decision = devices.decide("auto")
    assert [device.name for device in decision.devices if device.torch_name != "cpu"] == wanted
    assert problem in decision.problems[0]
    if not wanted:
        with pytest.raises(ValueError, match="names no usable GPU"):
            devices.parse("cuda")


def test_the_variable_names_a_gpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "'0' names no usable GPU here" in devices.decide("auto").problems[0]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (MIGS[1], [MIGS[1]]),
        ("MIG-0a", [MIGS[0]]),
        (f"{MIGS[1]},{MIGS[0]}", [MIGS[1], MIGS[0]]),
        ("0", [MIGS[0], MIGS[1]]),
        (UUIDS[0], [MIGS[0], MIGS[1]]),
        ("1", [UUIDS[1]]),
        (f"MIG-{UUIDS[0]}/3/0", [f"MIG-{UUIDS[0]}/3/0"]),
    ],
)
def test_the_variable_chooses_slices(
    smi: Smi, monkeypatch: pytest.MonkeyPatch, given: str, wanted: list[str]
) -> None:
    smi(*CUT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert seen("cuda") == wanted


def test_numbers_among_different_gpus_need_the_order(smi: Smi, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(gpu(0), gpu(1, "NVIDIA T4"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in devices.decide("cuda").problems[0]
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert devices.decide("cuda").problems == []


# --- what is not well -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status"), [(LOST, 15), (NO_DRIVER, 9), (NO_NVML, 12), (MISMATCH, 18), ("", 255)]
)
def test_a_failure_is_an_error_of_cuda_and_said_loudly_by_auto(smi: Smi, words: str, status: int) -> None:
    smi(words, status=status)
    decision = devices.decide("auto")
    assert {device.torch_name for device in decision.devices} == {"cpu"}
    assert f"nvidia-smi -L (exit status {status}): {words or 'it said nothing'}" in decision.problems[0]
    assert "the CPU instead" in decision.why
    assert "PROBLEM: nvidia-smi" in str(decision)
    with pytest.raises(ValueError, match=f"exit status {status}"):
        devices.parse("cuda")


@pytest.mark.parametrize("status", [0, 15])
def test_a_lost_gpu_costs_only_itself_and_is_told(smi: Smi, status: int) -> None:
    smi(gpu(0), LOST, gpu(2), status=status)
    decision = devices.decide("auto")
    assert [device.name for device in decision.devices] == ["cuda-0", "cuda-2"]
    assert "GPU is lost" in decision.problems[0]
    # The numbers of the others stay.
    assert seen("cuda:2") == [UUIDS[2]]
    with pytest.raises(ValueError, match=r"(?s)there is no 1 here.*GPU is lost"):
        devices.parse("cuda:1")


def test_one_that_hangs_is_ended_and_told(smi: Smi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "SMI_SECONDS", 0.3)
    smi(gpu(0), before="sleep 600")
    assert "did not answer within" in devices.decide("auto").problems[0]
    with pytest.raises(ValueError, match="hangs"):
        devices.parse("cuda")


def test_one_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_bytes(b"\x7fELF nothing")
    program.chmod(0o755)
    assert "it cannot be run: Exec format error" in devices.decide("auto").problems[0]


def test_a_driver_without_nvidia_smi_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "DRIVER_FOLDER", tmp_path / "driver")
    (tmp_path / "driver" / "0000:3b:00.0").mkdir(parents=True)
    assert "the NVIDIA driver knows 1 GPU but nvidia-smi is not on PATH" in devices.decide("auto").problems[0]


# --- the command ------------------------------------------------------------------------------------------------


def docmill_devices(*words: str, status: int) -> str:
    script = (
        "import sys\nfrom docmill import cli\nsys.argv[0] = 'docmill'\ntry:\n    cli.main()\n"
        "finally:\n    print(sorted({'torch', 'sqlalchemy', 'celery'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, "devices", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == status, said
    assert said.stderr.endswith("[]\n"), "it loads neither torch nor the store"
    return said.stdout + said.stderr


def test_the_command_shows_devices_and_why(smi: Smi) -> None:
    smi(*CUT)
    table = docmill_devices(status=0)
    assert MIGS[1] in table
    assert "why: nvidia-smi lists 1 GPU and 2 MIG slices" in table
    found = json.loads(docmill_devices("--json", status=0).splitlines()[0])
    assert [row["worker"] for row in found["devices"]] == ["cuda-0-mig-0", "cuda-0-mig-1", "cuda-1"]
    assert found["problems"] == []


def test_a_worker_says_at_its_start_what_was_decided_and_why(smi: Smi) -> None:
    smi(MISMATCH, status=18)
    command = [Path(sys.executable).with_name("docmill"), "worker"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        line = next(line for line in worker.stderr if "--devices auto" in line)
        worker.terminate()
        worker.communicate(timeout=60)
    assert "WARNING docmill.launcher" in line
    assert f"PROBLEM: nvidia-smi -L (exit status 18): {MISMATCH}" in line
    assert "the CPU instead" in line


def test_the_command_tells_problems_by_its_exit_status(smi: Smi) -> None:
    smi(MISMATCH, status=18)
    assert f"BAD  nvidia-smi -L (exit status 18): {MISMATCH}" in docmill_devices(status=1)
    assert "exit status 18" in docmill_devices("--devices", "cuda", status=2)
