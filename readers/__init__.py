"""From paths to documents: every text that can be stored, and a report of every one that cannot.

Knows files, encodings, JSON and tables, and which characters a document may hold. Knows nothing of the
store. Standard library only; memory is bounded by `ReadOptions.max_line_bytes`, whatever the files hold.
PDF, HWP, Office files, mails and archives are for `readers.extraction`.
"""

from readers.options import ReadOptions
from readers.reading import read
from readers.records import BadRecord, Notice, Record

__all__ = ["BadRecord", "Notice", "ReadOptions", "Record", "read"]
