"""Which module reads which format: a line for each. A module is imported when a file needs it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, metadata

from readers.extraction import detect
from readers.extraction.context import Context
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer

Reader = Callable[[Source, Writer, Context], None]

_READERS = {
    "application/pdf": "pdf",
    "application/x-ole-storage": "ole",
    detect.HWPX: "hwpx",
    detect.DOCX: "docx",
    detect.PPTX: "pptx",
    detect.XLSX: "xlsx",
    detect.ODT: "odt",
    detect.EPUB: "epub",
    "text/html": "html",
    "application/xml": "html",
    "text/x-dart+xml": "dart",
    detect.DART_ZIP: "dart_zip",
    "text/x-edgar-submission": "edgar",
    "message/rfc822": "mail",
    "application/mbox": "mbox",
    "text/markdown": "markdown",
    "text/plain": "plain",
    "application/rtf": "rtf",
    "application/zip": "zip",
    "application/x-tar": "tar",
    "application/gzip": "compressed",
    "application/x-bzip2": "compressed",
    "application/x-xz": "compressed",
    "application/warc": "warc",
}
_REFUSED = {
    "application/x-hwp3": "it is a document of HWP 3 (before 2000): save it as HWPX in Hancom Office",
    detect.PARQUET: "it is a Parquet file: `docmill add` it by itself, or inside a ZIP or TAR archive",
    detect.ARROW: "it is an Arrow file: `docmill add` it by itself, or inside a ZIP or TAR archive",
    "application/x-7z-compressed": "it is a 7z archive: pack it as ZIP or TAR",
    "application/vnd.rar": "it is a RAR archive: pack it as ZIP or TAR",
    "application/postscript": "it is PostScript: convert it to PDF",
    "application/octet-stream": "its bytes are no format that is known here, and no text",
    "application/vnd.oasis.opendocument.presentation": "it is an OpenDocument presentation: save it as PPTX or PDF",
    "application/vnd.oasis.opendocument.spreadsheet": "it is an OpenDocument spreadsheet: save it as XLSX",
}


def reader(media_type: str) -> Reader:
    """What reads a format, or UNSUPPORTED with what to do."""
    if media_type in _READERS:
        module = import_module(f"readers.extraction.formats.{_READERS[media_type]}")
        found: Reader = module.read
        return found
    if media_type.startswith("image/"):
        detail = f"it is an image ({media_type}): run it through OCR and add the text"
    else:
        detail = _REFUSED.get(media_type, f"it is no document but {media_type}")
    raise ExtractionError("UNSUPPORTED", detail)


def missing(library: str) -> ExtractionError:
    """The error for a library that is not installed."""
    return ExtractionError("UNSUPPORTED", f"{library} is not installed: pip install 'docmill[files]'")


def library_version(name: str) -> str:
    """A library with its version, as the figures show it."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name
