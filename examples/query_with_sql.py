"""Query results with SQL: the views begin with v_ and are the same on SQLite and PostgreSQL.

With `docmill up` running in another terminal:

    python examples/query_with_sql.py

A query is one SELECT, can change nothing, and ends after DOCMILL_QUERY_SECONDS.
"""

from __future__ import annotations

from pathlib import Path

from docmill import Client
from docmill.errors import InvalidRequestError


def main() -> None:
    with Client() as client:
        client.add(Path(__file__).parent / "documents" / "news.jsonl", collection="example-sql")
        client.submit("summarize", collection="example-sql", key="example-sql").wait(timeout_seconds=600)
        query = (
            "SELECT document_key, summary FROM v_latest_summary WHERE collection = 'example-sql' ORDER BY 1"
        )
        for row in client.sql(query, limit=3):
            print(f"{row['document_key']}: {row['summary'][:60]}")
        try:
            client.sql("SELECT summmary FROM v_latest_summary")
        except InvalidRequestError as error:
            print(f"refused: {error}")


if __name__ == "__main__":
    main()
