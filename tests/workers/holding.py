"""A process that claims a chunk and does one thing while it holds it, and closes it then.

python -m tests.workers.holding CHUNK CRASH_FILE WHAT    (as tests.kinds says)
"""

from __future__ import annotations

import sys
from pathlib import Path

from db import chunks
from db.chunks import Holder, Written
from db.store import Store
from tests.kinds import misbehave
from workers.processes.process import Process
from workers.running.lease import Lease
from workers.settings import settings


def main(chunk_id: str, crash_file: str, what: str) -> None:
    store = Store(settings().url)
    with Path(crash_file).open("w+") as words:
        with store.write() as session:
            claim = chunks.claim(session, int(chunk_id), Holder("w", "w.1"), settings().lease_seconds)
        assert claim is not None
        lease = Lease(Process(settings(), store, words), claim)
        with lease.kept():
            lease.beat()
            print("holds", flush=True)
            misbehave(what)
            lease.beat()
            with store.write() as session:
                chunks.write(session, claim, Written(ok_ids=claim.document_ids), lease.seconds, close=True)
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
