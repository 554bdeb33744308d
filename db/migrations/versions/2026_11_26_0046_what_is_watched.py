"""Counters that only grow, since when a chunk is ready, the trace of a job, and indexes for a look at all of it."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("shard", BigId, nullable=False),
        sa.Column("n", BigId, nullable=False),
        sa.PrimaryKeyConstraint("name", "kind", "label", "shard", name=op.f("pk_tally")),
    )
    # What was there before is counted once, in the first shard.
    op.execute(
        "INSERT INTO tally (name, kind, label, shard, n) "
        "SELECT 'documents', j.kind, coalesce(o.error_code, 'ok'), 0, count(*) "
        "FROM outcome o JOIN job j ON j.id = o.job_id GROUP BY j.kind, coalesce(o.error_code, 'ok')"
    )
    op.execute(
        "INSERT INTO tally (name, kind, label, shard, n) SELECT 'jobs', kind, state, 0, count(*) FROM job "
        "WHERE state IN ('finished', 'cancelled') GROUP BY kind, state"
    )
    op.add_column("chunk", sa.Column("ready_at", UtcDateTime(), nullable=True))
    op.add_column("job", sa.Column("traceparent", sa.Text(), nullable=True))
    harmful = sa.text("error_code IN ('POISON', 'TIMEOUT', 'MEMORY', 'CRASHED')")
    op.create_index(
        "ix_outcome_harmful", "outcome", ["document_id"], sqlite_where=harmful, postgresql_where=harmful
    )
    dead = sa.text("state = 'dead'")
    op.create_index("ix_notification_dead", "notification", ["id"], sqlite_where=dead, postgresql_where=dead)
    op.create_index("ix_night_name", "night", ["name", "id"])
