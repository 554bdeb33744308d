"""Keywords, and evaluations of summaries."""

import sqlalchemy as sa
from alembic import op

from db.tables.base import BigId

revision = "0006"
down_revision = "0005"
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
    op.create_table(
        "summary_reference",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_summary_reference_document_id")
        ),
        sa.PrimaryKeyConstraint("name", "document_id", name=op.f("pk_summary_reference")),
    )
    op.create_index(
        op.f("ix_summary_reference_document_id"), "summary_reference", ["document_id"], unique=False
    )
    op.create_table(
        "summary_score",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("summary_job_id", BigId, nullable=False),
        sa.Column("rouge_1", sa.Double(), nullable=False),
        sa.Column("rouge_2", sa.Double(), nullable=False),
        sa.Column("rouge_l", sa.Double(), nullable=False),
        sa.Column("n_tokens", BigId, nullable=False),
        sa.Column("n_reference_tokens", BigId, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_summary_score_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_summary_score_job_id")),
        sa.ForeignKeyConstraint(["summary_job_id"], ["job.id"], name=op.f("fk_summary_score_summary_job_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", name=op.f("pk_summary_score")),
    )
    op.create_index(op.f("ix_summary_score_document_id"), "summary_score", ["document_id"], unique=False)
    op.create_index(
        op.f("ix_summary_score_summary_job_id"), "summary_score", ["summary_job_id"], unique=False
    )
