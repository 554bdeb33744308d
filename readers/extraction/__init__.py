"""From a file as people have it (PDF, HWP, Word, HTML, mail, archive) to its text, or an error that says why not.

Knows file formats and limits. Knows nothing of the store, of jobs or of keys. The libraries that some formats
need come with `pip install 'docmill[files]'`; without them such a file is the error UNSUPPORTED.

A file never ends as a quiet empty text: it is an `Extraction` with text or members, or an `ExtractionError`.
"""

from readers.extraction.limits import Limits
from readers.extraction.read import EXTRACTOR_VERSION, extract
from readers.extraction.records import (
    Code,
    Extraction,
    ExtractionError,
    Figures,
    Member,
    Page,
    Parts,
    Section,
    Table,
    Warned,
)

__all__ = [
    "EXTRACTOR_VERSION",
    "Code",
    "Extraction",
    "ExtractionError",
    "Figures",
    "Limits",
    "Member",
    "Page",
    "Parts",
    "Section",
    "Table",
    "Warned",
    "extract",
]
