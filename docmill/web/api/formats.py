"""Rows of a page as JSON, JSON Lines, CSV or Parquet."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from starlette.responses import Response

from db.reading import Column, Type
from db.result_pages import Rows
from docmill.web.api.operation import CSV, JSON, JSONL, PARQUET, Call
from docmill.web.api.paging import Paged, Whole, encode, next_path
from docmill.web.api.problems import invalid
from scheduler.cells import csv_line
from scheduler.exports import parquet_file
from scheduler.exports.writers import Notes, Options

MOST = 10_000
STATE_HEADER = "docmill-job-state"
_TYPES = {
    bool: Type.BOOLEAN,
    int: Type.INTEGER,
    float: Type.NUMBER,
    str: Type.TEXT,
    bytes: Type.BYTES,
    datetime: Type.TIME,
}


class Formatted(Paged):
    """The query of a list in several formats."""

    limit: Annotated[Whole, Field(ge=1, le=MOST, description="rows of a page")] = 1_000
    format: Annotated[Literal["json", "jsonl", "csv", "parquet"], Field(description="of the answer")] = "json"
    raw: Annotated[
        Literal["true", "false"],
        Field(description="of CSV: leave cells as they are that a spreadsheet would run"),
    ] = "false"


def answer(call: Call, found: Rows, state: str) -> Response:
    """The page in the format of the query."""
    query = call.query(Formatted)
    cursor = encode(found.last) if found.last is not None else None
    path = next_path(call.request, cursor)
    headers = {STATE_HEADER: state} | ({"link": f'<{path}>; rel="next"'} if path is not None else {})
    if query.format == "json":
        page = {"job_state": state, "data": found.rows, "next_after": cursor, "next": path}
        return Response(_json(page), headers=headers, media_type=JSON)
    if query.format == "jsonl":
        return Response("".join(_json(row) + "\n" for row in found.rows), headers=headers, media_type=JSONL)
    if query.format == "csv":
        names = [name for name, _ in found.columns]
        lines = [names, *([row[name] for name in names] for row in found.rows)]
        body = "".join(csv_line(line, raw=query.raw == "true") for line in lines)
        return Response(body, headers=headers, media_type=f"{CSV}; charset=utf-8")
    return Response(_parquet(found), headers=headers, media_type=PARQUET)


def _parquet(found: Rows) -> bytes:
    file = io.BytesIO()
    columns = [Column(name, _TYPES.get(type_, Type.TEXT)) for name, type_ in found.columns]
    try:
        with parquet_file.opened(file, columns, Options(ZoneInfo("UTC")), Notes()) as write:
            write([_of_types(row, columns) for row in found.rows])
    except ValueError as error:
        raise invalid("format", str(error)) from None
    return file.getvalue()


def _of_types(row: Mapping[str, Any], columns: Sequence[Column]) -> tuple[Any, ...]:
    """A value of the metadata may be a number where another document has a text."""
    return tuple(
        _json(value) if column.type is Type.TEXT and not isinstance(value, str | None) else value
        for value, column in zip(row.values(), columns, strict=True)
    )


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=_plain)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.hex() if isinstance(value, bytes) else str(value)
