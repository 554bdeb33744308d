"""Sizes of batches that workers have learnt, and devices that failed."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch_size",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("bucket", BigId, nullable=False),
        sa.Column("most", BigId, nullable=False),
        sa.Column("failed", BigId, nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("model", "device", "bucket", name=op.f("pk_batch_size")),
    )
    op.create_index("ix_batch_size_used_at", "batch_size", ["used_at"])
    op.create_table(
        "device_fault",
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("n_failures", BigId, nullable=False),
        sa.Column("failed_at", UtcDateTime(), nullable=False),
        sa.Column("retry_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_device_fault")),
    )
    op.create_index("ix_device_fault_seen_at", "device_fault", ["seen_at"])
