"""Results as frames: the types are those of the table, with rows and without; what is missing is said."""

from __future__ import annotations

import sys
from typing import Any

import pandas
import polars
import pyarrow
import pytest

from docmill import Client
from docmill.client import frames
from docmill.client.frames import Column
from docmill.errors import InvalidRequestError, MissingPackageError
from tests.client.conftest import Way

COLUMNS = {
    "document_key": Column(str, False),
    "rank": Column(int, False),
    "n": Column(int),
    "score": Column(float),
    "ok": Column(bool),
}
ROWS: list[dict[str, Any]] = [
    {"document_key": "a", "company": "X", "year": 2024, "mixed": 1, "rank": 1, "n": None, "score": 0.5, "ok": True},
    {"document_key": "b", "company": None, "year": 2.5, "mixed": "x", "rank": 2, "n": 7, "score": None, "ok": None},
]  # fmt: skip


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "BLOCK_ROWS", 1)


def test_a_pandas_frame_has_the_types_of_the_table() -> None:
    frame = frames.made(ROWS, COLUMNS, "pandas")

    assert list(frame.columns) == list(ROWS[0])
    assert [str(frame[name].dtype) for name in COLUMNS][1:] == ["int64", "Int64", "float64", "boolean"]
    assert frame["document_key"].tolist() == ["a", "b"]
    assert frame["n"].tolist() == [pandas.NA, 7]
    assert frame["mixed"].tolist() == ["1", "x"]
    assert frame["year"].tolist() == [2024.0, 2.5]


def test_a_polars_frame_has_the_types_of_the_table() -> None:
    frame = frames.made(ROWS, COLUMNS, "polars")

    assert frame.columns == list(ROWS[0])
    assert frame.select(list(COLUMNS)).dtypes == [
        polars.String, polars.Int64, polars.Int64, polars.Float64, polars.Boolean
    ]  # fmt: skip
    assert frame["n"].to_list() == [None, 7]
    assert frame["mixed"].to_list() == ["1", "x"]


def test_an_arrow_table_has_the_types_of_the_table() -> None:
    table = frames.made(ROWS, COLUMNS, "arrow")

    assert table.column_names == list(ROWS[0])
    assert table.schema.field("rank") == pyarrow.field("rank", pyarrow.int64(), nullable=False)
    assert table.schema.field("n").type == pyarrow.int64()
    assert table.column("mixed").to_pylist() == ["1", "x"]
    assert table.to_pylist()[0]["score"] == 0.5


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_without_rows_the_columns_are_there(as_: str) -> None:
    whole, empty = frames.made(ROWS, COLUMNS, as_), frames.made([], COLUMNS, as_)

    def types(frame: Any) -> list[str]:
        if as_ == "arrow":
            return [str(frame.schema.field(name).type) for name in COLUMNS]
        return [str(frame[name].dtype) for name in COLUMNS]

    assert types(empty) == types(whole)
    assert len(empty) == 0
    assert len(frames.made([], {}, as_)) == 0


def test_the_results_of_a_job_in_every_form(way: Way, client: Client) -> None:
    client.add([{"id": f"k{i}", "text": "One tram. Two trams. Three."} for i in range(5)], collection="inbox")
    job = client.submit("summarize", collection="inbox", parameters={"sentences": 1})
    assert str(job.results(as_="pandas")["n_sentences"].dtype) == "int64"
    way.work(job.id)

    rows = list(job.results())
    assert job.results(as_="arrow").to_pylist() == rows
    assert job.results(as_="polars").to_dicts() == rows
    assert job.results(as_="pandas").to_dict("records") == rows
    assert len(job.results("summary_sentence", as_="pandas", limit=3)) == 3
    assert job.errors(as_="pandas").columns.tolist() == [
        "document_key", "error_code", "error_detail", "source"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("as_", "module", "command"),
    [
        ("pandas", "pandas", "pip install pandas"),
        ("polars", "polars", "pip install polars"),
        ("arrow", "pyarrow", r"pip install 'docmill\[parquet\]'"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_command(
    client: Client, monkeypatch: pytest.MonkeyPatch, as_: Any, module: str, command: str
) -> None:
    client.add([{"id": "a", "text": "A text."}], collection="inbox")
    job = client.submit("oracle", collection="inbox")
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingPackageError, match=command):
        job.results(as_=as_)
    with pytest.raises(ImportError):
        job.errors(as_=as_)
    with pytest.raises(InvalidRequestError, match="choose rows, pandas, polars, arrow"):
        job.results(as_="excel")  # type: ignore[call-overload]


def test_a_client_of_a_server_without_httpx_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(MissingPackageError, match=r"pip install 'docmill\[http\]'"):
        Client("http://127.0.0.1:8484", key="docmill_x")
