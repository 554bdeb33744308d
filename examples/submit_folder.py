"""Add a folder of texts, summarize what is new in it, print the summaries.

With `docmill up` running in another terminal:

    python examples/submit_folder.py examples/documents/filings

Run again, it finds the same job by its key and prints the same summaries; after a change in the folder it submits a
new job. `docmill up` (or a scheduler and a worker on the same store) does the work.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from docmill import add, submit


def main(folder: Path) -> int:
    collection = folder.resolve().name
    added = add(folder, collection=collection)
    for record in added.bad:
        print(record, file=sys.stderr)

    # The key depends on the contents of the folder: the same key is the same job, and a change makes a new one.
    names = sorted(f"{path}:{path.stat().st_mtime_ns}" for path in folder.rglob("*") if path.is_file())
    key = f"{collection}-{hashlib.sha256('|'.join(names).encode()).hexdigest()[:12]}"
    job = submit("summarize", collection=collection, parameters={"sentences": 2}, key=key)
    print(f"job {job.id}: {job.n_documents} documents", file=sys.stderr)

    ended = job.wait(timeout_seconds=600)
    for row in job.results():
        print(f"{row['document_key']}: {row['summary']}")
    for row in job.errors():
        print(f"{row['document_key']}: {row['error_code']}: {row['error_detail']}", file=sys.stderr)
    return 3 if ended.n_error else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
