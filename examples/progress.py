"""Watch a job from Python, and list the latest jobs, as a monitoring script does.

With `docmill up` running in another terminal:

    python examples/progress.py
"""

from __future__ import annotations

import time
from pathlib import Path

from docmill import Client


def main() -> None:
    with Client() as client:
        client.add(Path(__file__).parent / "documents" / "news.jsonl", collection="example-progress")
        job = client.submit("keywords", collection="example-progress", priority=9)
        while not (now := job.progress()).ended:
            print(f"job {now.job_id} is {now.state}: {now.share:.0%}, {now.n_failed} failed")
            if now.fault:
                print(f"  {now.fault}")
            time.sleep(0.5)
        print(f"job {now.job_id} is {now.state}: {now.n_ok} of {now.n_documents} succeeded")
        for each in client.jobs(limit=3):
            print(f"{each.job_id:4} {each.kind:16} {each.shown_state:10} {each.collection}")


if __name__ == "__main__":
    main()
