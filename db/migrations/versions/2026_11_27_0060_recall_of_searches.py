"""A table of what searches by an index have found of the nearest documents."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import create_result_table
from db.tables.base import BigId

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_result_table(
        op,
        "neighbour_recall",
        sa.Column("n_nearest", BigId, nullable=False),
        sa.Column("n_found", BigId, nullable=False),
        sa.Column("n_lists", BigId, nullable=False),
        sa.Column("n_read", BigId, nullable=False),
        index=False,
    )
