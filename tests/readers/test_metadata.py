"""Every other field of a record is kept as metadata, in whatever format; what cannot be kept is said."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readers import BadRecord, Notice, ReadOptions, Record, read
from readers.mappings import read_mappings
from readers.metadata import MAX_BYTES, MAX_DEPTH, as_json


def metas(path: Path, **options: Any) -> tuple[dict[str, Any], list[Notice], list[BadRecord]]:
    notices: list[Notice] = []
    found = list(read([path], ReadOptions(**options), notices.append))
    good = {record.key: record.meta for record in found if isinstance(record, Record)}
    return good, notices, [record for record in found if isinstance(record, BadRecord)]


def meta_of(record: Mapping[Any, Any]) -> tuple[Any, list[Notice]]:
    notices: list[Notice] = []
    [found] = read_mappings([{"id": "a", "text": "t", **record}], notice=notices.append)
    assert isinstance(found, Record), found
    return found.meta, notices


RECORD = {"id": "a", "text": "t", "label": "x", "회사": "삼성", "published": "2026-01-05", "n": 3, "ok": True}
KEPT = {"회사": "삼성", "published": "2026-01-05", "n": 3, "ok": True}


@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        ("a.jsonl", json.dumps(RECORD) + "\n", KEPT),
        ("a.json", json.dumps([RECORD], indent=2), KEPT),
        ("a.csv", "id,text,label,회사,n,empty\na,t,x,삼성,007,\n", {"회사": "삼성", "n": "007"}),
        ("a.tsv", "id\ttext\t회사\na\tt\t삼성\n", {"회사": "삼성"}),
    ],
)
def test_every_other_field_is_kept(tmp_path: Path, name: str, content: str, kept: dict[str, Any]) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert metas(tmp_path / name) == ({"a": kept}, [], [])
    assert metas(tmp_path / name, meta=False)[0] == {"a": None}
    assert metas(tmp_path / name, meta={"firm": "회사"})[0] == {"a": {"firm": "삼성"}}


def test_a_nested_text_is_cut_out_of_what_is_kept(tmp_path: Path) -> None:
    record = {
        "source": "corpus",
        "document": [
            {"id": f"d{i}", "metadata": {"year": 2000 + i}, "paragraph": [{"id": 1, "form": "long text"}]}
            for i in range(2)
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(record))
    fields = {"key_field": "document[].id", "text_field": "document[].paragraph[].form"}
    good, _, bad = metas(tmp_path / "a.json", **fields)
    assert not bad
    assert good["d1"] == {"source": "corpus", "metadata": {"year": 2001}, "paragraph": [{"id": 1}]}
    chosen = {"year": "document[].metadata.year", "source": "source"}
    assert metas(tmp_path / "a.json", **fields, meta=chosen)[0]["d1"] == {"year": 2001, "source": "corpus"}


def test_a_text_file_knows_its_path_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("some text")
    os.utime(path, (0, 86_400))
    facts = {"path": str(path.resolve()), "size": 9, "modified": "1970-01-02T00:00:00+00:00"}
    assert metas(path)[0] == {"a.txt": facts}
    assert metas(path, meta="date=modified")[0] == {"a.txt": {"date": facts["modified"]}}


def test_a_column_that_is_chosen_and_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text,n\na,t,1\n")
    _, _, [bad] = metas(tmp_path / "a.csv", meta=["m"])
    assert "no field m for --meta (it has: id, text, n)" in bad.detail


@pytest.mark.parametrize("wrong", ["a,,b", ["a", "a"], "=x", {"a": ""}])
def test_a_choice_that_means_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="metadata"):
        ReadOptions(meta=wrong)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (np.datetime64("NaT"), None),
        (-0.0, 0.0),
        (1e17, 10**17),
        (2**63 - 1, 2**63 - 1),
        (2**64, "18446744073709551616"),
        (Decimal("1.50"), 1.5),
        (Decimal("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827"),
        (date(2026, 1, 5), "2026-01-05"),
        (datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=9))), "2026-01-05T09:00:00+09:00"),
        (np.datetime64("2026-01-05T09:00:00.000000000"), "2026-01-05T09:00:00"),
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        ({"b", "a"}, ["a", "b"]),
        ((1, None, "x"), [1, None, "x"]),
        ({"deep": {"nothing": None, 5: "five"}}, {"deep": {"5": "five"}}),
        ("nul\0 and half \ud800", "nul and half \ufffd"),
        ("e\u0301", "é"),
    ],
)
def test_an_odd_value_is_kept_as_json(value: Any, kept: Any) -> None:
    meta, notices = meta_of({"x": value})
    assert (meta, notices) == ({} if kept is None else {"x": kept}, [])
    assert type(meta.get("x")) is type(kept)


def nested(depth: int) -> Any:
    return [] if depth == 1 else [nested(depth - 1)]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("x", b"bytes", "binary data"),
        ("x", object(), "of the type object"),
        ("x", nested(MAX_DEPTH + 1), "nested more than"),
        pytest.param("x", 10**5000, "too many digits", id="digits"),
        pytest.param(10**5000, 1, "no name", id="name of digits"),
        ("x", "한" * (MAX_BYTES // 3), "64 KB"),
        ("n" * 500, 1, "200 characters"),
        (" ", 1, "no name"),
    ],
)
def test_what_cannot_be_kept_is_left_out_and_said(name: Any, value: Any, why: str) -> None:
    meta, [notice] = meta_of({name: value, "other": "stays"})
    assert meta == {"other": "stays"}
    assert why in notice.detail
    assert "1 document (line 1)" in notice.detail


def test_the_largest_fields_are_left_out_until_the_rest_fits() -> None:
    meta, notices = meta_of({"large": "x" * 40_000, "larger": "x" * 50_000, "small": 1})
    assert set(meta) == {"large", "small"}
    assert len(as_json(meta)) <= MAX_BYTES
    assert len(notices) == 1
    assert "larger" in notices[0].detail


def test_notices_are_counted_by_field_and_are_few() -> None:
    notices: list[Notice] = []
    records = [{"id": i, "text": "t", "x": b"", f"y{i}": b""} for i in range(300)]
    assert len(list(read_mappings(records, notice=notices.append))) == 300
    assert "field x was left out of the metadata of 300 documents (first: line 1)" in notices[0].detail
    assert len(notices) == 101
    assert "201 more times" in notices[-1].detail
