"""Keywords."""

import sqlalchemy as sa
from alembic import op

from db.models.base import BigId

revision = "0006"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keyword",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_keyword_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_keyword_job_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", "rank", name=op.f("pk_keyword")),
    )
    op.create_index(op.f("ix_keyword_document_id"), "keyword", ["document_id"], unique=False)
