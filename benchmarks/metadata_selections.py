"""Selections by metadata return what pandas returns on the same data, and are fast on a million documents.

    python -m benchmarks.metadata_selections [--documents 1000000]

The data is made here: fields as files have them (dates of several forms, numbers as texts, missing values, Korean).
Each selection is written once for docmill and once for pandas. Both stores run it as a count, and submit a job over
what it selects; the numbers of documents are compared, and with 20,000 documents the keys.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from benchmarks import report, servers
from db import documents, where
from db.documents import NewDocument
from db.migrations import upgrade
from db.store import Store
from db.tables import Document
from scheduler import requests
from scheduler.requests import JobRequest

COLLECTION = "made"
COMPANIES = ("삼성전자", "Acme", "acme", "Beta & Co", "한국전력", "O'Hara")


def made(n: int) -> Iterator[dict[str, Any]]:
    """Records without their text."""
    chance = random.Random(13)
    for i in range(n):
        day = f"202{chance.randrange(7)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
        record: dict[str, Any] = {
            "company": chance.choice(COMPANIES),
            "published": day if i % 3 else f"{day}T{chance.randrange(24):02}:30:00+09:00",
            # As a table has it.
            "pages": str(chance.randrange(200)) if i % 2 else chance.randrange(200),
            "score": chance.random(),
            "urgent": chance.random() < 0.1,
            "unit price": chance.randrange(1_000),
            "place": {"city": chance.choice(("서울", "부산", "Paris"))},
        }
        for name in ("company", "published", "score", "urgent"):
            if chance.random() < 0.05:
                del record[name]
        yield record


def frame(n: int) -> pd.DataFrame:
    """The same records as pandas reads them: dates in UTC, numbers as numbers."""
    found = pd.DataFrame(made(n))
    found["published"] = pd.to_datetime(found["published"], format="ISO8601", utc=True)
    found["pages"] = pd.to_numeric(found["pages"])
    found["urgent"] = found["urgent"].astype("boolean")
    found["city"] = found["place"].map(lambda place: place["city"])
    return found


def _day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


#: As docmill writes it, and as pandas does.
SELECTIONS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "company = '삼성전자'": lambda f: f.company == "삼성전자",
    "company = 'O''Hara'": lambda f: f.company == "O'Hara",
    "company <> 'Acme'": lambda f: f.company.notna() & (f.company != "Acme"),
    "company in ('Acme', '한국전력')": lambda f: f.company.isin(["Acme", "한국전력"]),
    "company like 'A%'": lambda f: f.company.str.startswith("A", na=False),
    "company ilike 'A%'": lambda f: f.company.str.lower().str.startswith("a", na=False),
    "company is null": lambda f: f.company.isna(),
    "company < 'B'": lambda f: f.company.fillna("z") < "B",
    "published >= '2026-01-01'": lambda f: f.published >= _day("2026-01-01"),
    "published >= '2026-01-01' and company = 'Acme'": lambda f: (
        (f.published >= _day("2026-01-01")) & (f.company == "Acme")
    ),
    "published between '2023-05-01' and '2023-05-31T23:59:59+09:00'": lambda f: f.published.between(
        _day("2023-05-01"), pd.Timestamp("2023-05-31T23:59:59+09:00")
    ),
    "published < '2021-06-15T12:00Z' or published is null": lambda f: (
        (f.published < _day("2021-06-15T12:00")) | f.published.isna()
    ),
    "pages > 9": lambda f: f.pages > 9,
    "pages between 10 and 100": lambda f: f.pages.between(10, 100),
    "pages in (7, 77)": lambda f: f.pages.isin([7, 77]),
    "score > 0.5 and not score > 0.75": lambda f: (f.score > 0.5) & (f.score <= 0.75),
    "urgent": lambda f: f.urgent.fillna(value=False),
    "not urgent": lambda f: ~f.urgent.fillna(value=True),
    "urgent is not true": lambda f: ~f.urgent.fillna(value=False),
    '"unit price" >= 990': lambda f: f["unit price"] >= 990,
    "place.city = '서울' and (pages > 150 or urgent)": lambda f: (
        (f.city == "서울") & ((f.pages > 150) | f.urgent.fillna(value=False))
    ),
    "key = 'k77'": lambda f: f.index == 77,
}


def fill(store: Store, n: int) -> int:
    """Documents with this metadata; returns the collection's number."""
    new = (
        NewDocument(f"k{i}", f"a short text, number {i}", None, "made", meta=meta)
        for i, meta in enumerate(made(n))
    )
    with store.write() as session:
        collection = documents.collection_id(session, COLLECTION, create=True)
    for batch in documents.batches(new):
        with store.write() as session:
            documents.add(session, collection, batch)
    return collection


