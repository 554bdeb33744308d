"""A filing as DART hands it out: a ZIP archive with the report and, beside it, the auditors' reports."""

from __future__ import annotations

import re

from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.formats import dart
from readers.extraction.package import Package
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_ATTACHED = re.compile(r"_\d{5}\.xml$", re.IGNORECASE)
_AUDIT = re.compile(r"감\s*사\s*보\s*고\s*서|검\s*토\s*보\s*고\s*서")
_HEAD_BYTES = 8192


def read(source: Source, out: Writer, context: Context) -> None:
    """The text is the report's; the other documents are members."""
    with Package(source, context.budget) as package:
        names = sorted(package.names, key=lambda name: (_ATTACHED.search(name) is not None, name))
        main = next((name for name in names if not _is_audit(package, name)), names[0])
        if _ATTACHED.search(main) or _is_audit(package, main):
            out.warn("ATTACHMENT_ONLY", f"the archive has no report without a suffix: the text is {main}")
        dart.read(Source(package.read(main), main), out, context)
        for name in names:
            if name == main:
                continue
            try:
                data = package.read(name)
            except ExtractionError as error:
                out.warn("MEMBER_DAMAGED", f"{name}: {error}")
                continue
            out.members.append(context.member(Source(data, name)))


def _is_audit(package: Package, name: str) -> bool:
    """Whether it is an auditors' report, by what the document calls itself."""
    try:
        head = next(package.blocks(name), b"")[:_HEAD_BYTES]
        return _AUDIT.search(dart.document_name(decode(head))) is not None
    except ExtractionError:
        return _ATTACHED.search(name) is not None
