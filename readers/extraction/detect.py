"""What a file is, from its bytes: never from its name. Reads no text and calls no parser."""

from __future__ import annotations

import re

from readers.extraction.encoded import decode
from readers.extraction.limits import Budget
from readers.extraction.package import Package
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source

PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.file"
_HEAD_BYTES = 64 * 1024
#: Formats by their first bytes.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"{\\rtf", "application/rtf"),
    (b"WARC/", "application/warc"),
    (b"HWP Document File V", "application/x-hwp3"),
    (b"PAR1", PARQUET),
    (b"ARROW1", ARROW),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!", "application/vnd.rar"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-executable"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"%!PS", "application/postscript"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DART_NAME = re.compile(r"(?:.*/)?\d{14}(?:_\d{5})?\.xml", re.IGNORECASE)
_CONTROL = re.compile("[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_MAIL_HEADER = re.compile(
    r"(?:(?!From )[A-Za-z][A-Za-z0-9-]{1,60}:[ \t].*\r?\n(?:[ \t]+.*\r?\n)*){2,}", re.MULTILINE
)
_MAIL_FIELDS = re.compile(
    r"^(?:From|To|Subject|Date|Received|Message-ID|MIME-Version|Return-Path|Delivered-To|Reply-To):",
    re.MULTILINE | re.IGNORECASE,
)
_HTML = re.compile(
    r"<(?:!doctype\s+html|html|head|body|title|meta|div|p|table|br|span|font|a\s|h[1-6])\b", re.IGNORECASE
)
#: What begins so is a page, whatever is wrong with the rest.
_PAGE = re.compile(r"<(?:!doctype\s+html|html)\b[^<]*<", re.IGNORECASE)
_MARKDOWN = re.compile(
    r"^(?:#{1,6} \S|\s*[-*] \S|```|\|.*\|\s*$|>\s)|\[[^\]\n]+\]\([^)\s]+\)|\*\*[^*\n]+\*\*", re.MULTILINE
)
#: Of Office's parts in a ZIP archive: the main one names the format.
_PARTS = (
    ("word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("ppt/presentation.xml", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("META-INF/container.xml", "application/epub+zip"),
    ("Contents/content.hpf", "application/hwp+zip"),
    ("Contents/section0.xml", "application/hwp+zip"),
)
_MIMETYPES = (
    "application/hwp+zip",
    "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.spreadsheet",
)

DOCX, PPTX, XLSX = (media_type for _, media_type in _PARTS[:3])
HWPX, EPUB, ODT = _MIMETYPES[:3]
DART_ZIP = "application/x-dart+zip"


def media_type(source: Source, budget: Budget) -> str:
    """The media type. CORRUPT for a ZIP archive or a compound file that cannot be listed."""
    head = source.head(_HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _of_package(source, budget)
    if head.startswith(_OLE):
        return "application/x-ole-storage"
    if head[257:262] == b"ustar":
        return "application/x-tar"
    # After the archives: one without compression may begin with a PDF.
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    for magic, found in _MAGIC:
        if head.startswith(magic) and not (len(magic) == 2 and head.isascii() and magic.isalpha()):
            return found
    if head[:4] == b"RIFF" or head[4:8] == b"ftyp":
        return "application/x-media"
    return _of_text(head, source.size > len(head))


def _of_package(source: Source, budget: Budget) -> str:
    with Package(source, budget) as package:
        if "mimetype" in package:
            try:
                named = b"".join(package.blocks("mimetype"))[:200].decode("ascii", "replace").strip()
            except ExtractionError:
                named = ""
            if named in _MIMETYPES:
                return named
        for part, found in _PARTS:
            if part in package:
                return found
        names = package.names
        if names and all(map(_DART_NAME.fullmatch, names)):
            return DART_ZIP
    return "application/zip"


def _of_text(head: bytes, is_cut: bool) -> str:
    if not head.strip(b"\0 \t\r\n"):
        return "text/plain"
    if is_cut:
        head = head[: head.rfind(b"\n") + 1] or head
    text = decode(head).lstrip("\ufeff \t\r\n")
    if _is_binary(text):
        return "application/octet-stream"
    if text.startswith(
        ("-----BEGIN PRIVACY-ENHANCED MESSAGE-----", "<SEC-DOCUMENT>", "<SUBMISSION>", "<SEC-HEADER>")
    ) or (text.startswith("<DOCUMENT>") and "<TYPE>" in text[:200]):
        return "text/x-edgar-submission"
    if "<DOCUMENT-NAME" in text and "ACODE=" in text[:4000]:
        return "text/x-dart+xml"
    if text.startswith("From ") and _MAIL_FIELDS.search(text.partition("\n")[2][:4000]):
        return "application/mbox"
    if (header := _MAIL_HEADER.match(text)) and len(
        set(map(str.lower, _MAIL_FIELDS.findall(header[0])))
    ) >= 2:
        return "message/rfc822"
    return _of_markup(text)


def _of_markup(text: str) -> str:
    from readers.markup import looks_like_markup

    if text.startswith("<?xml") and not _HTML.search(text[:4000]):
        return "application/xml"
    if _PAGE.match(text) or (_HTML.search(text) and looks_like_markup(text)):
        return "text/html"
    lines = text.count("\n") + 1
    found = _MARKDOWN.findall(text)
    if len(found) >= max(2, lines // 40) and re.search(r"^#{1,6} \S|^```|\]\(|\*\*", text, re.MULTILINE):
        return "text/markdown"
    return "text/plain"


def _is_binary(text: str) -> bool:
    """Whether control characters or lost ones show that it is no text."""
    return len(_CONTROL.findall(text)) > 0.01 * len(text) or text.count("\ufffd") > 0.3 * len(text)
