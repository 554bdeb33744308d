"""An index by which the lists are found that name a document."""

from alembic import op

revision = "0038"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_neighbour_neighbour_id", "neighbour", ["neighbour_id"])
