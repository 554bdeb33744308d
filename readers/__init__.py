"""From files to documents: yields every text that can be stored, and a report of every one that cannot.

Knows files, encodings, formats, and which characters a document may contain. Knows nothing of the store. Uses the
standard library only. Memory is bounded by `ReadOptions.max_line_bytes`, whatever the content of the files.

    reading.py              the entry: paths in, documents and reports out; which reader reads which format
    options.py, records.py  what a user may ask for; documents, reports and notices
    files.py                which files there are
    streams.py              open files as bytes: gzip, UTF-16, line ends
    encodings.py, decoding.py   finding an encoding; bytes to text
    jsonl.py, json_values.py, json_objects.py, field_paths.py   JSON
    tables.py, table_rows.py, dialects.py, lines.py   CSV and TSV
    txt.py                  plain text
    admission.py            which keys, texts and labels may be stored
    normalization.py        Unicode NFC
    label_files.py, label_text.py   labels in files, and a label as text
    watch.py                which file is being read, for whoever shows it
    markup.py, markup_notices.py    HTML and XML in texts

`extraction` reads office files, PDF, HTML, mail and archives; docs/extraction.md says what it finds.
"""

from readers.options import ReadOptions
from readers.reading import read
from readers.records import BadRecord, Notice, Record

__all__ = ["BadRecord", "Notice", "ReadOptions", "Record", "read"]
