"""A full text index. Every latest document waits to be indexed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from db.tables.base import BigId

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

#: Files of which documents are made are no documents that people look for.
_OF_PEOPLE = "EXISTS (SELECT 1 FROM collection c WHERE c.id = {row}.collection_id AND c.files_of_id IS NULL)"


def upgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "search_waiting",
        sa.Column("id", BigId, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_waiting")),
    )
    op.create_table(
        "search_document",
        sa.Column("id", BigId, nullable=False, autoincrement=False),
        sa.Column("collection_id", BigId, nullable=False),
        sa.Column("n_words", BigId, nullable=False),
        sa.Column("words", TSVECTOR() if is_postgres else sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_document")),
    )
    op.create_table(
        "search_term",
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("n_documents", BigId, nullable=False),
        sa.PrimaryKeyConstraint("term", name=op.f("pk_search_term")),
    )
    op.create_table(
        "search_total",
        sa.Column("id", BigId, nullable=False, autoincrement=False),
        sa.Column("n_documents", BigId, nullable=False),
        sa.Column("n_words", BigId, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_total")),
    )
    for statement in _on_postgres() if is_postgres else _on_sqlite():
        op.execute(statement)
    is_wanted = _OF_PEOPLE.format(row="document")
    op.execute(f"INSERT INTO search_waiting (id) SELECT id FROM document WHERE is_latest AND {is_wanted}")  # noqa: S608 (our own words)


def _on_postgres() -> tuple[str, ...]:
    is_wanted = _OF_PEOPLE.format(row="added")
    came = f"INSERT INTO search_waiting (id) SELECT id FROM added WHERE is_latest AND {is_wanted}"  # noqa: S608
    return (
        "CREATE INDEX ix_search_document_words ON search_document USING gin (words)",
        f"""
        CREATE FUNCTION search_documents_came() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {came} ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
        """,
        "CREATE TRIGGER search_documents_came AFTER INSERT ON document REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION search_documents_came()",
        """
        CREATE FUNCTION search_document_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO search_waiting (id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
        """,
        "CREATE TRIGGER search_document_changed AFTER UPDATE OF is_latest ON document FOR EACH ROW "
        "WHEN (OLD.is_latest IS DISTINCT FROM NEW.is_latest) EXECUTE FUNCTION search_document_changed()",
    )


def _on_sqlite() -> tuple[str, ...]:
    """The words are ASCII letters and digits, points in numbers, and anything beyond ASCII."""
    is_wanted = _OF_PEOPLE.format(row="NEW")
    came = "BEGIN INSERT OR IGNORE INTO search_waiting (id) VALUES (NEW.id); END"
    return (
        "CREATE VIRTUAL TABLE search_text USING fts5(words, content='search_document', content_rowid='id', "
        "tokenize=\"ascii tokenchars '._'\")",
        "CREATE TRIGGER search_document_ai AFTER INSERT ON search_document BEGIN "
        "INSERT INTO search_text (rowid, words) VALUES (NEW.id, NEW.words); END",
        "CREATE TRIGGER search_document_ad AFTER DELETE ON search_document BEGIN "
        "INSERT INTO search_text (search_text, rowid, words) VALUES ('delete', OLD.id, OLD.words); END",
        f"CREATE TRIGGER search_documents_came AFTER INSERT ON document WHEN NEW.is_latest AND {is_wanted} {came}",
        "CREATE TRIGGER search_document_changed AFTER UPDATE OF is_latest ON document "
        f"WHEN OLD.is_latest IS NOT NEW.is_latest {came}",
    )
