"""A suspect belongs to the claim that named it."""

import sqlalchemy as sa
from alembic import op

from db.tables.base import BigId

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chunk", sa.Column("suspect_fence", BigId, nullable=True))
