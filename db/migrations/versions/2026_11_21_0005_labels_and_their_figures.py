"""Given labels, the terms that weighed for a label, and a classifier's figures by label."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "given_label",
        sa.Column("collection_id", BigId, nullable=False),
        sa.Column("document_key", sa.Text(), nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_given_label_collection_id")
        ),
        sa.PrimaryKeyConstraint("collection_id", "document_key", "rank", name=op.f("pk_given_label")),
    )
    op.create_table(
        "label_term",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_label_term_job_id")),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_label_term_document_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", "rank", name=op.f("pk_label_term")),
    )
    op.create_table(
        "shadow_label",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_shadow_label_job_id")),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_shadow_label_document_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", name=op.f("pk_shadow_label")),
    )
    _figures(
        "model_label_metric",
        ["label"],
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("precision", sa.Double(), nullable=False),
        sa.Column("recall", sa.Double(), nullable=False),
        sa.Column("f1", sa.Double(), nullable=False),
        sa.Column("support", BigId, nullable=False),
        sa.Column("n_predicted", BigId, nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
    )
    _figures(
        "model_confusion",
        ["true_label", "predicted_label"],
        sa.Column("true_label", sa.Text(), nullable=False),
        sa.Column("predicted_label", sa.Text(), nullable=False),
        sa.Column("n_documents", BigId, nullable=False),
    )
    _figures(
        "model_reliability",
        ["bin"],
        sa.Column("bin", BigId, nullable=False),
        sa.Column("n_decisions", BigId, nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("share_right", sa.Double(), nullable=False),
    )


def _figures(table: str, key: list[str], *columns: sa.Column[Any]) -> None:
    """A table of figures of model versions."""
    op.create_table(
        table,
        sa.Column("model_version_id", BigId, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f(f"fk_{table}_model_version_id")
        ),
        sa.PrimaryKeyConstraint("model_version_id", *key, name=op.f(f"pk_{table}")),
    )
