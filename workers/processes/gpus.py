"""Which GPUs this machine has, as nvidia-smi tells, and which of them CUDA_VISIBLE_DEVICES leaves to us. Imports no
torch: a process that has touched CUDA can no longer choose."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

#: On a machine with eight GPUs, the first call, which wakes them up, took a quarter of this.
SMI_SECONDS = 60.0
#: The driver has an entry here for each GPU, whether or not nvidia-smi is installed.
DRIVER_FOLDER = Path("/proc/driver/nvidia/gpus")
#: What stands for "no GPU" in CUDA_VISIBLE_DEVICES. CUDA itself takes any word that is no device for that.
NONE_VISIBLE = ("", "-1", "NoDevFiles", "none", "void")

_GPU = re.compile(r"^GPU (\d+): (.*?) \(UUID: (GPU-[0-9A-Za-z-]+)\)")
_SLICE = re.compile(r"^\s+(MIG \S+)\s+Device\s+(\d+): \(UUID: (MIG-[0-9A-Za-z/-]+)\)")
_UNWELL = re.compile(r"is lost|requires reset|Unknown Error|\bERR!", re.IGNORECASE)
_NO_GPU = re.compile(r"^No devices (were )?found", re.MULTILINE)
_OLD_SLICE = re.compile(r"MIG-(GPU-[0-9a-fA-F-]+)/\d+/\d+")


@dataclass(frozen=True)
class Gpu:
    """What one worker can have for itself: a GPU, or a slice of one (MIG)."""

    #: "cuda-0", "cuda-0-mig-1": nvidia-smi's numbers.
    name: str
    #: "NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    model: str
    #: What CUDA_VISIBLE_DEVICES says for it alone.
    uuid: str
    #: The GPU that it is, or is a slice of.
    parent_uuid: str
    #: nvidia-smi's number of that GPU.
    index: int
    #: Its place on the PCI bus, "00000000:3B:00.0"; empty if nvidia-smi does not tell.
    bus_id: str = ""

    @property
    def is_slice(self) -> bool:
        return self.uuid != self.parent_uuid


@dataclass(frozen=True)
class Listing:
    """What nvidia-smi lists, why, and the problems that it reports."""

    gpus: Sequence[Gpu]
    why: str
    problems: Sequence[str] = ()
    #: Whether CUDA_VISIBLE_DEVICES chose them, and so their numbers.
    is_chosen: bool = False


def visible(environment: Mapping[str, str]) -> Listing:
    """The GPUs that are there and that CUDA_VISIBLE_DEVICES, if set, names; in its order."""
    given = environment.get("CUDA_VISIBLE_DEVICES")
    if given is not None and given.strip() in NONE_VISIBLE:
        return Listing([], f"CUDA_VISIBLE_DEVICES={given.strip()} leaves no GPU to docmill", is_chosen=True)
    listed = listing()
    if given is None:
        return listed
    return _chosen(listed, given, environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID")


def listing() -> Listing:
    """Every GPU, and every slice in place of a GPU that is cut into slices."""
    if shutil.which("nvidia-smi") is None:
        return _without_program()
    status, said = ask("-L")
    found = _parsed(said)
    words = _complaint(said)
    if status is None:
        problem = f"nvidia-smi -L did not answer within {SMI_SECONDS:.0f} s: its driver or a GPU hangs"
        return Listing([], "no GPU can be found", [problem])
    problems = []
    if words or (status and not (found or _NO_GPU.search(said))):
        problems = [f"nvidia-smi -L (exit status {status}): {words or 'it said nothing'}"]
    found, unusable = _looked_at(found)
    why = f"nvidia-smi lists {_counted(found)}"
    return Listing(found, why, [*problems, *unusable])


def complaint_about(uuid: str) -> str:
    """What nvidia-smi says is wrong with one GPU; nothing if it is well, or if nobody can be asked: there is no
    nvidia-smi, or it is a slice, about which nvidia-smi tells nothing."""
    if not uuid.startswith("GPU-") or shutil.which("nvidia-smi") is None:
        return ""
    status, said = ask("-i", uuid, "--query-gpu=uuid,name", "--format=csv,noheader")
    if status is None:
        return f"nvidia-smi did not answer within {SMI_SECONDS:.0f} s"
    words = "; ".join(line.strip() for line in said.splitlines() if line.strip())[:300]
    if status:
        return f"nvidia-smi (exit status {status}): {words or 'it said nothing'}"
    return f"nvidia-smi: {words}" if _UNWELL.search(words) else ""


def _without_program() -> Listing:
    if DRIVER_FOLDER.is_dir() and (n := len(list(DRIVER_FOLDER.iterdir()))):
        problem = (
            f"the NVIDIA driver knows {n} GPU{'s' if n > 1 else ''} but nvidia-smi is not on PATH: install it "
            "(in a container: NVIDIA_DRIVER_CAPABILITIES=compute,utility)"
        )
        return Listing([], "no GPU can be listed", [problem])
    return Listing([], "there is no nvidia-smi on PATH and no NVIDIA driver")


def ask(*arguments: str) -> tuple[int | None, str]:
    """Run nvidia-smi: (exit status, or None if it hangs; what it printed)."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                ["nvidia-smi", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            return 127, f"it cannot be run: {error.strerror}"
        try:
            status = process.wait(SMI_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, signal.SIGKILL)
            # One that hangs inside the driver does not even die: it is not waited for.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
        output.seek(0)
        return status, output.read().decode("utf-8", "replace")


