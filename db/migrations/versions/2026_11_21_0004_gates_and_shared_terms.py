"""The figures of models' gates; the words of documents, and those that neighbours share."""

import sqlalchemy as sa
from alembic import op

from db.tables.base import BigId

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_gate",
        sa.Column("model_version_id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at_least", sa.Double(), nullable=True),
        sa.Column("at_most", sa.Double(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("champion_version_id", BigId, nullable=True),
        sa.ForeignKeyConstraint(
            ["champion_version_id"], ["model_version.id"], name=op.f("fk_model_gate_champion_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_model_gate_model_version_id")
        ),
        sa.PrimaryKeyConstraint("model_version_id", "name", name=op.f("pk_model_gate")),
    )
    op.add_column("document_vector", sa.Column("terms", sa.LargeBinary(), nullable=True))
    op.create_table(
        "neighbour_term",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("neighbour_rank", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_neighbour_term_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_neighbour_term_job_id")),
        sa.PrimaryKeyConstraint(
            "job_id", "document_id", "neighbour_rank", "rank", name=op.f("pk_neighbour_term")
        ),
    )
