"""Tables of the entities of documents, of redacted texts, and of the figures of models that find entities."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import OWNED_BY_VERSION, create_result_table
from db.tables.base import BigId

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_result_table(
        op,
        "entity",
        sa.Column("rank", BigId, nullable=False),
        sa.Column("start_char", BigId, nullable=False),
        sa.Column("end_char", BigId, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), nullable=True),
        key=["rank"],
    )
    create_result_table(
        op,
        "model_entity_metric",
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("precision", sa.Double(), nullable=False),
        sa.Column("recall", sa.Double(), nullable=False),
        sa.Column("f1", sa.Double(), nullable=False),
        sa.Column("support", BigId, nullable=False),
        sa.Column("n_predicted", BigId, nullable=False),
        key=["label"],
        owner=OWNED_BY_VERSION,
    )
    create_result_table(
        op,
        "redacted_text",
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("n_redacted", BigId, nullable=False),
    )
