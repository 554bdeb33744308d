"""Indexes for the lists that pages show."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

#: Documents in the order of the bytes of their keys, whatever the database's collation: so that the keys with one
#: beginning are next to each other. SQLite orders so by itself.
BYTEWISE = (
    'CREATE INDEX ix_document_key_bytewise ON document (collection_id, key COLLATE "C") WHERE is_latest'
)


def upgrade() -> None:
    """Jobs by when they ended, by kind and by collection; the newest outcomes of a document; quarantine."""
    ended = sa.text("finished_at IS NOT NULL")
    op.create_index("ix_job_finished_at", "job", ["finished_at"], sqlite_where=ended, postgresql_where=ended)
    op.create_index("ix_job_kind", "job", ["kind", "id"])
    op.create_index("ix_job_collection_id", "job", ["collection_id", "id"])
    op.drop_index("ix_outcome_document_id", "outcome")
    op.create_index("ix_outcome_document_id", "outcome", ["document_id", "job_id"])
    harmful = sa.text("error_code IN ('POISON', 'TIMEOUT', 'MEMORY', 'CRASHED')")
    op.create_index(
        "ix_outcome_harmful_job",
        "outcome",
        ["job_id", "document_id"],
        sqlite_where=harmful,
        postgresql_where=harmful,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(BYTEWISE)
