"""A process of many light workers: each takes a message, claims the chunk, loads its documents, sleeps for as long as
the work would take, and writes results, through the same functions of db.chunks as a real worker.

    python -m benchmarks.simulation.light_worker --threads N --seconds S

They share a pool of connections, as many machines share pgbouncer's. SIGTERM makes it print its figures as JSON.
"""

from __future__ import annotations

import argparse
import base64
import json
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

import psycopg
import redis as redis_client

from db import chunks, documents
from db.chunks import Claim, Holder
from db.store import Store
from nlp_tasks.kind import Document
from workers.names import queue_of
from workers.running.writing import as_written
from workers.settings import settings

KIND = "simulated"
LEASE_SECONDS = 60.0


@dataclass
class Figures:
    """What the workers of this process did since the last reset. Seconds are summed over workers."""

    n_chunks: int = 0
    n_documents: int = 0
    n_stale: int = 0
    #: Waiting for a message.
    idle_seconds: float = 0.0
    claim_seconds: float = 0.0
    load_seconds: float = 0.0
    sleep_seconds: float = 0.0
    write_seconds: float = 0.0
    cpu_seconds: float = 0.0
    n_exchanges: int = 0

    def __sub__(self, before: Figures) -> Figures:
        return Figures(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))


FIGURES = Figures()
_lock = threading.Lock()


def count_exchanges() -> None:
    """Count each wait for PostgreSQL's answer: a round trip."""
    wait = psycopg.Connection.wait

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        FIGURES.n_exchanges += 1
        return wait(self, *arguments, **options)

    psycopg.Connection.wait = counted  # type: ignore[method-assign]


class Fetcher(threading.Thread):
    """Takes messages from Redis as long as workers wait for them: for all that wait, at once. This thread needs
    Python's lock several times for a command, so with one message at a time the workers would wait for it."""

    def __init__(self, messages: queue.Queue[int], free: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self._messages = messages
        self._free = free
        name = queue_of(KIND)
        self._keys = [name] + [f"{name}\x06\x16{number}" for number in range(1, 10)]
        self._client = redis_client.Redis(unix_socket_path=settings().redis_url.removeprefix("unix://"))

    def run(self) -> None:
        while True:
            self._free.acquire()
            while (found := self._client.brpop(self._keys, timeout=5)) is None:
                pass
            key, first = found
            self._put(first)
            n_waiting = 0
            while self._free.acquire(blocking=False):
                n_waiting += 1
            more = (self._client.rpop(key, n_waiting) or []) if n_waiting else []
            for message in more:
                self._put(message)
            if len(more) < n_waiting:
                self._free.release(n_waiting - len(more))

    def _put(self, message: bytes) -> None:
        [arguments, _, _] = json.loads(base64.b64decode(json.loads(message)["body"]))
        self._messages.put(arguments[0])


def work(
    store: Store, holder: Holder, messages: queue.Queue[int], free: threading.Semaphore, seconds: float
) -> None:
    """One worker, until the process ends."""
    while True:
        moments = [time.monotonic()]
        free.release()
        chunk_id = messages.get()
        moments.append(time.monotonic())
        claim = chunks.claim_at_once(store, chunk_id, holder, LEASE_SECONDS)
        moments.append(time.monotonic())
        if claim is None:
            with _lock:
                FIGURES.n_stale += 1
            continue
        with store.look() as session:
            texts = documents.texts(session, claim.document_ids)
        moments.append(time.monotonic())
        time.sleep(seconds)
        moments.append(time.monotonic())
        write(store, claim, [Document(row.id, row.key, row.text, row.label) for row in texts])
        moments.append(time.monotonic())
        _add(moments, len(texts))


def write(store: Store, claim: Claim, found: list[Document]) -> None:
    """A row for each document, and its outcome; the chunk is closed."""
    from benchmarks.simulation.kind import SimulatedRow

    done = [(document, [SimulatedRow(1, "label", 0.5)]) for document in found]
    written = as_written(done, with_outcomes=True)
    chunks.write_at_once(store, claim, written, LEASE_SECONDS, close=True)


def _add(moments: list[float], n_documents: int) -> None:
    names = ("idle", "claim", "load", "sleep", "write")
    with _lock:
        for name, start, end in zip(names, moments, moments[1:], strict=False):
            setattr(FIGURES, f"{name}_seconds", getattr(FIGURES, f"{name}_seconds") + end - start)
        FIGURES.n_chunks += 1
        FIGURES.n_documents += n_documents


def _tell(*_: Any) -> None:
    """Print the figures so far."""
    FIGURES.cpu_seconds = time.process_time()
    print(json.dumps(asdict(FIGURES)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    count_exchanges()
    threading.stack_size(256 * 1024)
    # Hundreds of threads that share Python's lock: none waits for it as long as the usual 5 ms.
    sys.setswitchinterval(0.0005)
    store = Store(settings().url, pool_size=options.connections)
    messages: queue.Queue[int] = queue.Queue()
    free = threading.Semaphore(0)
    Fetcher(messages, free).start()
    for number in range(options.threads):
        holder = Holder(f"light-{number}", f"{settings().instance}.{number}")
        threading.Thread(
            target=work, args=(store, holder, messages, free, options.seconds), daemon=True
        ).start()
    signal.signal(signal.SIGUSR1, _tell)
    print("ready", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
