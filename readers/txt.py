"""Plain text: one document per file, with the path as its key. A .txt file is a table if fields are requested."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from readers import admission as checks
from readers import dialects, encodings, metadata
from readers.admission import Admits, T
from readers.decoding import decode
from readers.dialects import Dialect
from readers.file_facts import facts_of
from readers.files import DocumentFile
from readers.options import DEFAULT_KEY_FIELD, ReadOptions
from readers.records import BadRecord, Notice, RefusedError, shown
from readers.streams import Stream
from readers.tables import dialect_of, read_table, sample

#: A text looks like a table if this many lines have the same number of tabs.
_TABLE_LINES = 4
#: A full submission to EDGAR holds several documents, perhaps packed: an extraction reads it.
_SUBMISSION = (
    b"-----BEGIN PRIVACY-ENHANCED MESSAGE-----",
    b"<SEC-DOCUMENT>",
    b"<SUBMISSION>",
    b"<SEC-HEADER>",
)


def read_txt(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord | Notice]:
    """One document or report, or those of a table. Line ends become line feeds."""
    dialect = dialect_of(stream, file, options)
    if options.txt_tables == "always" or (options.names_fields and dialect.has_fields):
        yield from read_table(stream, file, options, admission)
        return
    if options.markup != "text" and stream.head().lstrip().startswith(_SUBMISSION):
        raise RefusedError(
            "WRONG_FORMAT",
            "it is a submission to EDGAR, which holds several documents: an extraction reads it",
        )
    for words in _words(stream, options, dialect):
        yield Notice(file.shown, words)
    try:
        data = stream.buffer.read(options.max_text_bytes + 1)
        if len(data) > options.max_text_bytes:
            raise checks.too_long(options.max_text_bytes)
        text = decode(data, stream, "file").replace("\r\n", "\n")
        facts = metadata.chosen(facts_of(file), (), options.meta_choice)
        yield admission.record(file.name, text, None, file.shown, facts)
    except RefusedError as refused:
        yield refused.at(file.shown, None, file.name)


def _words(stream: Stream, options: ReadOptions, dialect: Dialect) -> Iterator[str]:
    """Notices about a text that is read as one document."""
    if stream.found:
        yield f"read as {encodings.shown(stream.found)}"
    if options.names_fields:
        yield (
            f"read as one document: it does not start with a table that has a field {shown(options.text_field, 80)}, "
            "so the options for fields are not used"
        )
    elif dialect.delimiter == "\t" and dialects.is_even(sample(stream), dialect, _TABLE_LINES):
        names = [name for name in dialects.header(sample(stream), dialect) if name.strip()]
        others = [name for name in names if name != DEFAULT_KEY_FIELD] or names
        if others:
            yield (
                f"read as one document, but it looks like a table of {shown(', '.join(names[:20]), 200)}: "
                f"to read it as one, name the text, as in {options.text_option} {shown(shlex.quote(others[0]), 80)}"
            )
