"""Shares and limits of jobs, who submitted a job, and triggers that wake schedulers."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

#: Changes after which a scheduler has something to do. Workers make none of them while a job runs: notifications
#: make the commits of all transactions that send one wait for each other.
NOTIFYING = {
    "job": "INSERT OR UPDATE OF state, priority",
    "schedule": "INSERT OR UPDATE OF next_at, removed_at, paused_at",
    "run": "INSERT OR UPDATE OF state, awaits_more, deadline_at",
    "night": "INSERT OR UPDATE OF state",
    "notification": "INSERT OR UPDATE OF state, not_before",
    "retention_policy": "INSERT OR UPDATE OF policy, next_at",
}


def upgrade() -> None:
    op.create_table(
        "job_limit",
        *(sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False) for name in _SCOPE),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("chunks_at_once", BigId, nullable=True),
        sa.Column("documents_per_minute", BigId, nullable=True),
        sa.Column("device_seconds_per_night", BigId, nullable=True),
        sa.Column("time_zone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("night_from", UtcDateTime(), nullable=True),
        sa.Column("seconds_used", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("chunks_done", BigId, server_default=sa.text("0"), nullable=False),
        *(sa.CheckConstraint(f"{name} > 0", name=op.f(f"ck_job_limit_{name}")) for name in _LIMITS),
        sa.PrimaryKeyConstraint(*_SCOPE, name=op.f("pk_job_limit")),
    )
    op.add_column("job", sa.Column("submitter", sa.Text(), nullable=True))
    op.add_column(
        "job", sa.Column("is_exclusive", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    sent = sa.text("state = 'ready' AND sent_at IS NOT NULL")
    op.create_index("ix_chunk_sent", "chunk", ["job_id"], sqlite_where=sent, postgresql_where=sent)
    if op.get_bind().dialect.name == "postgresql":
        _create_notify_triggers()


def _create_notify_triggers() -> None:
    op.execute(
        "CREATE FUNCTION docmill_notify() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('docmill', ''); RETURN NULL; END $$"
    )
    for table, when in NOTIFYING.items():
        op.execute(
            f'CREATE TRIGGER {table}_notifies AFTER {when} ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION docmill_notify()"
        )


_SCOPE = ("collection", "kind", "submitter")
_LIMITS = ("weight", "chunks_at_once", "documents_per_minute", "device_seconds_per_night")
