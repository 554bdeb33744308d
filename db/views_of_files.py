"""Views of files: what came of each, and the pages, headings and tables of their texts."""

from __future__ import annotations

from collections.abc import Mapping

from db.view import DOCUMENT, View

#: The files of which documents are made, each with what came of it last. A file of which nothing came yet is waiting.
_EXTRACTIONS = """
SELECT c.name AS collection, d.key AS document_key, d.version AS document_version, d.source AS path,
       d.body_chars AS n_bytes, COALESCE(o.state, 'waiting') AS state, o.error_code, o.error_detail,
       r.title, r.language, r.media_type, r.parser, r.extractor, r.n_documents, r.n_pages, r.n_chars,
       r.share_non_letters, r.n_replaced, r.n_tables_left_out, r.n_chars_left_out, r.n_warnings, r.warnings,
       o.job_id, d.id AS document_id, o.written_at
FROM document d JOIN collection files ON files.id = d.collection_id JOIN collection c ON c.id = files.files_of_id
LEFT JOIN outcome o ON o.document_id = d.id
                   AND o.job_id = (SELECT MAX(l.job_id) FROM outcome l WHERE l.document_id = d.id)
LEFT JOIN extraction r ON r.job_id = o.job_id AND r.document_id = d.id
WHERE d.is_latest
"""

#: The parts of the texts of files, from each file's last extraction.
_PART_OF_TEXT = """
FROM document d JOIN collection files ON files.id = d.collection_id JOIN collection c ON c.id = files.files_of_id
JOIN extraction_text t ON t.document_id = d.id
                      AND t.job_id = (SELECT MAX(l.job_id) FROM outcome l WHERE l.document_id = d.id)
JOIN {table} x ON x.job_id = t.job_id AND x.document_id = t.document_id AND x.text_rank = t.rank
WHERE d.is_latest
"""


def _part(table: str, columns: str) -> str:
    shown = f"c.name AS collection, t.text_key AS document_key, {columns}, d.key AS file_key"
    return f"SELECT {shown}, t.job_id, d.id AS document_id" + _PART_OF_TEXT.format(table=table)


_PAGES = _part(
    "extraction_page", "x.page, x.start_char, x.n_chars, x.share_non_letters, x.n_replaced, x.n_tables"
)
_SECTIONS = _part("extraction_section", "x.rank, x.level, x.title, x.start_char")
_TABLES = _part(
    "extraction_table", "x.rank, x.page, x.start_char, x.in_text, x.n_rows, x.n_columns, x.n_chars"
)
_TABLE_ROWS = _part("extraction_table_row", "x.table_rank, x.line, x.cells")

_FILE = {
    "file_key": "key of the file that the text came from",
    "job_id": "the extract job",
    "document_id": "the file's own row (`document.id`)",
}

FILE_VIEWS: Mapping[str, View] = {
    "v_extractions": View(
        about="Every [file](files.md) of which documents are made, and its last outcome.",
        query=_EXTRACTIONS,
        columns={
            "collection": "name of the collection that its documents belong to",
            "document_key": "the file's key: its path relative to what was added",
            "document_version": "number of this version of the file; the first one is 1",
            "path": "where the file was when it was added",
            "n_bytes": "its size in bytes",
            "state": "`ok`, `error`, or `waiting` if it has no outcome yet",
            "error_code": "what went wrong; see [Files](files.md)",
            "error_detail": "what was seen, in a sentence",
            "title": "title of the document",
            "language": "`ko`, `en` or another language that was found",
            "media_type": "type of the file by its content",
            "parser": "library or reader that read it, with its version",
            "extractor": "version of docmill's extractor",
            "n_documents": "number of texts that became documents; the figures below are sums over them",
            "n_pages": "number of pages",
            "n_chars": "number of characters",
            "share_non_letters": "share of the characters that are no letters",
            "n_replaced": "number of characters that stand for lost ones",
            "n_tables_left_out": "number of tables that are not in the text",
            "n_chars_left_out": "number of characters in these tables",
            "n_warnings": "number of warnings",
            "warnings": "the warnings, in words; NULL if none",
            "job_id": "the extract job",
            "document_id": "the file's own row (`document.id`)",
            "written_at": "when the outcome was recorded",
        },
        notes="Table `extraction_text` has each text, `extraction_warning` each warning.",
    ),
    "v_pages": View(
        about="Every page, slide or sheet of the texts of files.",
        query=_PAGES,
        columns=DOCUMENT
        | {
            "page": "number of the page, from 1",
            "start_char": "where it starts in the document's text, from 0",
            "n_chars": "number of characters",
            "share_non_letters": "share of the characters that are no letters",
            "n_replaced": "number of characters that stand for lost ones",
            "n_tables": "number of tables on it",
        }
        | _FILE,
        notes="A page with 0 characters is blank, a picture or damaged; the file's warnings say which.",
    ),
    "v_sections": View(
        about="Every heading in the texts of files.",
        query=_SECTIONS,
        columns=DOCUMENT
        | {
            "rank": "number of the heading in its text, from 1",
            "level": "1 is the highest",
            "title": "the heading",
            "start_char": "where it starts in the document's text, from 0",
        }
        | _FILE,
    ),
    "v_tables": View(
        about="Every table in the texts of files.",
        query=_TABLES,
        columns=DOCUMENT
        | {
            "rank": "number of the table in its text, from 1",
            "page": "page on which it stands; NULL for a text without pages",
            "start_char": "the place in the document's text before which it stands, from 0",
            "in_text": "whether its rows are lines of the text",
            "n_rows": "number of rows",
            "n_columns": "number of cells of its longest row",
            "n_chars": "number of characters in its cells",
        }
        | _FILE,
    ),
    "v_table_rows": View(
        about="Every row of the tables that are not in the text.",
        query=_TABLE_ROWS,
        columns=DOCUMENT
        | {
            "table_rank": "number of the table in its text (`rank` in v_tables)",
            "line": "number of the row in its table, from 1",
            "cells": "the cells, a JSON array of texts",
        }
        | _FILE,
    ),
}
