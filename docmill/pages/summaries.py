"""A page that shows documents and their summaries side by side, with the chosen sentences marked."""

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

_STYLE = """.summary ol { white-space: normal; margin: 0; padding-left: 1.5rem; }
.summary li { margin-bottom: .6rem; }
.summary a { color: inherit; text-decoration: none; }
.summary a:hover { text-decoration: underline; }
"""


@dataclass(frozen=True)
class Sentence:
    """A chosen sentence: `text[start:end]` of its document."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Summarized:
    """A document with its summary; no sentences if a model wrote the summary."""

    id: int
    key: str
    text: str
    summary: str
    method: str
    meta: Mapping[str, Any]
    sentences: Sequence[Sentence]


def of_job(session: Session, job: JobProgress, limit: int) -> Iterator[str]:
    """The page of a job's first documents, at most `limit`."""
    from db import summaries

    found = (
        Summarized(*row, [Sentence(one["start_char"], one["end_char"], one["score"]) for one in chosen])
        for row, chosen in summaries.of_job(session, job.job_id, limit)
    )
    shown = f"the first {limit:,} of " if limit < job.n_ok else ""
    facts = f"{job.collection}: {shown}{job.n_ok:,} documents with a summary, {job.n_failed:,} failed"
    facts += f", {job.n_cancelled:,} cancelled" if job.n_cancelled else ""
    return documents.page(f"Summaries of job {job.job_id}", facts, map(_article, found), _STYLE)


PAGE = JobPage("summarize", of_job)


def _article(document: Summarized) -> str:
    facts = f"{document.method}, {len(document.text):,} characters"
    lang = language(document.text)
    return (
        f'<article id="d{document.id}">\n'
        f'<h2>{escape(document.key)} <span class="facts">{escape(facts)}</span></h2>\n'
        f"{documents.metadata(document.meta)}"
        f'<div class="sides" lang="{lang}">\n'
        f'<div class="text">{_marked(document)}</div>\n<div class="summary">{_summary(document)}</div>\n'
        "</div>\n</article>\n"
    )


def _marked(document: Summarized) -> str:
    """The text with its chosen sentences marked, in document order."""
    parts: list[str] = []
    done = 0
    for number, sentence in enumerate(document.sentences, start=1):
        parts.append(escape(document.text[done : sentence.start]))
        parts.append(f'<mark id="d{document.id}s{number}" title="score {sentence.score:.2f}">')
        parts.append(escape(document.text[sentence.start : sentence.end]) + "</mark>")
        done = sentence.end
    return "".join([*parts, escape(document.text[done:])])


def _summary(document: Summarized) -> str:
    """A list of links to the sentences, or the text that a model wrote."""
    if not document.sentences:
        return escape(document.summary)
    items = (
        f'<li><a href="#d{document.id}s{number}">{escape(document.text[sentence.start : sentence.end])}</a> '
        f'<span class="facts">{sentence.score:.2f}</span></li>'
        for number, sentence in enumerate(document.sentences, start=1)
    )
    return f"<ol>{''.join(items)}</ol>"
