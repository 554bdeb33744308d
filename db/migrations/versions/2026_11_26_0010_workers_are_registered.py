"""Workers are registered, a claim names an instance, and a lost lease is counted apart from a crash."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", BigId, nullable=False),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("docmill_version", sa.Text(), nullable=False),
        sa.Column("schema_revision", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("role IN ('worker', 'scheduler')", name=op.f("ck_worker_role")),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_worker")),
    )
    op.create_index("ix_worker_last_seen_at", "worker", ["last_seen_at"])
    op.create_table(
        "lost_claim",
        sa.Column("chunk_id", BigId, nullable=False),
        sa.Column("fence", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("suspect_id", BigId, nullable=True),
        sa.Column("lost_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("chunk_id", "fence", name=op.f("pk_lost_claim")),
    )
    op.create_index("ix_lost_claim_lost_at", "lost_claim", ["lost_at"])
    op.add_column("chunk", sa.Column("instance", sa.Text(), nullable=True))
    for name in ("n_lost", "n_suspect_lost"):
        op.add_column("chunk", sa.Column(name, BigId, nullable=False, server_default=sa.text("0")))
