"""The formats of a file with word vectors. Imports nothing heavy: the command line is built from it."""

from __future__ import annotations

from enum import StrEnum


class WordFormat(StrEnum):
    """The format of the file: word2vec's, or one of rows."""

    TXT = "txt"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    XLSX = "xlsx"
