"""A page that shows documents and their summaries side by side, with the chosen sentences marked.

One HTML file that loads nothing: no scripts, no fonts, no images, and a policy that forbids them.
Everything from documents is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from docmill.pages.registry import JobPage
from nlp_tasks.text import language

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.progress import JobProgress

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8d8d8, #444); --soft: light-dark(#666, #aaa);
        --mark: light-dark(#ffe89a, #6b5500); --page: light-dark(#fff, #1b1b1b); --box: light-dark(#fafafa, #232323); }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--page); line-height: 1.6;
       font-family: system-ui, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans CJK KR", "Noto Sans KR", sans-serif; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p.facts, span.facts { color: var(--soft); font-size: .85rem; font-weight: normal; }
article p.facts { margin: -.4rem 0 .5rem; overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding: 1rem 0; }
.sides { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.5rem; }
.sides > div { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 70vh; overflow-y: auto;
               background: var(--box); border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; }
[lang=ko] { word-break: keep-all; }
mark { background: var(--mark); color: inherit; border-radius: .2rem; }
mark:target { outline: 2px solid currentColor; }
.summary ol { white-space: normal; margin: 0; padding-left: 1.5rem; }
.summary li { margin-bottom: .6rem; }
.summary a { color: inherit; text-decoration: none; }
.summary a:hover { text-decoration: underline; }
@media (max-width: 50rem) { .sides { grid-template-columns: 1fr; } }
"""
#: Of the metadata of a document, at most this many fields are shown, with values of at most this many characters.
_META_FIELDS, _META_CHARS = 12, 120
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


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

    documents = (
        Summarized(*row, [Sentence(one["start_char"], one["end_char"], one["score"]) for one in chosen])
        for row, chosen in summaries.of_job(session, job.job_id, limit)
    )
    shown = f"the first {limit:,} of " if limit < job.n_ok else ""
    facts = f"{job.collection}: {shown}{job.n_ok:,} documents with a summary, {job.n_failed:,} failed"
    facts += f", {job.n_cancelled:,} cancelled" if job.n_cancelled else ""
    return page(f"Summaries of job {job.job_id}", facts, documents)


PAGE = JobPage("summarize", "summaries", of_job)


def page(title: str, facts: str, documents: Iterable[Summarized]) -> Iterator[str]:
    """The page, piece by piece."""
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="facts">{escape(facts)}</p>\n'
    )
    for document in documents:
        yield _article(document)
    yield "</body>\n</html>\n"


def _article(document: Summarized) -> str:
    facts = f"{document.method}, {len(document.text):,} characters"
    lang = language(document.text)
    return (
        f'<article id="d{document.id}">\n'
        f'<h2>{escape(document.key)} <span class="facts">{escape(facts)}</span></h2>\n{_meta(document.meta)}'
        f'<div class="sides" lang="{lang}">\n'
        f'<div class="text">{_marked(document)}</div>\n<div class="summary">{_summary(document)}</div>\n'
        "</div>\n</article>\n"
    )


def _meta(meta: Mapping[str, Any]) -> str:
    """The metadata in a line: what is short of it."""
    shown = [
        f"{name}: {value}"
        for name, value in meta.items()
        if not isinstance(value, dict | list) and len(str(value)) <= _META_CHARS
    ]
    return f'<p class="facts">{escape(" · ".join(shown[:_META_FIELDS]))}</p>\n' if shown else ""


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
