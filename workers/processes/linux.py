"""Where Linux tells what a process may use: processors and memory of the machine, and the limits of control groups."""

from __future__ import annotations

from pathlib import Path

#: The tests have trees of their own.
PROC, CGROUP, SYS = Path("/proc"), Path("/sys/fs/cgroup"), Path("/sys/devices/system")
PCI = Path("/sys/bus/pci/devices")


def groups(controller: str) -> list[Path]:
    """The folders of this process's control group for a controller ("cpu", "memory"), and of those above it. In a
    container the ones above may not be visible; its own is then the root."""
    found = [CGROUP, CGROUP / controller]
    for line in read(PROC / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUP / controller if controllers else CGROUP
        parts = [part for part in path.split("/") if part not in ("", "..")]
        found += [root.joinpath(*parts[: n + 1]) for n in range(len(parts))]
    return found


def memory_bytes() -> int:
    """The memory that this process and those of its control group may use."""
    total = next(
        int(line.split()[1]) * 1024
        for line in read(PROC / "meminfo").splitlines()
        if line.startswith("MemTotal:")
    )
    limits = [
        read(folder / name).strip()
        for folder in groups("memory")
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    return min([total, *(int(limit) for limit in limits if limit.isdigit())])


def resident_bytes() -> int:
    """The memory that this process has of its own: its pages in memory without those of mapped files."""
    fields = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in read(PROC / "self" / "status").splitlines())
        if name in ("RssAnon", "RssShmem")
    }
    return sum(fields.values()) * 1024


def read(path: Path) -> str:
    """The file's text; nothing if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
