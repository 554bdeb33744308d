"""What exports of changed rows have written already."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "export",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("key_columns", Json, nullable=False),
        sa.Column("attempt", BigId, nullable=False),
        sa.Column("completed", BigId, nullable=False),
        sa.Column("exported_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
        sa.UniqueConstraint("name", name=op.f("uq_export_name")),
    )
    op.create_table(
        "export_row",
        sa.Column("export_id", BigId, nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("attempt", BigId, nullable=False),
        sa.Column("place", BigId, nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=True),
        sa.Column("key", Json, nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["export.id"], name=op.f("fk_export_row_export_id")),
        sa.PrimaryKeyConstraint("export_id", "key_hash", "attempt", name=op.f("pk_export_row")),
    )
