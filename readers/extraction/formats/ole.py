"""Compound files (OLE 2): which program wrote one, by its streams."""

from __future__ import annotations

from readers.extraction.context import Context
from readers.extraction.formats import hwp
from readers.extraction.records import ExtractionError
from readers.extraction.registry import missing
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_OTHERS = {
    "WordDocument": "it is a Word document of before 2007 (.doc): save it as DOCX",
    "Workbook": "it is an Excel workbook of before 2007 (.xls): save it as XLSX",
    "Book": "it is an Excel workbook of before 1997 (.xls): save it as XLSX",
    "PowerPoint Document": "it is a presentation of before 2007 (.ppt): save it as PPTX",
    "__properties_version1.0": "it is an Outlook message (.msg): save it as EML",
}


def read(source: Source, out: Writer, context: Context) -> None:
    """HWP 5, ENCRYPTED for Office files with a password, UNSUPPORTED for the others."""
    try:
        import olefile
    except ImportError:
        raise missing("olefile") from None
    with source.open() as stream:
        try:
            ole = olefile.OleFileIO(stream)
        except Exception as error:
            raise ExtractionError("CORRUPT", f"the compound file cannot be read: {error}") from error
        with ole:
            if ole.exists("FileHeader"):
                hwp.read(source, ole, out, context)
                return
            if ole.exists("EncryptedPackage"):
                raise ExtractionError("ENCRYPTED", "the Office file asks for a password: save it without one")
            found = next((text for name, text in _OTHERS.items() if ole.exists(name)), None)
    raise ExtractionError("UNSUPPORTED", found or "it is a compound file of an unknown program")
