"""Files that programs upload, their batches of requests, and vectors as results."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import create_result_table
from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

STATES = (
    "validating",
    "failed",
    "in_progress",
    "finalizing",
    "completed",
    "expired",
    "cancelling",
    "cancelled",
)
IS_OPEN = sa.text("phase <> 'done'")
EXPIRES = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    """Six new tables."""
    op.create_table(
        "api_file",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("public_id", sa.Text(), nullable=False, unique=True),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("n_bytes", BigId, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
    )
    op.create_index(
        "ix_api_file_expires_at", "api_file", ["expires_at"], sqlite_where=EXPIRES, postgresql_where=EXPIRES
    )
    op.create_table(
        "api_file_block",
        sa.Column("file_id", BigId, sa.ForeignKey("api_file.id"), nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "seq", name=op.f("pk_api_file_block")),
    )
    op.create_table(
        "request_batch",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("public_id", sa.Text(), nullable=False, unique=True),
        sa.Column("input_file", sa.Text(), nullable=False),
        sa.Column("output_file", sa.Text(), nullable=True),
        sa.Column("error_file", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("completion_window", sa.Text(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("output_seconds", BigId, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        *(
            sa.Column(name, BigId, nullable=False)
            for name in ("step", "position", "line", "n_lines", "n_documents", "n_completed", "n_failed")
        ),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("errors", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        *(
            sa.Column(name, UtcDateTime(), nullable=True)
            for name in ("in_progress_at", "finalizing_at", "cancelling_at", "ended_at")
        ),
        sa.CheckConstraint(
            f"state IN ({', '.join(repr(state) for state in STATES)})", name=op.f("ck_request_batch_state")
        ),
    )
    op.create_index(
        "ix_request_batch_open",
        "request_batch",
        ["phase", "expires_at"],
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )
    op.create_index("ix_request_batch_input_file", "request_batch", ["input_file"])
    op.create_table(
        "request_group",
        sa.Column("batch_id", BigId, sa.ForeignKey("request_batch.id"), nullable=False),
        sa.Column("number", BigId, nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("form", Json, nullable=False),
        sa.Column("job_id", BigId, sa.ForeignKey("job.id"), nullable=True),
        sa.Column("error", Json, nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_request_group")),
    )
    op.create_index("ix_request_group_job_id", "request_group", ["job_id"])
    op.create_table(
        "request_line",
        sa.Column("batch_id", BigId, sa.ForeignKey("request_batch.id"), nullable=False),
        sa.Column("line", BigId, nullable=False),
        sa.Column("custom_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("group_number", BigId, nullable=True),
        sa.Column("document_ids", Json, nullable=True),
        sa.Column("error", Json, nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "line", name=op.f("pk_request_line")),
        sa.UniqueConstraint("batch_id", "key", name=op.f("uq_request_line_batch_id_key")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # As other changes that give a scheduler something to do (0044).
        op.execute(
            "CREATE TRIGGER request_batch_notifies AFTER INSERT OR UPDATE OF state, phase ON request_batch "
            "FOR EACH STATEMENT EXECUTE FUNCTION docmill_notify()"
        )
    create_result_table(
        op,
        "embedding",
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("n_tokens", BigId, nullable=False),
    )
