"""The collections that a training takes its documents from, beside the job's own, and whether it takes corrections."""

import sqlalchemy as sa
from alembic import op

from db.tables.base import Json

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("sources", Json, nullable=True))
