"""Tables of what language models wrote, and of the values of answers with a schema."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import create_result_table
from db.tables.base import BigId

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_result_table(
        op,
        "generation",
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=False),
        sa.Column("n_prompt_tokens", BigId, nullable=True),
        sa.Column("n_tokens", BigId, nullable=True),
        sa.Column("n_cut_chars", BigId, nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
    )
    create_result_table(
        op,
        "generation_field",
        sa.Column("rank", BigId, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("boolean", sa.Boolean(), nullable=True),
        key=["rank"],
    )
