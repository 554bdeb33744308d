"""Parquet and Arrow files, and records that Python has: DataFrames, tables, generators."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from readers import BadRecord, ReadOptions, Record, frames, read
from readers.mappings import read_mappings

ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "text": "첫째 글",
        "label": "x",
        "n": 1,
        "price": Decimal("2.50"),
        "day": dt.date(2026, 1, 2),
    },
    {"id": "b", "text": "second", "label": None, "n": None, "price": None, "day": None},
    {"id": "c", "text": None, "label": "y", "n": 3, "price": Decimal(7), "day": dt.date(2026, 1, 3)},
]
META = [{"n": 1, "price": 2.5, "day": "2026-01-02"}, {}]


def written(path: Path, rows: list[dict[str, Any]] = ROWS, **how: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, **how)
    return path


def records(found: Any) -> list[Record]:
    return [each for each in found if isinstance(each, Record)]


def reports(found: Any) -> list[str]:
    return [str(each) for each in found if isinstance(each, BadRecord)]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "part-0000", "a.csv", "a.txt"])
def test_rows_are_records_whatever_the_name_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in ("a.arrow", "a.feather"):
        feather.write_feather(pa.Table.from_pylist(ROWS), path, compression="zstd")
    else:
        written(path)

    found = list(read([path]))

    assert [(each.key, each.text, each.label) for each in records(found)] == [
        ("a", "첫째 글", "x"),
        ("b", "second", None),
    ]
    assert [each.meta for each in records(found)] == META
    assert reports(found) == [f"{path}:3: TEXT_TYPE: the text must be a string, not null (key c)"]


def test_columns_are_chosen_by_path(tmp_path: Path) -> None:
    rows = [{"head": {"no": 7}, "body": {"parts": [{"form": "one"}, {"form": "two"}]}, "blob": b"\0"}]
    options = ReadOptions(key_field="head.no", text_field="body.parts[].form", label_field="head.none")

    [record] = records(read([written(tmp_path / "a.parquet", rows)], options))

    assert (record.key, record.text, record.meta) == ("7", "one\ntwo", {})


def test_without_a_key_column_rows_are_numbered(tmp_path: Path) -> None:
    found = read([written(tmp_path / "a.parquet", [{"text": "x"}, {"text": "y"}])])

    assert [each.key for each in records(found)] == ["a.parquet#1", "a.parquet#2"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "CORRUPT: it is no sound Parquet file"),
        (lambda data: data[:200] + b"\xff" * 50 + data[250:], "CORRUPT: it is no sound Parquet file"),
        (lambda _: b"PAR1", "CORRUPT: it is no sound Parquet file"),
    ],
)
def test_a_damaged_file_is_a_report(tmp_path: Path, damage: Callable[[bytes], bytes], said: str) -> None:
    path = written(tmp_path / "a.parquet", [{"id": str(n), "text": f"text {n}" * 9} for n in range(500)])
    path.write_bytes(damage(path.read_bytes()))

    assert any(said in each for each in reports(read([path])))


def test_a_missing_column_is_one_report_that_names_those_that_are_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", [{"id": "1", "body": "x"}, {"id": "2", "body": "y"}])

    [said] = reports(read([path]))

    assert "no column text (it has: id, body): name the right one with --text-field" in said
    assert len(records(read([path], ReadOptions(text_field="body")))) == 2


def test_row_groups_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows are not a million objects."""
    path = written(
        tmp_path / "a.parquet", [{"id": str(n), "text": "t"} for n in range(5_000)], row_group_size=500
    )
    before = pa.total_allocated_bytes()

    for n, _ in enumerate(read([path])):
        if n == 4_000:
            assert pa.total_allocated_bytes() - before < 1_000_000


def test_without_pyarrow_the_report_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = written(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    [said] = reports(read([path]))

    assert "pip install 'docmill[parquet]'" in said


# --- from Python ----------------------------------------------------------------------------------------------


class Capsule:
    """What another library passes on: nothing but a stream of Arrow data."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def of_pandas() -> Any:
    frame = pd.DataFrame(ROWS[:2])
    frame["day"] = pd.to_datetime(frame["day"]).dt.date
    return frame


HOLDERS: dict[str, Callable[[], Any]] = {
    "list": lambda: ROWS[:2],
    "generator": lambda: (row for row in ROWS[:2]),
    "pandas": of_pandas,
    "polars": lambda: pl.DataFrame(ROWS[:2]),
    "polars, lazy": lambda: pl.LazyFrame(ROWS[:2]),
    "table": lambda: pa.Table.from_pylist(ROWS[:2]),
    "batch": lambda: pa.RecordBatch.from_pylist(ROWS[:2]),
    "reader": lambda: pa.Table.from_pylist(ROWS[:2]).to_reader(),
    "capsule": lambda: Capsule(pa.Table.from_pylist(ROWS[:2])),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_whatever_holds_rows_gives_the_same_records(name: str) -> None:
    found = list(read_mappings(HOLDERS[name]()))

    assert not reports(found)
    assert [(each.key, each.text, each.label, each.meta) for each in records(found)] == [
        ("a", "첫째 글", "x", META[0]),
        ("b", "second", None, META[1]),
    ]


def test_missing_values_of_pandas_are_missing() -> None:
    frame = pd.DataFrame(
        {
            "id": pd.array([1, 2, None], dtype="Int64"),
            "text": ["one", float("nan"), "three"],
            "label": pd.Categorical(["x", None, "y"]),
            "at": pd.to_datetime(["2026-01-02", None, None]),
        }
    )

    found = list(read_mappings(frame))

    assert [(each.key, each.label, each.meta) for each in records(found)] == [
        ("1", "x", {"at": "2026-01-02T00:00:00"})
    ]
    assert [each.split(": ")[1] for each in reports(found)] == ["TEXT_TYPE", "KEY_TYPE"]


def test_keys_of_other_types_are_texts() -> None:
    rows = [
        {"id": UUID(int=1), "text": "a"},
        {"id": Decimal(2), "text": "b"},
        {"id": dt.date(2026, 1, 1), "text": "c"},
    ]

    assert [each.key for each in records(read_mappings(rows))] == [str(UUID(int=1)), "2", "2026-01-01"]


def test_a_generator_is_read_as_far_as_it_is_needed() -> None:
    read_so_far = []

    def endless() -> Iterator[dict[str, Any]]:
        n = 0
        while True:
            n += 1
            read_so_far.append(n)
            yield {"id": n, "text": "x"}

    found = read_mappings(endless())

    assert [next(found).key for _ in range(3)] == ["1", "2", "3"]  # type: ignore[union-attr]
    assert len(read_so_far) == 3


@pytest.mark.parametrize("wrong", [{"id": "a", "text": "b"}, "text", b"bytes", 5, None])
def test_what_holds_no_rows_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(ValueError, match="records must be an iterable of dictionaries"):
        frames.mappings(wrong)