def _parsed(said: str) -> list[Gpu]:
    found: list[Gpu] = []
    parent: Gpu | None = None
    for line in said.splitlines():
        if match := _GPU.match(line):
            parent = Gpu(f"cuda-{match[1]}", match[2], match[3], match[3], int(match[1]))
            found.append(parent)
        elif (match := _SLICE.match(line)) and parent is not None:
            if found[-1] is parent:
                found.pop()
            name = f"{parent.name}-mig-{match[2]}"
            found.append(Gpu(name, f"{parent.model} {match[1]}", match[3], parent.uuid, parent.index))
    return found


def _complaint(said: str) -> str:
    """The lines that list no GPU: a GPU that fell off the bus is reported in one of them."""
    lines = [line.strip() for line in said.splitlines() if not (_GPU.match(line) or _SLICE.match(line))]
    return "; ".join(line for line in lines if line and not _NO_GPU.search(line))[:500]


def _looked_at(found: list[Gpu]) -> tuple[list[Gpu], list[str]]:
    """The GPUs with their places on the bus, and problems. CUDA cannot use a GPU in MIG mode that has no slices; the
    listing does not tell it from others."""
    if not found:
        return found, []
    status, said = ask("--query-gpu=index,mig.mode.current,pci.bus_id", "--format=csv,noheader")
    if status != 0:
        return found, []
    rows = re.findall(r"^(\d+), ([^,\n]*)(?:, (\S+))?$", said, re.MULTILINE)
    in_mig_mode = {int(number) for number, mode, _ in rows if mode == "Enabled"}
    places = {int(number): bus_id for number, _, bus_id in rows}
    uncut = [gpu for gpu in found if gpu.index in in_mig_mode and not gpu.is_slice]
    problems = [
        f"GPU {gpu.index} is in MIG mode and has no slices: make some (nvidia-smi mig -cgi), or switch MIG off"
        for gpu in uncut
    ]
    usable = [gpu for gpu in found if gpu not in uncut]
    return [replace(gpu, bus_id=places.get(gpu.index, "")) for gpu in usable], problems


def _chosen(listed: Listing, given: str, by_bus: bool) -> Listing:
    """What the variable names. As in CUDA, a name that is not there hides all that come after it."""
    chosen: list[Gpu] = []
    problems = list(listed.problems)
    words = [word.strip() for word in given.split(",")]
    for place, word in enumerate(words):
        named = _named(listed.gpus, word)
        if not named:
            hidden = f", which hides {','.join(words[place + 1 :])} too" if words[place + 1 :] else ""
            problems.append(f"CUDA_VISIBLE_DEVICES={given}: {word!r} names no usable GPU here{hidden}")
            break
        if any(gpu in chosen for gpu in named):
            problems.append(f"CUDA_VISIBLE_DEVICES={given}: {word!r} is there twice, and counts once")
        chosen += [gpu for gpu in named if gpu not in chosen]
    models = {gpu.model for gpu in listed.gpus if not gpu.is_slice}
    if not by_bus and len(models) > 1 and any(re.fullmatch(r"[0-9]+", word) for word in words):
        problems.append(
            "the GPUs here differ, and CUDA_VISIBLE_DEVICES has numbers: they were read in the order of nvidia-smi. "
            "Set CUDA_DEVICE_ORDER=PCI_BUS_ID so that CUDA does the same, or write UUIDs"
        )
    why = f"CUDA_VISIBLE_DEVICES={given} leaves {_counted(chosen)}; {listed.why}"
    return Listing(chosen, why, problems, is_chosen=True)


def _named(gpus: Sequence[Gpu], word: str) -> list[Gpu]:
    """The GPU of a number, or of a UUID or its beginning; of a GPU that is cut, all its slices."""
    if re.fullmatch(r"[0-9]+", word):
        return [gpu for gpu in gpus if gpu.index == int(word)]
    if old := _OLD_SLICE.fullmatch(word):
        return _old_slice(gpus, word, old[1])
    if not re.fullmatch(r"(GPU|MIG)-[0-9a-zA-Z/-]+", word):
        return []
    field = "parent_uuid" if word.startswith("GPU-") else "uuid"
    matching = [gpu for gpu in gpus if getattr(gpu, field).lower().startswith(word.lower())]
    # A beginning that fits two is no name.
    return matching if len({getattr(gpu, field) for gpu in matching}) == 1 else []


def _old_slice(gpus: Sequence[Gpu], word: str, parent_uuid: str) -> list[Gpu]:
    """MIG-GPU-<UUID>/<instance>/<instance>: newer drivers still take such a name, but list others."""
    slices = [gpu for gpu in gpus if gpu.is_slice and gpu.parent_uuid.lower() == parent_uuid.lower()]
    listed = [gpu for gpu in slices if gpu.uuid.lower() == word.lower()]
    if listed or not slices or slices[0].uuid.startswith("MIG-GPU-"):
        return listed
    _, instance, compute = word.split("/")
    name = f"cuda-{slices[0].index}-mig-{instance}.{compute}"
    return [Gpu(name, slices[0].model.partition(" MIG ")[0] + " MIG", word, parent_uuid, slices[0].index)]


def _counted(gpus: Sequence[Gpu]) -> str:
    n_slices = sum(gpu.is_slice for gpu in gpus)
    n_whole = len(gpus) - n_slices
    parts = [f"{n_whole} GPU{'' if n_whole == 1 else 's'}"] if n_whole or not n_slices else []
    parts += [f"{n_slices} MIG slice{'' if n_slices == 1 else 's'}"] if n_slices else []
    return " and ".join(parts)
