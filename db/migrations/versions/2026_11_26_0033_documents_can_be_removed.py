"""Documents and collections can be removed: the text is erased, and the outcomes stay."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None

#: What may become of an outcome: its detail, which may quote the text, goes with the text.
_ONLY_ITS_DETAIL_GOES = """
    NEW.job_id = OLD.job_id AND NEW.document_id = OLD.document_id AND NEW.state = OLD.state
    AND NEW.error_code IS NOT DISTINCT FROM OLD.error_code AND NEW.written_at IS NOT DISTINCT FROM OLD.written_at
    AND NEW.error_detail IS NULL
    AND EXISTS (SELECT 1 FROM document WHERE id = OLD.document_id AND erased_at IS NOT NULL)
"""


def upgrade() -> None:
    op.add_column("document", sa.Column("erased_at", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_document_erased",
        "document",
        ["id"],
        sqlite_where=sa.text("erased_at IS NOT NULL"),
        postgresql_where=sa.text("erased_at IS NOT NULL"),
    )
    op.add_column("collection", sa.Column("removed_at", UtcDateTime(), nullable=True))
    op.create_table(
        "removal",
        sa.Column("id", BigId, nullable=False),
        sa.Column("collection_id", BigId, nullable=False),
        sa.Column("n_documents", BigId, nullable=False),
        sa.Column("n_files", BigId, nullable=False),
        sa.Column("n_rows", BigId, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=op.f("fk_removal_collection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removal")),
    )
    _let_details_be_erased()


def _let_details_be_erased() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"""
            CREATE OR REPLACE FUNCTION outcome_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'UPDATE' AND {_ONLY_ITS_DETAIL_GOES} THEN
                    RETURN NEW;
                END IF;
                RAISE EXCEPTION 'an outcome is final and is never changed';
            END $$
        """)
        return
    # IS NOT DISTINCT FROM came to SQLite late.
    is_kept = _ONLY_ITS_DETAIL_GOES.replace("IS NOT DISTINCT FROM", "IS")
    op.execute("DROP TRIGGER outcome_no_update")
    op.execute(
        f"CREATE TRIGGER outcome_no_update BEFORE UPDATE ON outcome WHEN NOT ({is_kept}) "
        "BEGIN SELECT RAISE(ABORT, 'an outcome is final and is never changed'); END"
    )
