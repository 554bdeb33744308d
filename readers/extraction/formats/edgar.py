"""A submission to EDGAR: the text of its first document; exhibits and pictures are members."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.formats import html
from readers.extraction.records import ExtractionError, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer
from readers.markup import looks_like_markup, plain

_DOCUMENT = re.compile(r"<DOCUMENT>(.*?)(?:</DOCUMENT>|\Z)", re.DOTALL)
_FIELD = re.compile(r"^<(TYPE|FILENAME|DESCRIPTION)>([^\r\n<]*)", re.MULTILINE)
_TEXT = re.compile(
    r"<TEXT>\s*(?:<(?:PDF|XBRL|XML|JSON)>\s*)?(.*?)(?:</(?:PDF|XBRL|XML|JSON)>\s*)?(?:</TEXT>|\Z)", re.DOTALL
)
_UUENCODED = re.compile(r"begin \d{3,4} \S")
_COMPANY = re.compile(r"^\s*COMPANY CONFORMED NAME:\s*(.+?)\s*$", re.MULTILINE)
_HTML = re.compile(r"<(?:html|body|div|p|table|font|br)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Filed:
    kind: str
    name: str
    body: str


def read(source: Source, out: Writer, context: Context) -> None:
    """The main document is the text. XBRL and pictures are members with an error, as they hold no prose."""
    text = decode(source.read())
    documents = [_filed(match[1]) for match in _DOCUMENT.finditer(text)]
    if not documents:
        raise ExtractionError("CORRUPT", "the submission has no <DOCUMENT>: it is cut, or only its header")
    if text.count("<DOCUMENT>") != text.count("</DOCUMENT>"):
        out.warn("TRUNCATED", "a <DOCUMENT> has no end: a part of the submission may be missing")
    main, *others = documents
    _read_body(main.body, out, context)
    company = _COMPANY.search(text, 0, 20_000)
    named = " ".join(filter(None, (company[1] if company else None, main.kind)))
    out.title = named or out.title
    out.members += [_member(filed, context) for filed in others]


def _filed(block: str) -> _Filed:
    body = _TEXT.search(block)
    fields = dict(_FIELD.findall(block[: body.start() if body else 2000]))
    kind = fields.get("TYPE", "").strip()
    return _Filed(kind, fields.get("FILENAME", "").strip() or kind, body[1] if body else "")


def _read_body(body: str, out: Writer, context: Context) -> None:
    if _HTML.search(body):
        html.whole(body, out, context.budget)
        return
    for block in re.split(r"\n\s*\n", plain(body) if looks_like_markup(body) else body):
        out.verbatim(block)


def _member(filed: _Filed, context: Context) -> Member:
    name = f"{filed.kind} {filed.name}" if filed.kind not in filed.name else filed.name
    try:
        data = _uudecoded(filed.body) if _UUENCODED.match(filed.body) else filed.body.encode()
    except binascii.Error as error:
        return Member(name, error=ExtractionError("CORRUPT", f"its uuencoded lines are damaged: {error}"))
    return context.member(Source(data, name))


def _uudecoded(body: str) -> bytes:
    collected = bytearray()
    for line in body.splitlines()[1:]:
        if line.strip() in ("end", "`", ""):
            continue
        try:
            collected += binascii.a2b_uu(line)
        except binascii.Error:  # blanks at the end of a line, or fewer than there should be
            n_bytes = (((ord(line[0]) - 32) & 63) * 4 + 5) // 3
            collected += binascii.a2b_uu(line[:n_bytes])
    return bytes(collected)
