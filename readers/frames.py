"""Records from whatever holds some: dictionaries, a DataFrame of pandas or polars, an Arrow table. Requires none of
these packages: each is known by what it can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

#: Rows that are dictionaries at a time.
_ROWS = 1_000
#: Anything with `__arrow_c_stream__`, a DataFrame, or an iterable of mappings.
Records: TypeAlias = Any


def mappings(records: Records) -> Iterator[Mapping[str, Any]]:
    """One dictionary for each row. ValueError for what holds no rows."""
    if isinstance(records, str | bytes | Mapping) or not _holds_rows(records):
        what = (
            "a single dictionary"
            if isinstance(records, Mapping)
            else f"an object of type {type(records).__name__}"
        )
        raise ValueError(
            f"records must be an iterable of dictionaries, a DataFrame or an Arrow table, not {what}; "
            "for one record write [{...}], for files use Client.add"
        )
    return _rows(records)


def _holds_rows(records: Records) -> bool:
    names = ("__iter__", "iloc", "iter_rows", "collect", "to_batches", "to_pylist", "__arrow_c_stream__")
    return any(hasattr(records, name) for name in names)


def _rows(records: Records) -> Iterator[Mapping[str, Any]]:
    if hasattr(records, "iloc") and hasattr(records, "columns"):  # pandas
        names = list(records.columns)
        for start in range(0, len(records), _ROWS):
            part = records.iloc[start : start + _ROWS]
            for row in part.itertuples(index=False, name=None):
                yield dict(zip(names, row, strict=True))
    elif hasattr(records, "collect_schema") and hasattr(
        records, "collect"
    ):  # polars: a lazy one, and one that is not
        yield from _rows(records.collect())
    elif hasattr(records, "iter_rows"):
        yield from records.iter_rows(named=True, buffer_size=_ROWS)
    elif hasattr(records, "to_batches"):
        yield from _of_batches(records.to_batches())
    elif hasattr(records, "to_pylist") and hasattr(records, "schema"):
        yield from _of_batches([records])
    elif hasattr(records, "read_next_batch"):
        yield from _of_batches(records)
    elif hasattr(records, "__arrow_c_stream__"):
        yield from _rows(_imported(records))
    else:
        yield from records


def _of_batches(batches: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            yield from batch.slice(start, _ROWS).to_pylist()


def _imported(records: Records) -> Any:
    """A stream of Arrow data from another package, read by pyarrow or polars."""
    try:
        import pyarrow

        return pyarrow.RecordBatchReader.from_stream(records)
    except ImportError:
        pass
    try:
        import polars

        return polars.DataFrame(records)
    except ImportError:
        raise ValueError(
            f"a {type(records).__name__} needs pyarrow to be read: pip install 'docmill[parquet]'"
        ) from None
