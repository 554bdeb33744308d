"""Workers can be drained, tell their versions, and older ones may go on after an upgrade that they can bear."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("worker", sa.Column("python_version", sa.Text(), nullable=True))
    op.add_column("worker", sa.Column("torch_version", sa.Text(), nullable=True))
    op.add_column(
        "worker", sa.Column("phase", sa.Text(), nullable=False, server_default=sa.text("'running'"))
    )
    op.create_table(
        "drain",
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("exits", sa.Boolean(), nullable=False),
        sa.Column("drained_at", UtcDateTime(), nullable=False),
        sa.Column("drained_by", sa.Text(), nullable=True),
        sa.CheckConstraint("level IN ('host', 'name', 'instance')", name=op.f("ck_drain_level")),
        sa.PrimaryKeyConstraint("level", "target", name=op.f("pk_drain")),
    )
    op.create_table(
        "tolerance",
        sa.Column("schema_revision", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("schema_revision", name=op.f("pk_tolerance")),
    )
