"""The page of a job whose kind has none of its own: the result rows of each document, the model that it trained, and
what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from docmill.pages import documents
from docmill.pages.markup import Markup, element
from docmill.pages.plain_tables import STYLE, section, table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.progress import JobProgress

#: Rows of a document, and documents that failed, that are shown.
MOST_ROWS, MOST_ERRORS = 50, 100


def of_job(session: Session, job: JobProgress, limit: int) -> Iterator[str]:
    """The page of a job's first documents, at most `limit`; of a training, that of the model version that it made."""
    if (version := _trained(session, job)) is not None:
        yield version
        return
    facts = f"{job.collection}: {job.shown_state}, {job.n_ok:,} of {job.n_documents:,} documents done"
    facts += f", {job.n_failed:,} failed"
    facts += f", {job.n_cancelled:,} cancelled" if job.n_cancelled else ""
    yield from documents.page(f"Job {job.job_id}: {job.kind}", facts, _parts(session, job, limit), STYLE)


def _parts(session: Session, job: JobProgress, limit: int) -> Iterator[str]:
    from workers import kinds

    known = kinds.all_kinds().get(job.kind)
    if known is None:
        # Its module is no longer configured: what the tables hold cannot be told apart.
        yield section("Results", element("p", f"the kind {job.kind} is not known here: DOCMILL_KIND_MODULES"))
    elif known.train is not None:
        words = job.note or ("It made no model." if job.ended else "It is not done yet.")
        yield section("The model", element("p", words))
    else:
        yield from _results(session, job, limit)
    if job.n_failed:
        yield _failures(session, job)


def _results(session: Session, job: JobProgress, limit: int) -> Iterator[Markup]:
    from docmill.job_rows import has_rows, headings

    if not has_rows(job.kind):
        yield section("Results", element("p", f"{job.n_ok:,} documents are done; {job.kind} writes no rows"))
        return
    found = groupby(_rows(session, job, limit), key=lambda row: row["document_key"])
    n = 0
    for key, rows in islice(found, limit):
        n += 1
        yield _of_document(key, list(islice(rows, MOST_ROWS + 1)), headings(job.kind))
    if not n:
        yield section("Results", element("p", "There are none yet." if not job.ended else "There are none."))


def _rows(session: Session, job: JobProgress, limit: int) -> Iterator[dict[str, Any]]:
    """The rows of the first documents: of a large job, the rest is not even sorted."""
    from db import results
    from workers import kinds

    query, _ = results.query_of(job.job_id, kinds.result_table(job.kind))
    few = query.limit(limit * (MOST_ROWS + 1)).execution_options(yield_per=2_000)
    yield from map(dict, session.execute(few).mappings())


def _of_document(key: str, rows: Sequence[dict[str, Any]], names: Mapping[str, str]) -> Markup:
    shown = [{names.get(name, name): value for name, value in row.items()} for row in rows[:MOST_ROWS]]
    columns = [name for name in shown[0] if name != "document_key"]
    more = element("p", f"and more than {MOST_ROWS} rows", class_="facts") if len(rows) > MOST_ROWS else ""
    return section(key, table(shown, columns), more)


def _failures(session: Session, job: JobProgress) -> Markup:
    from db import results

    rows = list(results.errors_of(session, job.job_id, MOST_ERRORS))
    told = f"{job.n_failed:,} {'document' if job.n_failed == 1 else 'documents'} failed"
    told += f"; the first {MOST_ERRORS}:" if job.n_failed > MOST_ERRORS else ""
    return section(
        "What failed",
        element("p", told, class_="facts"),
        table(rows, ("document_key", "error_code", "error_detail", "source")),
    )


def _trained(session: Session, job: JobProgress) -> str | None:
    from db import model_versions
    from docmill.pages.registry import version_page

    every = model_versions.with_that_of(session, job.job_id)
    if not every:
        return None
    chosen = every[0] | model_versions.figures(session, every[0]["id"])
    return version_page(chosen).write(chosen, sorted(every, key=lambda one: -one["version"]))
