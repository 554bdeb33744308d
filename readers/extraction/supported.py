"""Which files are worth extracting: by their content, or because a person says by the name that they are documents.
Reads no text."""

from __future__ import annotations

from pathlib import Path

from readers.extraction import detect, registry
from readers.extraction.limits import Budget, Limits
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.files import FORMATS

#: A file called so is a document, whatever is in it: what cannot be read of it is an outcome, and no silence.
ENDINGS = (
    ".pdf", ".hwp", ".hwpx", ".doc", ".docx", ".ppt", ".pptx", ".xls", ".xlsx", ".odt", ".rtf", ".epub", ".md",
    ".markdown", ".html", ".htm", ".xhtml", ".eml", ".mbox", ".zip", ".tar", ".tgz", ".warc",
)  # fmt: skip
#: Nothing in such a file says that it is a document: a script, a log and a licence look the same.
_ANY_TEXT = ("text/plain", "text/markdown")
_COMPRESSED = ("application/gzip", "application/x-bzip2", "application/x-xz")


def supported(path: Path) -> str | None:
    """The media type of a file that an extraction is to see; None for any other. OSError if it cannot be read."""
    return _supported(Source.of(path, None), path.suffix.lower())


def supported_head(head: bytes) -> str | None:
    """The same from the first bytes of a file whose name says nothing."""
    return _supported(Source.of(head, None), "")


def is_named_document(name: str) -> bool:
    """Whether a file is a document by its name alone."""
    return name.lower().endswith(ENDINGS)


def _supported(source: Source, ending: str) -> str | None:
    try:
        media_type = detect.media_type(source, Budget(Limits()))
        if ending not in ENDINGS:
            registry.reader(media_type)
    except ExtractionError as error:
        # A container that cannot be listed is a document all the same; what nothing reads is none.
        return None if error.code == "UNSUPPORTED" else "application/octet-stream"
    if ending in ENDINGS:
        return media_type
    is_odd = media_type in _ANY_TEXT or (media_type in _COMPRESSED and ending in FORMATS)
    return None if is_odd else media_type
