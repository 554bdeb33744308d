"""One JSON object a line, in UTF-8. Numbers that JSON does not have (NaN, infinity) become null."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from db.reading import Column, Row, Type
from scheduler.cells import decimal_text, plain_text
from scheduler.exports.writers import Notes, Options, Write, text_file

#: Line ends that other programs may take for the end of a record.
_LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029]")


@contextmanager
def opened(path: Path, columns: Sequence[Column], options: Options, notes: Notes) -> Iterator[Write]:
    """A line for each row."""
    del options
    names = [json.dumps(column.name, ensure_ascii=False) for column in columns]
    checked = [place for place, column in enumerate(columns) if column.type is Type.NUMBER]
    n_rows = 0

    def line(row: Row) -> str:
        nonlocal n_rows
        n_rows += 1
        for place in checked:
            if row[place] is not None and not math.isfinite(row[place]):
                notes.add("numbers that JSON does not have are null", f"row {n_rows}, {columns[place].name}")
        inside = ", ".join(f"{name}: {_json(value)}" for name, value in zip(names, row, strict=True))
        return f"{{{inside}}}\n"

    with text_file(path, "utf-8") as write:
        yield lambda rows: write("".join(map(line, rows)))


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value) if value.is_finite() else "null"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    text = json.dumps(plain_text(value), ensure_ascii=False)
    return _LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
