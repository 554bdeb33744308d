"""Extracts one file: finds its type, has it read, checks what came. The same again for each document inside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from readers.extraction import archived_records, checks, detect, languages, registry
from readers.extraction.context import Context
from readers.extraction.limits import Budget, Limits, Visits, too_large
from readers.extraction.records import Extraction, ExtractionError, Figures, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer
from readers.options import ReadOptions

#: Goes up when the same file may give another text.
EXTRACTOR_VERSION = 2

#: How the detail of an error begins that a reader did not expect: the file is damaged in a new way.
PARSER_FAILED = "the parser failed at something that it did not expect"

Html = Literal["auto", "main", "whole"]


@dataclass(frozen=True, slots=True)
class _How:
    """What is taken of files, at all levels."""

    html: Html
    records: ReadOptions


def extract(
    path_or_bytes: str | Path | bytes,
    limits: Limits | None = None,
    name: str | None = None,
    *,
    html: Html = "auto",
    records: ReadOptions | None = None,
    beat: Callable[[], None] = lambda: None,
    visits: Visits | None = None,
) -> Extraction:
    """The text of a file with its structure, or ExtractionError. Parsers are not safe in threads: use processes.

    The type is decided by content. A document inside a container that fails is a member with an error; the others
    are read. `html` says what is taken of a web page: its main content, the whole, or ("auto") the main content
    of a page that has navigation. `records` names the fields of records in archives, whose rows are documents.
    OSError is raised for a path that cannot be read.
    `beat` is called between pages, parts and members, as a heartbeat. `visits` tells which member is being read.
    """
    limits = limits or Limits()
    source = Source.of(path_or_bytes, name)
    return _extract(source, Budget(limits, beat, visits), 0, _How(html, records or ReadOptions()))


def _extract(
    source: Source, budget: Budget, depth: int, how: _How, *, is_archived: bool = False
) -> Extraction:
    started = time.perf_counter()
    out = Writer(budget)
    source.check(budget.limits)
    try:
        media_type = detect.media_type(source, budget)
        if not (is_archived and archived_records.read(source, media_type, out, budget, how.records)):
            registry.reader(media_type)(source, out, _context(budget, media_type, depth, how))
    except MemoryError:
        raise ExtractionError("MEMORY", "the file needs more memory than the process may take") from None
    except RecursionError:
        raise too_large("levels of nesting", budget.limits.xml_depth) from None
    except ExtractionError:
        raise
    except OSError as error:
        if isinstance(source.where, Path):  # the disk failed, not the file
            raise
        raise _failed(error) from error
    except Exception as error:
        raise _failed(error) from error
    return _finished(source, media_type, out, started)


def _context(budget: Budget, media_type: str, depth: int, how: _How) -> Context:
    return Context(
        budget,
        media_type,
        member=lambda inner: _member(inner, budget, depth + 1, how),
        archived=lambda inner: _member(inner, budget, depth + 1, how, is_archived=True),
        html=how.html,
    )


def _failed(error: Exception) -> ExtractionError:
    """A parser that fails is the file's error, so that its neighbours are read; the exception is chained."""
    return ExtractionError("CORRUPT", f"{PARSER_FAILED} ({type(error).__name__}: {error})")


def _finished(source: Source, media_type: str, out: Writer, started: float) -> Extraction:
    if len(out.members) == 1 and out.passes_through:
        return _passed_through(out.members[0])
    text, parts = out.finish()
    if not text and not out.members and not out.records:
        raise ExtractionError("EMPTY", "the file is sound and holds no text")
    checks.check(text, out)
    left_out = [table for table in parts.tables if not table.in_text]
    chars_by_page = checks.chars_by_page(parts.pages, len(text))
    figures = Figures(
        media_type=out.media_type or media_type,
        parser=out.parser or f"docmill {EXTRACTOR_VERSION}",
        n_bytes=source.size,
        n_chars=len(text) + sum(len(record.text) for record in out.records),
        n_pages=len(parts.pages),
        chars_by_page=chars_by_page,
        share_non_letters=checks.share_non_letters(text or checks.sample(out.records)),
        n_replaced=checks.n_replaced(text) + sum(checks.n_replaced(record.text) for record in out.records),
        n_tables_left_out=len(left_out),
        chars_in_tables=sum(len(cell) for table in left_out for row in table.rows for cell in row),
        chars_left_out=out.chars_left_out,
        seconds=round(time.perf_counter() - started, 4),
        author=out.author,
        created=out.created,
    )
    language = languages.of(text) or out.language
    title = out.title or (parts.sections[0].title if parts.sections else None)
    warnings, members = tuple(out.warnings), tuple(out.members)
    return Extraction(text, title, language, parts, figures, warnings, members, tuple(out.records))


def _passed_through(member: Member) -> Extraction:
    """The one document of a compressed file stands for the file."""
    if member.error is not None:
        raise member.error
    assert member.extraction is not None
    return member.extraction


def _member(source: Source, budget: Budget, depth: int, how: _How, *, is_archived: bool = False) -> Member:
    """A document inside another, or its error. Raises when far more documents than allowed were found."""
    try:
        budget.entry()
        if depth > budget.limits.depth:
            raise too_large("containers inside one another", budget.limits.depth)
        with budget.half():
            return Member(source.name, _extract(source, budget, depth, how, is_archived=is_archived))
    except ExtractionError as error:
        if budget.is_spent:
            raise
        return Member(source.name, error=error)
