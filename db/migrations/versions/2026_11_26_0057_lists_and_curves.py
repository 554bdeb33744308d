"""The documents in which frequent words weigh most (those of an index that is there are built in the background), and
which version of a document the text of a file became; and the curves of trainings."""

import sqlalchemy as sa
from alembic import op

from db.migrations.result_tables import OWNED_BY_VERSION, create_result_table
from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_result_table(
        op,
        "model_curve",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("epoch", BigId, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        key=["series", "epoch"],
        owner=OWNED_BY_VERSION,
    )
    uncounted = sa.text("counted_at IS NULL")
    for table, columns in {
        "run_growth": ("store_bytes", "newest_document_id", "n_added", "counted_to"),
        "label_moves": ("n_compared", "n_moved", "counted_to"),
    }.items():
        owner = "run" if table == "run_growth" else "job"
        op.create_table(
            table,
            sa.Column(f"{owner}_id", BigId, nullable=False, autoincrement=False),
            *(sa.Column(name, BigId, nullable=name == "n_added") for name in columns),
            sa.Column("counted_at", UtcDateTime(), nullable=True),
            sa.ForeignKeyConstraint([f"{owner}_id"], [f"{owner}.id"], name=op.f(f"fk_{table}_{owner}_id")),
            sa.PrimaryKeyConstraint(f"{owner}_id", name=op.f(f"pk_{table}")),
        )
        op.create_index(
            f"ix_{table}_uncounted",
            table,
            [f"{owner}_id"],
            sqlite_where=uncounted,
            postgresql_where=uncounted,
        )
    op.add_column("extraction_text", sa.Column("text_version", BigId, nullable=True))
    op.create_table(
        "search_list",
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("best", sa.LargeBinary(), nullable=True),
        sa.Column("floors", Json, nullable=False),
        sa.Column("n_postings", BigId, nullable=False),
        sa.Column("n_removed", BigId, nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("term", name=op.f("pk_search_list")),
    )
    op.create_index("ix_search_list_due_at", "search_list", ["due_at"])
    op.create_table(
        "search_posting",
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("collection_id", BigId, nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("term", "document_id", name=op.f("pk_search_posting")),
    )
    op.create_index("ix_search_posting_document_id", "search_posting", ["document_id"])
    if op.get_bind().dialect.name == "postgresql":
        # They do not shrink when compressed, and are read faster as they are.
        op.execute("ALTER TABLE search_list ALTER COLUMN best SET STORAGE EXTERNAL")
        # A mark (db.fulltext.postgres) has this character, and no word has.
        op.execute(
            "INSERT INTO search_list (term, floors, n_postings, n_removed, due_at) "
            "SELECT term, '{}', 0, 0, now() FROM search_term WHERE n_documents >= 2000 AND term NOT LIKE '%^%'"
        )
