"""The steps of a night, for whatever runs them: add documents, submit a job, wait for it and judge it.

`airflow_dag.py` and `prefect_flow.py` use them. Each function imports what it needs, since Airflow runs it in an
interpreter of its own. They connect to the server of DOCMILL_SERVER_URL with the key of DOCMILL_SERVER_KEY, or else to
the store of DOCMILL_DATABASE_URL.
"""

from __future__ import annotations


def add(paths: list[str], collection: str) -> dict[str, int]:
    """Add files; those that are unchanged are skipped. A step that is run again adds what is missing."""
    from docmill import Client

    with Client() as client:
        report = client.add(*paths, collection=collection)
    for bad in report.bad:
        print(bad)
    return {"new": report.n_new, "changed": report.n_changed, "bad": len(report.bad)}


def submit(kind: str, collection: str, key: str, parameters: dict[str, object] | None = None) -> int | None:
    """Submit a job over the documents that have no result yet; its number, or None if there are none. A step that is
    run again has the same key, and gets the same job."""
    from docmill import Client
    from docmill.errors import NothingToDoError

    with Client() as client:
        try:
            job = client.submit(
                kind,
                collection=collection,
                parameters=parameters,
                key=f"{key} {kind} {collection}",
                only_new=True,
            )
        except NothingToDoError as nothing:
            print(nothing)
            return None
    print(f"job {job.id}: {job.n_documents} documents")
    return job.id


def finish(
    job_id: int | None, most_failed: float = 0.01, timeout_seconds: float = 6 * 3600
) -> dict[str, int]:
    """Wait for a job, and raise if a larger share of its documents than `most_failed` has no result."""
    from collections import Counter

    from docmill import Client

    if job_id is None:
        return {"documents": 0, "failed": 0}
    with Client() as client:
        job = client.job(job_id)
        ended = job.wait(timeout_seconds, poll_seconds=2)
        causes = Counter(str(row["error_code"]) for row in job.errors(limit=1_000))
    if ended.n_error > most_failed * ended.n_documents:
        named = ", ".join(f"{code} ({n})" for code, n in causes.most_common(5))
        raise RuntimeError(
            f"job {job_id} ({ended.kind}): {ended.n_error} of {ended.n_documents} documents have no result: {named}"
        )
    return {"documents": ended.n_documents, "failed": ended.n_error}
