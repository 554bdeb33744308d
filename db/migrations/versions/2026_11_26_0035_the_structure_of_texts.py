"""The structure of extracted texts: pages, sections and tables as rows, and what is no prose in a document."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import create_result_table
from db.tables.base import BigId

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("document", sa.Column("not_prose", sa.Text(), nullable=True))
    create_result_table(
        op,
        "extraction_page",
        sa.Column("text_rank", BigId, nullable=False),
        sa.Column("page", BigId, nullable=False),
        sa.Column("start_char", BigId, nullable=False),
        sa.Column("n_chars", BigId, nullable=False),
        sa.Column("share_non_letters", sa.Double(), nullable=False),
        sa.Column("n_replaced", BigId, nullable=False),
        sa.Column("n_tables", BigId, nullable=False),
        key=["text_rank", "page"],
        index=False,
    )
    create_result_table(
        op,
        "extraction_section",
        sa.Column("text_rank", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("level", BigId, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("start_char", BigId, nullable=False),
        key=["text_rank", "rank"],
        index=False,
    )
    create_result_table(
        op,
        "extraction_table",
        sa.Column("text_rank", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("page", BigId, nullable=True),
        sa.Column("start_char", BigId, nullable=False),
        sa.Column("in_text", sa.Boolean(), nullable=False),
        sa.Column("n_rows", BigId, nullable=False),
        sa.Column("n_columns", BigId, nullable=False),
        sa.Column("n_chars", BigId, nullable=False),
        key=["text_rank", "rank"],
        index=False,
    )
    create_result_table(
        op,
        "extraction_table_row",
        sa.Column("text_rank", BigId, nullable=False),
        sa.Column("table_rank", BigId, nullable=False),
        sa.Column("line", BigId, nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        key=["text_rank", "table_rank", "line"],
        index=False,
    )
