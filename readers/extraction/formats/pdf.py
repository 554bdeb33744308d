"""PDF with pypdfium2: text by page, the outline as sections, attachments as members."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readers.extraction import dates, pdf_lines
from readers.extraction.context import Context
from readers.extraction.records import ExtractionError
from readers.extraction.registry import missing
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

#: A blank between a digit and the Hangul that it counts.
_GAP = re.compile(r"(?<=[0-9%]) (?=[가-힣])")
#: pdfium's error codes.
_PASSWORD, _SECURITY = 4, 5
#: For this many characters of a page it is checked whether their font maps them to Unicode.
_ASKED_CHARS = 100
#: Shares of characters without a meaning from which a text is refused, or warned of.
_REFUSED, _WARNED = 0.5, 0.02


def read(source: Source, out: Writer, context: Context) -> None:
    """ENCRYPTED, SCANNED_NO_TEXT, CORRUPT or GARBLED for a file without readable text."""
    try:
        import pypdfium2
    except ImportError:
        raise missing("pypdfium2") from None
    out.parser = f"pypdfium2 {pypdfium2.PYPDFIUM_INFO.version}"
    document = _open(source, pypdfium2)
    try:
        _read_document(document, out, context, pypdfium2)
    finally:
        document.close()
    if b"%%EOF" not in source.tail(4096):
        out.warn("TRUNCATED", "the file has no end: pages may be missing")


def _open(source: Source, pypdfium2: Any) -> Any:
    where = str(source.where) if isinstance(source.where, Path) else source.where
    try:
        return pypdfium2.PdfDocument(where)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in (_PASSWORD, _SECURITY):
            raise ExtractionError("ENCRYPTED", "the PDF asks for a password: save it without one") from error
        raise ExtractionError("CORRUPT", f"the PDF cannot be opened: {error}") from error


def _read_document(document: Any, out: Writer, context: Context, pypdfium2: Any) -> None:
    told = document.get_metadata_dict()
    out.title = clean(told.get("Title", "")) or None
    out.author = clean(told.get("Author", "")) or None
    out.created = dates.of_pdf(told.get("CreationDate", ""))
    starts: list[int] = []
    pictures: list[int] = []
    damaged: list[int] = []
    compounds: set[str] = set()
    n_unmapped = n_asked = 0
    for index in range(len(document)):
        out.page()
        starts.append(out.n_chars)
        try:
            page = document[index]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            damaged.append(index + 1)
            continue
        for paragraph in pdf_lines.paragraphs(_text(text_page, pypdfium2), compounds):
            out.paragraph(paragraph)
        if out.n_chars == starts[-1] and _has_pictures(page, pypdfium2):
            pictures.append(index + 1)
        unmapped, asked = _unmapped(text_page, pypdfium2)
        n_unmapped, n_asked = n_unmapped + unmapped, n_asked + asked
        text_page.close()
        page.close()
    _judge(out, len(starts), pictures, damaged, n_unmapped / max(1, n_asked))
    _sections(document, out, starts, pypdfium2)
    for name, data in _attachments(document, context, out, pypdfium2):
        out.members.append(context.member(Source(data, name)))


def _text(text_page: Any, pypdfium2: Any) -> str:
    """The page's text, without the blanks that pdfium puts between digits and Hangul, as in "1850 년".

    Programs leave a gap there that is no blank. Where a page has no blanks of its own, those of pdfium stay.
    """
    text: str = text_page.get_text_range(errors="replace")
    gaps = [match.start() for match in _GAP.finditer(text)]
    if not gaps:
        return text
    raw = pypdfium2.raw
    generated = [
        at
        for at in gaps
        if raw.FPDFText_IsGenerated(text_page, raw.FPDFText_GetCharIndexFromTextIndex(text_page, at)) == 1
    ]
    n_own = text.count(" ") - len(generated)
    if n_own < 2 * len(generated):
        return text
    for at in reversed(generated):
        text = text[:at] + text[at + 1 :]
    return text


def _has_pictures(page: Any, pypdfium2: Any) -> bool:
    """Whether a page without text shows something: a scan, or letters drawn as outlines."""
    shown = (pypdfium2.raw.FPDF_PAGEOBJ_IMAGE, pypdfium2.raw.FPDF_PAGEOBJ_PATH)
    return next(iter(page.get_objects(filter=shown, max_depth=5)), None) is not None


def _unmapped(text_page: Any, pypdfium2: Any) -> tuple[int, int]:
    """How many characters have a font that does not say what they mean, of how many."""
    n_chars = text_page.count_chars()
    asked = range(0, n_chars, max(1, n_chars // _ASKED_CHARS))
    has_error = pypdfium2.raw.FPDFText_HasUnicodeMapError
    return sum(has_error(text_page, index) == 1 for index in asked), len(asked)


def _judge(out: Writer, n_pages: int, pictures: list[int], damaged: list[int], unmapped: float) -> None:
    if not n_pages:
        raise ExtractionError("CORRUPT", "the PDF has no pages")
    if len(damaged) == n_pages:
        raise ExtractionError("CORRUPT", "no page of the PDF can be loaded")
    if damaged:
        out.warn("PAGES_DAMAGED", f"pages that cannot be loaded: {_numbers(damaged)}")
    if not out.n_chars and pictures:
        detail = f"{len(pictures)} of {n_pages} pages are pictures and none has text: run the PDF through OCR"
        raise ExtractionError("SCANNED_NO_TEXT", detail)
    if pictures:
        out.warn("SCANNED_PAGES", f"pages that are pictures without text: {_numbers(pictures)}")
    if unmapped >= _REFUSED:
        detail = (
            f"{unmapped:.0%} of the characters have a font without a Unicode map: run the PDF through OCR"
        )
        raise ExtractionError("GARBLED", detail)
    if unmapped >= _WARNED:
        out.warn("GARBLED_IN_PART", f"{unmapped:.1%} of the characters have a font without a Unicode map")


def _numbers(pages: list[int]) -> str:
    shown = ", ".join(map(str, pages[:20]))
    return shown if len(pages) <= 20 else f"{shown} and {len(pages) - 20} more"


def _sections(document: Any, out: Writer, starts: list[int], pypdfium2: Any) -> None:
    """The outline: each entry where its title stands on its page, or where the page starts."""
    try:
        entries = list(document.get_toc(max_depth=10))
    except pypdfium2.PdfiumError:
        return
    for entry in entries[:10_000]:
        title, target = clean(entry.get_title()), entry.get_dest()
        page = target.get_index() if target is not None else None
        if title and page is not None and 0 <= page < len(starts):
            end = starts[page + 1] if page + 1 < len(starts) else out.n_chars
            out.section_at(title, entry.level + 1, out.find(title, starts[page], end))


def _attachments(document: Any, context: Context, out: Writer, pypdfium2: Any) -> Iterator[tuple[str, bytes]]:
    for index in range(document.count_attachments()):
        try:
            attachment = document.get_attachment(index)
            name, data = attachment.get_name(), bytes(ctypes.string_at(*_raw(attachment.get_data())))
        except (pypdfium2.PdfiumError, ValueError):
            out.warn("ATTACHMENT_DAMAGED", f"attachment {index + 1} cannot be read")
            continue
        context.budget.decompressed(len(data))
        yield name, data


def _raw(data: Any) -> tuple[Any, int]:
    return data, len(data)
