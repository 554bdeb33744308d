"""Wait for a job, read the errors of the documents that failed, correct them and retry only those.

With `docmill up` running in another terminal:

    python examples/errors_and_retry.py
"""

from __future__ import annotations

from docmill import Client
from docmill.errors import NothingToDoError, WaitTimeoutError

TEXTS = [
    {"id": "prose", "text": "The mill grinds. The river flows."},
    {"id": "page", "text": "&nbsp;"},
]


def main() -> None:
    with Client() as client:
        client.add_records(TEXTS, collection="example-retry")
        job = client.submit("summarize", collection="example-retry")
        try:
            job.wait(timeout_seconds=0)
        except WaitTimeoutError as error:
            print(f"not yet: {error}")
        ended = job.wait(timeout_seconds=600)
        print(f"{ended.n_ok} ok, {ended.n_error} failed")
        for row in job.errors():
            print(f"{row['document_key']}: {row['error_code']}: {row['error_detail']}")

        client.add_records([{"id": "page", "text": "Now it says something."}], collection="example-retry")
        try:
            again = job.retry()
        except NothingToDoError as error:
            print(error)
        else:
            print(f"the retry of {again.n_documents} document: {again.wait(600).n_ok} ok")


if __name__ == "__main__":
    main()
