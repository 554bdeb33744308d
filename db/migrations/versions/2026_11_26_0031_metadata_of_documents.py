"""The metadata of documents, and the selection of a job by it."""

import sqlalchemy as sa
from alembic import op

from db.tables.base import Meta

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("document", sa.Column("meta", Meta(), nullable=False, server_default=sa.text("'{}'")))
    op.add_column("job", sa.Column("where_clause", sa.Text(), nullable=True))
