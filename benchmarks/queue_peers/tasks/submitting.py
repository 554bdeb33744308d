"""A process that adds a job's documents to a queue when it is told to: `python -m TASKS JOB DOCUMENTS BATCH`.

It prints "ready", waits for a line, adds them, prints "submitted", and waits for the end of its input, so that the
caller can measure what it used. The start of the interpreter is not measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def submit(add: Callable[[int, int, int], None]) -> None:
    """`add(job, n, batch)` adds documents 1 to n."""
    job, n, batch = map(int, sys.argv[1:4])
    print("ready", flush=True)
    sys.stdin.readline()
    add(job, n, batch)
    print("submitted", flush=True)
    sys.stdin.read()
