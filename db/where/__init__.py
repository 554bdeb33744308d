"""Selections of documents, as people write them: `published >= '2026-01-01' and company = 'X'`.

    syntax.py     text to a tree, with the place of an error
    typed_texts   (db) texts as numbers and times
    operands.py   a field of the metadata, or a built-in one, as SQL
    compiling.py  the tree as a condition on `document`
    fields.py     which fields there are

A small part of SQL, with the same result on SQLite and PostgreSQL. docs/metadata.md says what it means.
"""

from __future__ import annotations

from db.where.compiling import condition as where
from db.where.fields import check as check_fields
from db.where.syntax import parse

__all__ = ["check_fields", "parse", "where"]
