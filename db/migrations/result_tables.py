"""The table of a sort of result row, as migrations make it: keys, index, and what it refers to.

SQLite checks references by foreign keys. PostgreSQL checks them once a statement by a trigger: foreign keys would
check each row by a query of its own and lock the row referred to (docs/decisions, references by statement).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from db.tables.base import BigId

OWNED_BY_JOB = {"job_id": "job", "document_id": "document"}
OWNED_BY_VERSION = {"model_version_id": "model_version"}
NOTHING: Mapping[str, str] = {}


def create_result_table(
    op: Any,
    name: str,
    *columns: sa.Column[object],
    key: Sequence[str] = (),
    owner: Mapping[str, str] = OWNED_BY_JOB,
    refers: Mapping[str, str] = NOTHING,
    index: bool = True,
) -> None:
    """Create a table whose rows belong to a job and a document (or to a model version), with the given columns
    after these. `op` is alembic's module of that name, or its Operations; `key` names the columns that tell the rows
    of one owner apart; `refers` maps other columns to the tables they refer to; `index` is for finding the rows of a
    document."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    references = {**owner, **refers}
    foreign = [] if is_postgres and "job_id" in owner else _foreign_keys(op, name, references)
    op.create_table(
        name,
        *(sa.Column(column, BigId, nullable=False) for column in owner),
        *columns,
        *foreign,
        sa.PrimaryKeyConstraint(*owner, *key, name=op.f(f"pk_{name}")),
    )
    if "document_id" in owner:
        if index:
            op.create_index(op.f(f"ix_{name}_document_id"), name, ["document_id"], unique=False)
        if is_postgres:
            check_references_by_statement(op, name, references)


def check_references_by_statement(op: Any, table: str, columns: Mapping[str, str]) -> None:
    """On PostgreSQL, check after each statement that what the new rows refer to exists. `columns` maps each
    column to the table it refers to."""
    checks = "\n".join(
        f"""
            SELECT missing.id INTO wrong FROM (SELECT DISTINCT {column} AS id FROM added) missing
            WHERE NOT EXISTS (SELECT FROM {referred} WHERE {referred}.id = missing.id) LIMIT 1;
            IF FOUND THEN
                RAISE foreign_key_violation USING MESSAGE = format('{table}: there is no {referred} %s', wrong);
            END IF;"""  # noqa: S608 (our own names)
        for column, referred in columns.items()
    )
    # By the key only: a plan that was made while the table was small is kept, and must not read a large one whole.
    op.execute(f"""
        CREATE FUNCTION {table}_refers() RETURNS trigger LANGUAGE plpgsql
        SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
        DECLARE
            wrong bigint;
        BEGIN
            {checks}
            RETURN NULL;
        END $$
    """)
    for event in ("insert", "update"):
        op.execute(
            f"CREATE TRIGGER {table}_refers_on_{event} AFTER {event} ON {table} REFERENCING NEW TABLE AS added "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refers()"
        )


def _foreign_keys(op: Any, name: str, owner: Mapping[str, str]) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{referred}.id"], name=op.f(f"fk_{name}_{column}"))
        for column, referred in owner.items()
    ]
