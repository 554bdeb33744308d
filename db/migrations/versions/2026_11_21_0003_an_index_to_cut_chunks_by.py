"""An index that holds all that cutting a collection into chunks reads."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_document_cut",
        "document",
        ["collection_id", "id", "body_chars"],
        unique=False,
        sqlite_where=sa.text("is_latest = 1"),
        postgresql_where=sa.text("is_latest"),
    )
