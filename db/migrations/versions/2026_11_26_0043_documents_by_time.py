"""An index by which the documents of a night are found."""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_document_added_at", "document", ["collection_id", "added_at"])
