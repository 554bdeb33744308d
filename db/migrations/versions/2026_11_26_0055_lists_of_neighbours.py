"""A table of what is known of each list of neighbours beyond its rows, so that few lists have to be searched again; and
scales of distances."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import create_result_table

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_result_table(
        op,
        "neighbour_list",
        sa.Column("least", sa.Double(), nullable=False),
        sa.Column("bound", sa.Double(), nullable=False),
        sa.Column("stored", sa.LargeBinary(), nullable=False),
        sa.Column("is_cut", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("document_vector", sa.Column("scale", sa.Double(), nullable=True))
    op.create_index(
        "ix_neighbour_list_is_cut",
        "neighbour_list",
        ["document_id"],
        sqlite_where=sa.text("is_cut"),
        postgresql_where=sa.text("is_cut"),
    )
