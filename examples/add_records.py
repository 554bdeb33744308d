"""Add documents from Python, and see which of them are refused and why.

    python examples/add_records.py

Nothing else has to run: a client talks to the store only. Run again, nothing is stored twice.
"""

from __future__ import annotations

from docmill import Client

RECORDS = [
    {"id": "memo-1", "text": "The mill stands by the river. It has ground corn for two hundred years."},
    {"id": "memo-2", "text": "회의는 월요일에 열린다. 안건은 예산이다.", "label": "meeting"},
    {"id": "memo-3", "text": ""},
    {"id": "memo-1", "text": "The same key again."},
]


def main() -> None:
    with Client() as client:
        report = client.add_records(RECORDS, collection="memos")
        print(f"{report.n_new} new, {report.n_unchanged} unchanged, {len(report.bad)} bad")
        for record in report.bad:
            print(f"  {record}")
        print(client.sql("SELECT count(*) AS n FROM document"))


if __name__ == "__main__":
    main()
