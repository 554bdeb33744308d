"""On PostgreSQL, rows about documents are checked against what they refer to once a statement."""

from alembic import op

from db.migrations.result_tables import check_references_by_statement

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BOTH = {"job_id": "job", "document_id": "document"}
#: Table -> column -> the table it refers to.
REFERENCES = {
    "outcome": _BOTH,
    "classification": _BOTH,
    "keyword": _BOTH,
    "label_term": _BOTH,
    "neighbour": _BOTH | {"neighbour_id": "document"},
    "neighbour_term": _BOTH,
    "shadow_label": _BOTH,
    "summary": _BOTH,
    "summary_score": _BOTH | {"summary_job_id": "job"},
    "summary_sentence": _BOTH,
}


def upgrade() -> None:
    # In SQLite the check of a reference costs little. In PostgreSQL it is a query for each row, and a lock on the
    # row referred to, so that every job writes anew the pages of `document` that it touched.
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in REFERENCES.items():
        check_references_by_statement(op, table, columns)
        for column in columns:
            op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
    for table in ("document", "job"):
        _keep_what_has_outcomes(table)


def _keep_what_has_outcomes(table: str) -> None:
    op.execute(f"""
        CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM outcome WHERE {table}_id = OLD.id) THEN
                RAISE foreign_key_violation USING MESSAGE = format('{table} %s has outcomes', OLD.id);
            END IF;
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END $$
    """)
    op.execute(
        f"CREATE TRIGGER {table}_is_kept BEFORE DELETE OR UPDATE OF id ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_kept()"
    )
