"""A page that shows documents with the labels that a classifier gave them, and what spoke for these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from docmill.pages import documents
from docmill.pages.registry import JobPage
from nlp_tasks.text import language

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.progress import JobProgress

_STYLE = """
.labels ul { white-space: normal; list-style: none; margin: 0; padding: 0; }
.labels li { margin-bottom: .6rem; }
.labels meter { width: 100%; display: block; }
"""
#: Of a text, at most this many characters are shown.
_CHARS = 4_000


@dataclass(frozen=True)
class Labelled:
    """A document with its labels, the best first, as rows of `classification` and `label_term`."""

    id: int
    key: str
    text: str
    meta: Mapping[str, Any]
    labels: Sequence[Mapping[str, Any]]
    terms: Sequence[Mapping[str, Any]]


def of_job(session: Session, job: JobProgress, limit: int) -> Iterator[str]:
    """The page of a job's first documents, at most `limit`."""
    from db import labelled

    found = (
        Labelled(*row, labels, terms) for row, labels, terms in labelled.of_job(session, job.job_id, limit)
    )
    shown = f"the first {limit:,} of " if limit < job.n_ok else ""
    facts = f"{job.collection}: {shown}{job.n_ok:,} documents with a label, {job.n_failed:,} failed"
    facts += f", {job.n_cancelled:,} cancelled" if job.n_cancelled else ""
    return documents.page(f"Labels of job {job.job_id}", facts, map(_article, found), _STYLE)


PAGE = JobPage("classify", of_job)


def _article(document: Labelled) -> str:
    facts = f"{len(document.text):,} characters"
    text = document.text if len(document.text) <= _CHARS else f"{document.text[:_CHARS]}…"
    return (
        f'<article id="d{document.id}">\n'
        f'<h2>{escape(document.key)} <span class="facts">{escape(facts)}</span></h2>\n'
        f"{documents.metadata(document.meta)}"
        f'<div class="sides" lang="{language(document.text)}">\n'
        f'<div class="text">{escape(text)}</div>\n<div class="labels">{_labels(document)}</div>\n'
        "</div>\n</article>\n"
    )


def _labels(document: Labelled) -> str:
    """A bar for each label, and the terms that weighed for the best one."""
    items = "".join(f"<li>{_label(row)}</li>" for row in document.labels)
    terms = ", ".join(f"{row['term']} {row['weight']:+.2f}" for row in document.terms)
    return f"<ul>{items}</ul>" + (f'<p class="facts">{escape(terms)}</p>' if terms else "")


def _label(row: Mapping[str, Any]) -> str:
    name = f"none: {row['reason']}" if row["label"] is None else row["label"]
    score = f'<span class="facts">{row["score"]:.2f}</span>'
    return f'{escape(name)} {score}<meter min="0" max="1" value="{row["score"]:.3f}"></meter>'
