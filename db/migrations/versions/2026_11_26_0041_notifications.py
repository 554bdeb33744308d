"""Who is notified of what, and the outbox."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_rule",
        sa.Column("id", BigId, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_rule")),
        sa.UniqueConstraint("owner", "destination", name=op.f("uq_notification_rule_owner_destination")),
    )
    op.create_table(
        "notification",
        sa.Column("id", BigId, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("n_attempts", BigId, nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("give_up_at", UtcDateTime(), nullable=False),
        sa.Column("fence", BigId, nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("uid", name=op.f("uq_notification_uid")),
        sa.UniqueConstraint("key", "destination", name=op.f("uq_notification_key_destination")),
    )
    where = sa.text("state = 'pending'")
    op.create_index(
        "ix_notification_pending", "notification", ["not_before"], sqlite_where=where, postgresql_where=where
    )
