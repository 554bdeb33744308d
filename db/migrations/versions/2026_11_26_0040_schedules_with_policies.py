"""Schedules with policies, and runs that begin and end."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0040"
down_revision = "0036"
branch_labels = None
depends_on = None

#: Table -> name of the index -> columns, condition.
INDEXES = {
    "run": {
        "ix_run_open": (["schedule_id", "due_at"], "ended_at IS NULL"),
        "ix_run_deadline_at": (["deadline_at"], "is_late IS NULL AND deadline_at IS NOT NULL"),
    },
    "job": {"ix_job_run_id": (["run_id"], "run_id IS NOT NULL")},
}
#: What the runs of older versions came to, as far as their jobs say.
STATES = (
    "UPDATE run SET started_at = fired_at",
    "UPDATE run SET state = 'failed', ended_at = fired_at WHERE fault IS NOT NULL",
    "UPDATE run SET state = 'running' WHERE fault IS NULL AND EXISTS (SELECT 1 FROM job WHERE job.run_id = run.id "
    "AND job.state NOT IN ('finished', 'cancelled'))",
    "UPDATE run SET ended_at = COALESCE((SELECT max(job.finished_at) FROM job WHERE job.run_id = run.id), fired_at) "
    "WHERE state = 'succeeded'",
    "UPDATE run SET state = 'cancelled' WHERE state = 'succeeded' AND EXISTS (SELECT 1 FROM job "
    "WHERE job.run_id = run.id AND job.state = 'cancelled')",
)


def _columns() -> dict[str, list[sa.Column]]:  # type: ignore[type-arg]
    return {
        "schedule": [
            sa.Column("catchup", sa.Text(), nullable=False, server_default=sa.text("'latest'")),
            sa.Column("catchup_within_seconds", BigId, nullable=True),
            sa.Column("overlap", sa.Text(), nullable=False, server_default=sa.text("'skip'")),
            sa.Column("deadline", sa.Text(), nullable=True),
            sa.Column("finish_by", sa.Text(), nullable=True),
            sa.Column("max_error_share", sa.Double(), nullable=True),
            sa.Column("pause_on_failure", BigId, nullable=True),
            sa.Column("n_failures", BigId, nullable=False, server_default=sa.text("0")),
            sa.Column("paused_at", UtcDateTime(), nullable=True),
            sa.Column("paused_why", sa.Text(), nullable=True),
        ],
        "run": [
            sa.Column("cause", sa.Text(), nullable=False, server_default=sa.text("'time'")),
            sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'succeeded'")),
            sa.Column("note", sa.Text(), nullable=True),
            sa.Column("awaits_more", sa.Boolean(), nullable=False, server_default=sa.text("false")),
            sa.Column("started_at", UtcDateTime(), nullable=True),
            sa.Column("stopped_at", UtcDateTime(), nullable=True),
            sa.Column("ended_at", UtcDateTime(), nullable=True),
            sa.Column("deadline_at", UtcDateTime(), nullable=True),
            sa.Column("is_late", sa.Boolean(), nullable=True),
        ],
    }


def upgrade() -> None:
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    for table, indexes in INDEXES.items():
        for name, (columns_of_index, condition) in indexes.items():
            where = sa.text(condition)
            op.create_index(name, table, columns_of_index, sqlite_where=where, postgresql_where=where)
    for statement in STATES:
        op.execute(statement)
