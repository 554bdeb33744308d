"""Parquet and Arrow files: a row is a record, and its columns are the fields. Rows are read in blocks, by row group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from readers.admission import Admits, T
from readers.files import DocumentFile
from readers.json_objects import Objects
from readers.options import ReadOptions
from readers.records import BadRecord, RefusedError, shown

#: Rows that are objects of Python at a time.
ROWS = 1_000
#: Called with the bytes of each block of rows before it becomes objects; what it raises ends the reading.
Counts: TypeAlias = Callable[[int], None]


def read_parquet(
    file: DocumentFile,
    options: ReadOptions,
    admission: Admits[T],
    data: bytes | None = None,
    counts: Counts = lambda n_bytes: None,  # noqa: ARG005
) -> Iterator[T | BadRecord]:
    """A document or a report for each row. With `data`, of these bytes, by one thread."""
    pyarrow = import_arrow()
    import pyarrow.parquet as parquet

    source = file.path if data is None else pyarrow.BufferReader(data)
    with _readable("Parquet"), parquet.ParquetFile(source) as opened:
        _check(opened.schema_arrow, options)
        columns = [name for name, type_ in _fields(opened.schema_arrow) if not is_binary(type_)]
        batches = opened.iter_batches(ROWS, columns=columns, use_threads=data is None)
        yield from _documents(batches, file, options, admission, counts)


def read_arrow(
    file: DocumentFile,
    options: ReadOptions,
    admission: Admits[T],
    data: bytes | None = None,
    counts: Counts = lambda n_bytes: None,  # noqa: ARG005
) -> Iterator[T | BadRecord]:
    """The same for an Arrow IPC file, which Feather is."""
    pyarrow = import_arrow()
    with (
        _readable("Arrow"),
        pyarrow.memory_map(str(file.path)) if data is None else pyarrow.BufferReader(data) as source,
    ):
        opened = pyarrow.ipc.open_file(source)
        _check(opened.schema, options)
        batches = (
            batch.slice(start, ROWS)
            for n in range(opened.num_record_batches)
            for batch in (opened.get_batch(n),)
            for start in range(0, batch.num_rows, ROWS)
        )
        yield from _documents(batches, file, options, admission, counts)


def import_arrow() -> Any:
    """pyarrow; RefusedError says how to install it."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        detail = "reading Parquet and Arrow needs pyarrow: pip install 'docmill[parquet]'"
        raise RefusedError("NOT_INSTALLED", detail) from None
    return pyarrow


def is_binary(type_: Any) -> bool:
    """Whether a column holds bytes, which are no field of a document."""
    return str(type_).startswith(("binary", "large_binary", "fixed_size_binary"))


def _fields(schema: Any) -> list[tuple[str, Any]]:
    return [(field.name, field.type) for field in schema]


def _check(schema: Any, options: ReadOptions) -> None:
    """One report for a file without the columns that were asked for, instead of one for each row."""
    names = [name for name, _ in _fields(schema)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RefusedError("BAD_HEADER", f"the file has the column {shown(twice, 80)} more than once")
    wanted = {"--text-field": options.text_field}
    if options.key_is_needed:
        wanted["--key-field"] = options.key_field
    for option, name in wanted.items():
        if name not in names and name.partition(".")[0].removesuffix("[]") not in names:
            there = ", ".join(shown(each, 40) for each in names[:20]) or "none"
            raise RefusedError(
                "BAD_HEADER",
                f"the file has no column {shown(name, 80)} (it has: {there}): name the right one with {option}",
            )


def _documents(
    batches: Iterator[Any], file: DocumentFile, options: ReadOptions, admission: Admits[T], counts: Counts
) -> Iterator[T | BadRecord]:
    objects = Objects(file, options)
    n_rows = 0
    for batch in batches:
        counts(batch.nbytes)
        for row in batch.to_pylist():
            n_rows += 1
            yield from objects.documents(row, n_rows, n_rows, admission)
    if not n_rows:
        yield RefusedError("EMPTY_FILE", "the file has no rows").at(file.shown)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """What pyarrow says of a damaged file becomes a report. Errors of the caller, which runs inside, are not caught."""
    pyarrow = import_arrow()
    try:
        yield
    except MemoryError:
        raise RefusedError("MEMORY", f"reading the {what} file needs more memory than there is") from None
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        said = shown(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, 200)
        raise RefusedError("CORRUPT", f"it is no sound {what} file: {said}") from None
