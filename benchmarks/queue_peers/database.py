"""The tables that the peers read and write, and the record of what was written, for peers and docmill alike."""

from __future__ import annotations

import psycopg

_TABLES = """
    CREATE TABLE peer_document (document bigint PRIMARY KEY, body text NOT NULL);
    CREATE TABLE peer_result (job bigint, document bigint, words integer NOT NULL, PRIMARY KEY (job, document));
"""
#: One row for each committed write of a document's result. A second one has no effect on a table with a key; an e-mail
#: would be sent twice.
_RECORD = """
    CREATE TABLE peer_written (document bigint NOT NULL);
    CREATE FUNCTION record_write() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO peer_written VALUES (NEW.{column}); RETURN NULL; END $$;
    CREATE TRIGGER record_write AFTER INSERT OR UPDATE ON {table} FOR EACH ROW {condition}
        EXECUTE FUNCTION record_write();
"""


def body(document: int) -> str:
    """A short text."""
    return f"short document {document} of a few words, the {document % 97}th of its kind and not the last"


def create(connection: psycopg.Connection, n: int) -> None:
    """The peers' tables, with documents 1 to n."""
    connection.execute(_TABLES)
    with connection.cursor().copy("COPY peer_document FROM STDIN") as rows:
        for document in range(1, n + 1):
            rows.write_row((document, body(document)))


def record(connection: psycopg.Connection, table: str) -> None:
    """Record each committed write of a result in this table: `peer_result`, or docmill's `outcome`."""
    column = "document_id" if table == "outcome" else "document"
    condition = "WHEN (NEW.state = 'ok')" if table == "outcome" else ""
    connection.execute(_RECORD.format(table=table, column=column, condition=condition))


def written(connection: psycopg.Connection) -> list[int]:
    """The document of each committed write."""
    return [document for (document,) in connection.execute("SELECT document FROM peer_written")]
