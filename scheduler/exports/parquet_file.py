"""Parquet, by pyarrow: typed columns, compressed with zstd, a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from db.reading import Column, Row, Type
from scheduler.exports.writers import Notes, Options, Write, library

#: Rows, or about this many characters, of a row group: what is held in memory.
GROUP_ROWS, GROUP_CHARS = 50_000, 32_000_000


@contextmanager
def opened(
    path: Path | BinaryIO, columns: Sequence[Column], options: Options, notes: Notes
) -> Iterator[Write]:
    """A file with these columns. Decimals are doubles, since their number of digits is not known."""
    del options
    pa, pq = library("pyarrow", "Parquet"), library("pyarrow.parquet", "Parquet")
    types = {
        Type.BOOLEAN: pa.bool_(), Type.INTEGER: pa.int64(), Type.NUMBER: pa.float64(), Type.DECIMAL: pa.float64(),
        Type.TEXT: pa.string(), Type.TIME: pa.timestamp("us", tz="UTC"), Type.DATE: pa.date32(),
        Type.BYTES: pa.binary(),
    }  # fmt: skip
    schema = pa.schema([(column.name, types[column.type]) for column in columns])
    held: list[Row] = []
    texts = [place for place, column in enumerate(columns) if column.type in (Type.TEXT, Type.BYTES)]
    n_chars = 0

    def flush() -> None:
        nonlocal n_chars
        if held:
            arrays = [
                _array(pa, values, one) for values, one in zip(zip(*held, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            held.clear()
            n_chars = 0

    def write(rows: Sequence[Row]) -> None:
        nonlocal n_chars
        for row in rows:
            held.append(row)
            n_chars += sum(len(row[place] or "") for place in texts)
            if len(held) >= GROUP_ROWS or n_chars >= GROUP_CHARS:
                flush()

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield write
        flush()
    if any(column.type is Type.DECIMAL for column in columns):
        names = ", ".join(column.name for column in columns if column.type is Type.DECIMAL)
        notes.add("kinds of columns are written as doubles, which have 15 digits", names)


def _array(pa: Any, values: Sequence[Any], field: Any) -> Any:
    plain = [float(value) if isinstance(value, Decimal) else value for value in values]
    try:
        return pa.array(plain, type=field.type)
    except (pa.ArrowInvalid, OverflowError, pa.ArrowTypeError) as error:
        raise ValueError(f"column {field.name}: a value is no {field.type}: {error}") from None
