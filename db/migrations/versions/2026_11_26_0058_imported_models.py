"""A version of a model may have no job: its weights were imported."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("model_version", "job_id", nullable=True)
        return
    _drop_not_null_on_sqlite()


def _drop_not_null_on_sqlite() -> None:
    """SQLite cannot alter a column, and copying the table would break the references to it. Its documentation
    (lang_altertable, section 7) describes this for changes that leave the rows as they are on disk."""
    connection = op.get_bind()
    (declared,) = connection.execute(
        sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'model_version'")
    ).one()
    changed = declared.replace("job_id BIGINT NOT NULL", "job_id BIGINT").replace(
        "job_id INTEGER NOT NULL", "job_id INTEGER"
    )
    if changed == declared:
        raise RuntimeError(f"the column model_version.job_id is not declared as expected: {declared}")
    number = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = 'model_version'"),
        {"sql": changed},
    )
    connection.execute(sa.text(f"PRAGMA schema_version = {number + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = OFF"))
