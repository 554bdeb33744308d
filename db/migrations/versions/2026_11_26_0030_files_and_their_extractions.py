"""Files of collections, and what came of their extraction."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import create_result_table
from db.tables.base import BigId

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # In place: many tables refer to this one, and SQLite takes a reference only together with its column.
        op.execute(
            "ALTER TABLE collection ADD COLUMN files_of_id INTEGER "
            "CONSTRAINT fk_collection_files_of_id REFERENCES collection (id)"
        )
    else:
        op.add_column("collection", sa.Column("files_of_id", BigId, nullable=True))
        op.create_foreign_key(
            op.f("fk_collection_files_of_id"), "collection", "collection", ["files_of_id"], ["id"]
        )
    op.create_index(op.f("ix_collection_files_of_id"), "collection", ["files_of_id"], unique=True)
    create_result_table(
        op,
        "extraction",
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False),
        sa.Column("extractor", BigId, nullable=False),
        sa.Column("n_documents", BigId, nullable=False),
        sa.Column("n_pages", BigId, nullable=False),
        sa.Column("n_chars", BigId, nullable=False),
        sa.Column("share_non_letters", sa.Double(), nullable=False),
        sa.Column("n_replaced", BigId, nullable=False),
        sa.Column("n_tables_left_out", BigId, nullable=False),
        sa.Column("n_chars_left_out", BigId, nullable=False),
        sa.Column("n_warnings", BigId, nullable=False),
        sa.Column("warnings", sa.Text(), nullable=True),
    )
    create_result_table(
        op,
        "extraction_text",
        sa.Column("rank", BigId, nullable=False),
        sa.Column("text_key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False),
        sa.Column("n_pages", BigId, nullable=False),
        sa.Column("n_chars", BigId, nullable=False),
        sa.Column("n_tables_left_out", BigId, nullable=False),
        key=["rank"],
    )
    create_result_table(
        op,
        "extraction_warning",
        sa.Column("rank", BigId, nullable=False),
        sa.Column("member", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        key=["rank"],
    )
