"""Indexes by which the scheduler finds the next chunks of a job, however many it or another job has."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: Name -> columns, condition.
INDEXES = {
    "ix_chunk_blocked": (["job_id", "stage", "seq"], "state = 'blocked'"),
    "ix_chunk_open": (["job_id", "stage", "seq"], "state <> 'closed'"),
    "ix_chunk_ready": (["job_id", "id"], "state = 'ready'"),
}


def upgrade() -> None:
    for name in ("ix_chunk_open", "ix_chunk_ready"):
        op.drop_index(name, "chunk")
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "chunk", columns, sqlite_where=where, postgresql_where=where)
