"""Requests with an idempotency key, and their answers; an index for the failures of a job page by page."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

OLDER_CODE_MAY_GO_ON = True


def upgrade() -> None:
    """One new table, one new index."""
    op.create_table(
        "idempotent_request",
        sa.Column("owner", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", BigId, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_idempotent_request_created_at", "idempotent_request", ["created_at"])
    is_error = sa.text("state = 'error'")
    op.create_index(
        "ix_outcome_failed",
        "outcome",
        ["job_id", "document_id"],
        sqlite_where=is_error,
        postgresql_where=is_error,
    )
