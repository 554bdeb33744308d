"""Documents that kill, hang, raise or eat memory: they end in their own error, their neighbours in a result."""

from __future__ import annotations

import psutil

from tests.faults.stack import Database, Stack
from tests.faults.trial import END_SECONDS, ON_POSTGRES, ON_SQLITE, Fault
from tests.servers import until
from tests.slow import a_tenth_of_a_core


def _planted(
    name: str,
    texts: dict[str, str],
    codes: tuple[str, ...],
    *,
    quick: tuple[Database, ...] = (),
    harmless: bool = False,
) -> Fault:
    return Fault(
        name,
        # The documents are the fault.
        lambda _stack, _job_id: len(texts),
        quick=quick,
        harmless=harmless,
        texts=texts,
        codes=dict.fromkeys(texts, codes),
        n_documents=300,
    )


def limit_memory(stack: Stack, job_id: int) -> int:
    """What a container's limit does: a child that asks for much more than it has is refused."""
    children = stack.children()
    for child in children:
        limit = child.memory_info().vms + 256 * 1024 * 1024
        child.rlimit(psutil.RLIMIT_AS, (limit, limit))
    return len(children)


def slow_machine(stack: Stack, job_id: int) -> int:
    """Until the job's end: one of its documents is a single call of more than a second of CPU time, several leases at
    a tenth of a core."""
    children = stack.children()
    with a_tenth_of_a_core([child.pid for child in children]):
        until(lambda: stack.state(job_id) == "finished", "the end of the job", END_SECONDS)
    return len(children)


FAULTS = (
    Fault(
        "a memory limit on each child",
        limit_memory,
        harmless=True,
        texts={"k555": "!eat", "k777": "!eat"},
        codes={"k555": ("MEMORY",), "k777": ("MEMORY",)},
        n_documents=1_000,
    ),
    _planted("a document that segfaults", {"k120": "!crash"}, ("POISON",), quick=ON_SQLITE),
    _planted("documents that end the process", {"k120": "!exit", "k299": "!exit"}, ("POISON",)),
    _planted("a document that hangs", {"k150": "!hang"}, ("TIMEOUT", "POISON"), quick=ON_POSTGRES),
    _planted("a document that is busy for ever", {"k150": "!spin"}, ("TIMEOUT", "POISON")),
    _planted("a document stuck in a single call", {"k150": "!stuck"}, ("TIMEOUT", "POISON")),
    Fault(
        "a machine that gives a tenth of a core",
        slow_machine,
        quick=ON_SQLITE,
        harmless=True,
        texts={"k7": "!work 1.2"},
        codes={"k7": ("ok",)},
        n_documents=300,
    ),
    _planted(
        "documents that raise",
        {f"k{i}": "!raise" for i in range(50, 300, 9)},
        ("RUNNER_ERROR",),
        quick=ON_SQLITE,
        harmless=True,
    ),
    _planted(
        "documents that do not fit together",
        {f"k{i}": "!memory" for i in range(50, 300, 9)},
        ("ok",),
        harmless=True,
    ),
    _planted("documents that never fit", {"k111": "!toobig", "k222": "!toobig"}, ("MEMORY",), harmless=True),
    _planted("device out of memory", {f"k{i}": "!oom" for i in range(50, 300, 9)}, ("ok",), harmless=True),
    _planted("a device that fails for good", {"k133": "!device"}, ("ok",)),
    _planted("blank documents", {"k90": " ", "k91": "\n"}, ("EMPTY_TEXT",), harmless=True),
)
