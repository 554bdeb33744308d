"""On PostgreSQL, what a worker writes most often is one statement outside any transaction: the chunk is counted and
closed, its documents get the outcome `ok`, their result rows and the counters are written. All or nothing of it holds,
as of a transaction, and it needs one message to the database instead of six.

The statements are built once for each set of tables, and PostgreSQL keeps them prepared (`db.store`). What is written
seldom (errors, new documents, notes, rows that other jobs have too, many rows) takes the longer way of `claims.write`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Select,
    Text,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as postgres_insert

from db import bulk, limits, tallies
from db.chunks import hot
from db.results import Rows
from db.sql import now
from db.states import OutcomeState
from db.store import Store
from db.tables import Base, Document, Outcome, Tally
from db.tables.result import is_by_model_version
from db.tallies import Counted

if TYPE_CHECKING:
    from db.chunks.claims import Claim, Written

#: Of more rows in a table, COPY is so much faster that its messages do not matter.
MOST_ROWS = 500
#: Characters of text in all rows. More travel by COPY, a piece at a time.
MOST_CHARS = bulk.ARRAY_CHARS

_OUTCOME: Any = Outcome.__table__
_TALLY: Any = Tally.__table__
#: Columns of each table.
_Columns = tuple[tuple[str, tuple[str, ...]], ...]


def fits(written: Written) -> bool:
    """Whether this can be written so."""
    if written.errors or written.made or written.about_others or written.note is not None:
        return False
    if not all(_fits(table, rows) for table, rows in written.rows.items()):
        return False
    return sum(bulk.n_chars(rows.values) for rows in written.rows.values()) <= MOST_CHARS


def write(store: Store, held: Claim, written: Written, lease_seconds: float, *, close: bool) -> bool:
    """Write it, and commit. False, and nothing is written, if the claim is not held any more, or if one of the
    documents was erased: `claims.write` knows what to do then."""
    tables = {table: rows for table, rows in written.rows.items() if rows.values}
    columns = tuple((table, rows.columns) for table, rows in tables.items())
    statement = _statement(columns, close=close, is_metered=close and bool(held.meters))
    values = _values(held, written, tables) | ({} if close else {"b_seconds": lease_seconds})
    with store.at_once() as connection:
        return bool(connection.execute(statement, values).scalar_one())


def _fits(table: str, rows: Rows) -> bool:
    if rows.skip_existing or is_by_model_version(table) or _names_other_documents(table):
        return False
    return len(rows.values) <= MOST_ROWS and bulk.fit_arrays(
        Base.metadata.tables[table], rows.columns, rows.values
    )


@cache
def _names_other_documents(table: str) -> bool:
    keys = Base.metadata.tables[table].foreign_keys
    return any(
        key.column.table.name == Document.__tablename__ and key.parent.name != "document_id" for key in keys
    )


def _values(held: Claim, written: Written, tables: Mapping[str, Rows]) -> dict[str, Any]:
    counted = sorted(
        [(Counted.DOCUMENTS.value, OutcomeState.OK.value, len(written.ok_ids))] * bool(written.ok_ids)
        + [(Counted.ROWS.value, tallies.label_of(table), len(rows.values)) for table, rows in tables.items()]
    )
    values: dict[str, Any] = {
        "b_chunk": held.chunk_id,
        "b_fence": held.fence,
        "b_instance": held.instance,
        "b_ok": len(written.ok_ids),
        "b_error": 0,
        "b_job": held.job_id,
        "b_ids": list(written.ok_ids),
        "b_kind": held.kind,
        "b_shard": random.randrange(tallies.SHARDS),
        "b_names": [name for name, _, _ in counted],
        "b_labels": [label for _, label, _ in counted],
        "b_counts": [n for _, _, n in counted],
        "b_meters": limits.as_json(held.meters),
    }
    for place, rows in enumerate(tables.values()):
        for number, column in enumerate(zip(*rows.values, strict=True)):
            values[f"b_{place}_{number}"] = list(column)
    return values


# --- statements ----------------------------------------------------------------------------------------------------


@cache
def _statement(columns: _Columns, *, close: bool, is_metered: bool) -> Select[Any]:
    """Returns how many chunks were written to: 1, or 0 and nothing is written."""
    is_erased = func.docmill_any_erased(_array("b_ids", BigInteger()))
    chunk = hot.counted(close=close).where(~is_erased)
    held = chunk.returning(literal(1).label("one")).cte("held")
    counted: list[Any] = [func.count()]
    if is_metered:
        time = func.docmill_count_time(_bind("b_chunk", BigInteger()), _bind("b_meters", JSONB()))
        counted.append(case((func.count() > 0, time)))
    written = [
        _outcomes(held),
        *(_rows(held, place, *each) for place, each in enumerate(columns)),
        _tallies(held),
    ]
    statement = select(*counted).select_from(held).add_cte(*written)
    return statement.execution_options(docmill_prepare=True)


def _outcomes(held: CTE) -> CTE:
    ids = func.unnest(_array("b_ids", BigInteger())).table_valued("id").render_derived("ids")
    ok = literal(OutcomeState.OK, _OUTCOME.c.state.type)
    rows = select(_bind("b_job", BigInteger()), ids.c.id, ok, now()).select_from(held.join(ids, true()))
    into = insert(_OUTCOME).from_select(
        ["job_id", "document_id", "state", "written_at"], rows, include_defaults=False
    )
    return into.cte("outcomes")


def _rows(held: CTE, place: int, name: str, columns: tuple[str, ...]) -> CTE:
    table = Base.metadata.tables[name]
    arrays = [_array(f"b_{place}_{number}", table.c[column].type) for number, column in enumerate(columns)]
    found = func.unnest(*arrays).table_valued(*columns).render_derived(f"rows_{place}")
    rows = select(_bind("b_job", BigInteger()), *found.c).select_from(held.join(found, true()))
    return (
        insert(table).from_select(["job_id", *columns], rows, include_defaults=False).cte(f"written_{place}")
    )


def _tallies(held: CTE) -> CTE:
    arrays = (_array("b_names", Text()), _array("b_labels", Text()), _array("b_counts", BigInteger()))
    added = func.unnest(*arrays).table_valued("name", "label", "n").render_derived("added")
    shard, kind = _bind("b_shard", BigInteger()), _bind("b_kind", Text())
    rows = select(added.c.name, kind, added.c.label, shard, added.c.n).select_from(held.join(added, true()))
    key = ["name", "kind", "label", "shard"]
    into = postgres_insert(_TALLY).from_select([*key, "n"], rows, include_defaults=False)
    added_to = {"n": _TALLY.c.n + into.excluded.n}
    return into.on_conflict_do_update(index_elements=key, set_=added_to).cte("tallies")


def _bind(name: str, type_: Any) -> Any:
    return bindparam(name, type_=type_)


def _array(name: str, type_: Any) -> Any:
    return bindparam(name, type_=ARRAY(type_))