def _rows(store: Store, collection: int, expected: pd.DataFrame) -> list[tuple[str, int, int, float, float]]:
    """For each selection: documents selected, documents that differ from pandas, seconds to count them, and those of a
    processor."""
    rows = []
    for text, of_pandas in SELECTIONS.items():
        wanted = {f"k{i}" for i in expected.index[of_pandas(expected)]}
        with store.read() as session:
            started, before = time.perf_counter(), _processor_seconds(session)
            base = (Document.collection_id == collection, Document.is_latest)
            condition = where.where(session, text, collection)
            n = session.scalar(select(func.count()).select_from(Document).where(*base, condition)) or 0
            seconds = time.perf_counter() - started
            of_processor = _processor_seconds(session) - before
            keys = set(session.scalars(select(Document.key).where(*base, condition)))
        assert n == len(keys)
        rows.append((text, n, len(keys ^ wanted), seconds, of_processor))
    return rows


def _processor_seconds(session: Session) -> float:
    """What this process has used so far, and with PostgreSQL its server, which then works without helpers. On a busy
    machine this says more than the time on the clock."""
    mine = time.process_time()
    if session.get_bind().dialect.name != "postgresql":
        return mine
    session.execute(sql("SET max_parallel_workers_per_gather = 0"))
    server = session.scalar(sql("SELECT pg_backend_pid()"))
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return mine + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _submit_seconds(store: Store, text: str) -> tuple[int, float]:
    started = time.perf_counter()
    with store.write() as session:
        submitted = requests.submit(session, JobRequest("summarize", COLLECTION, where=text))
    return submitted.n_documents, time.perf_counter() - started


def measure(n: int = 200_000) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Print the table; returns figures and thresholds, for a benchmark that this is a part of."""
    expected = frame(n)
    figures: dict[str, Any] = {"documents": n}
    table: dict[str, list[Any]] = {text: [text] for text in SELECTIONS}
    n_different, slowest = 0, 0.0
    with ExitStack() as stack:
        home = stack.enter_context(servers.folder())
        urls = {
            "SQLite": f"sqlite:///{home}/docmill.db",
            "PostgreSQL": stack.enter_context(servers.postgres(home / "postgres")),
        }
        for name, url in urls.items():
            store = Store(url)
            upgrade(store)
            started = time.perf_counter()
            collection = fill(store, n)
            figures[f"{name} add seconds"] = round(time.perf_counter() - started, 1)
            for text, n_found, n_wrong, seconds, of_processor in _rows(store, collection, expected):
                table[text] += [n_found, n_wrong, seconds, of_processor]
                n_different += n_wrong
                slowest = max(slowest, of_processor)
            chosen, seconds = _submit_seconds(store, "published >= '2026-01-01' and company = 'Acme'")
            figures[f"{name} submit"] = {"n_documents": chosen, "seconds": round(seconds, 2)}
            store.close()
    columns = [
        "selection",
        *(f"{name} {what}" for name in urls for what in ("documents", "differ", "s", "CPU s")),
    ]
    report.table(
        f"Selections over {n:,} documents, beside pandas {pd.__version__}", columns, list(table.values())
    )
    figures |= {"slowest seconds": round(slowest, 2), "selections": len(SELECTIONS)}
    return figures, {
        "documents that differ from pandas": {"value": n_different, "at_most": 0},
        "slowest selection, seconds of a processor per million documents": {
            "value": slowest / n * 1e6,
            "at_most": 30,
        },
    }


def main(n: int = 200_000) -> None:
    """Print the table and the figures; exit 1 if a selection differs from pandas."""
    print(report.machine())
    report.end(*measure(n))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200_000)
    main(parser.parse_args().documents)
