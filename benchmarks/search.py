"""Full text search: its ranking beside BM25 of another library, and its time over a million documents on PostgreSQL.

    python -m benchmarks.search --data ../shared/data [--documents 1000000]

The large store is made here: words of a Zipf distribution, texts of 90 words. Its index is built in one piece, as a
bulk load would do it; `documents a second` is the rate of the scheduler's own step. Times of a query are those of the
processor, of the database server's process and of this one, so that a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks import report, search_quality, servers
from db import fulltext
from db.fulltext import Indexed, Wanted, best_lists, ranking, term_counts, vectors
from db.migrations import upgrade
from db.store import Store
from db.tables import Document
from scheduler.search.indexing import maintain_lists

VOCABULARY = 200_000
BATCH = 2_000
#: Rare, frequent, very frequent words and mixtures, by their rank in the vocabulary; and with a condition.
QUERIES: dict[str, tuple[int, ...]] = {
    "the most frequent word": (0,),
    "a frequent word": (20,),
    "a usual word": (500,),
    "a rare word": (20_000,),
    "two frequent words": (5, 9),
    "four frequent words": (10, 20, 30, 40),
    "six words as in a sentence": (1, 4, 30, 300, 900, 5_000),
    "frequent and rare": (3, 50_000),
    "ten words": (2, 8, 15, 60, 110, 220, 450, 1_000, 4_000, 9_000),
}

#: Which documents meet the conditions of `large`, as `build` makes them.
_MEETS: dict[str, Callable[[int], bool]] = {
    "": lambda _: True,
    ", in 5 % of the documents": lambda id_: id_ % 20 == 0,
    ", with a label": lambda id_: id_ % 7 == 3,
}


def texts(n: int, seed: int = 7) -> Iterator[list[list[str]]]:
    """Batches of documents as words."""
    chance = np.random.default_rng(seed)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    ends = np.cumsum(weights / weights.sum())
    for start in range(0, n, BATCH):
        sizes = np.clip(chance.lognormal(4.4, 0.5, min(BATCH, n - start)).astype(int), 5, 1_000)
        numbers = np.minimum(np.searchsorted(ends, chance.random(int(sizes.sum()))), VOCABULARY - 1)
        words = [f"w{number}" for number in numbers.tolist()]
        stops = np.cumsum(sizes).tolist()
        yield [words[stop - size : stop] for stop, size in zip(stops, sizes.tolist(), strict=True)]


def build(store: Store, n: int) -> None:
    """A store of `n` documents in two collections, with their index."""
    with store.write() as session:
        run = session.connection().exec_driver_sql
        run("INSERT INTO collection (name, created_at) VALUES ('most', now()), ('some', now())")
        run("ALTER TABLE document DISABLE TRIGGER search_documents_came")
        run(
            "INSERT INTO document (collection_id, key, version, is_latest, text, content_hash, body_chars, label, "
            "source, added_at) SELECT CASE WHEN i %% 20 = 0 THEN 2 ELSE 1 END, 'k' || i, 1, true, "
            "'the text of document ' || i, ''::bytea, 600, 'label' || i %% 7, 'made', now() - i * interval '1 second' "
            f"FROM generate_series(1, {n}) i"
        )
        run("ALTER TABLE document ENABLE TRIGGER search_documents_came")
        run("DROP INDEX ix_search_document_words")
    mean, number, n_words = 90.0, 0, 0
    for batch in texts(n):
        with store.write() as session:
            driver: Any = session.connection().connection.driver_connection
            copy = "COPY search_document (id, collection_id, n_words, words) FROM STDIN"
            with driver.cursor() as cursor, cursor.copy(copy) as rows:
                for words in batch:
                    number += 1
                    collection = 2 if number % 20 == 0 else 1
                    vector = vectors.vector(words, collection, mean)
                    rows.write_row((number, collection, len(words), vector.literal))
                    n_words += len(words)
    with store.write() as session:
        run = session.connection().exec_driver_sql
        run("SET LOCAL maintenance_work_mem = '1GB'")
        run("CREATE INDEX ix_search_document_words ON search_document USING gin (words)")
        run(
            "INSERT INTO search_term (term, n_documents) "
            "SELECT word, ndoc FROM ts_stat('SELECT words FROM search_document')"
        )
        run(f"INSERT INTO search_total (id, n_documents, n_words) VALUES (1, {n}, {n_words})")
        run(
            "INSERT INTO search_list (term, floors, n_postings, n_removed, due_at) SELECT term, '{}', 0, 0, now() "
            f"FROM search_term WHERE n_documents >= {best_lists.FREQUENT_FROM} AND term NOT LIKE '%%^%%'"
        )
    with store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("VACUUM ANALYZE search_document, document, search_term")
    began, n_lists = time.perf_counter(), 0
    while did := maintain_lists(store):
        n_lists += did
    print(f"{n_lists:,} lists of frequent words built in {time.perf_counter() - began:,.0f} s")


def _processor(session: Session) -> tuple[float, float]:
    """Seconds that the server's process and this one have used."""
    server = session.scalar(text("SELECT pg_backend_pid()"))
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), time.process_time()


def timed(store: Store, wanted: Wanted, repeats: int = 20) -> tuple[float, float, float]:
    """(server's and this process's processor milliseconds for one query, median milliseconds on the clock)."""
    clock = []
    with store.read() as session:
        session.execute(text("SET max_parallel_workers_per_gather = 0"))
        fulltext.find(session, wanted, 20)
        before = _processor(session)
        for _ in range(repeats):
            began = time.perf_counter()
            found = fulltext.find(session, wanted, 20)
            fulltext.hits(session, found.ranked)
            clock.append(1000 * (time.perf_counter() - began))
        after = _processor(session)
    return (
        1000 * (after[0] - before[0]) / repeats,
        1000 * (after[1] - before[1]) / repeats,
        statistics.median(clock),
    )


def exact(store: Store, words: Sequence[str], n: int) -> list[tuple[float, int]]:
    """(score, document) by BM25 over all documents, the best first."""
    with store.read() as session:
        everything = term_counts.statistics(session, words, None)
        match = " | ".join(map(vectors.quoted, words))
        rows = session.execute(ranking.query(match, words, None, (), n)).all()
    idf = [everything.idf(word) for word in words]
    scores = ((ranking.bm25(row[1], row[2:], idf, everything.mean_length), row[0]) for row in rows)
    return sorted(scores, reverse=True)


def agreement(store: Store, wanted: Wanted, scores: Sequence[float]) -> float:
    """The share of the ten best documents that are found, or have equals in score."""
    with store.read() as session:
        found = fulltext.find(session, wanted, 10).ranked
    lowest = scores[min(10, len(scores)) - 1] - 1e-9
    return sum(score >= lowest for _, score in found) / min(10, len(scores))


def rate(store: Store) -> float:
    """Documents that the scheduler's step writes in a second of a processor, without their analysis."""
    with store.write() as session:
        session.execute(text("INSERT INTO collection (name, created_at) VALUES ('new', now())"))
        ids = list(session.scalars(text(
            "INSERT INTO document (collection_id, key, version, is_latest, text, content_hash, body_chars, source, "
            "added_at) SELECT 3, 'n' || i, 1, true, 'new', ''::bytea, 600, 'made', now() "
            "FROM generate_series(1, 2000) i RETURNING id"
        )))  # fmt: skip
    words = next(texts(2_000, seed=11))
    with store.write() as session:
        before = _processor(session)
        for start in range(0, len(ids), 200):
            some = zip(ids[start : start + 200], words[start : start + 200], strict=True)
            fulltext.write(session, [Indexed(id_, of) for id_, of in some])
        after = _processor(session)
    return len(ids) / (after[0] - before[0] + after[1] - before[1])


def large(n: int) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Print the times over `n` documents on PostgreSQL."""
    rows: list[list[Any]] = []
    worst, pages, found = 0.0, [], {}
    with servers.folder() as home, servers.postgres(home / "postgres") as url:
        store = Store(url)
        upgrade(store)
        began = time.perf_counter()
        build(store, n)
        print(f"built in {time.perf_counter() - began:,.0f} s")
        for name, numbers in QUERIES.items():
            words = [f"w{number}" for number in numbers]
            ways = {
                "": Wanted(words=words),
                ", in 5 % of the documents": Wanted(words=words, collection_id=2),
                ", with a label": Wanted(words=words, conditions=(Document.label == "label3",)),
            }
            best = exact(store, words, n)
            for more, wanted in ways.items():
                server, mine, clock = timed(store, wanted)
                worst = max(worst, server)
                pages.append(server + mine)
                of_way = [score for score, id_ in best if _MEETS[more](id_)]
                rows.append([name + more, server, mine, clock, agreement(store, wanted, of_way)])
            found[name] = [row[4] for row in rows[-3:]]
        with store.read() as session:
            size = session.scalar(text("SELECT pg_total_relation_size('search_document') / 1048576"))
        written = rate(store)
        store.close()
    columns = ["query", "server CPU ms", "client CPU ms", "clock ms", "of the 10 best"]
    report.table(f"{n:,} documents on PostgreSQL, index of {size:,} MiB", columns, rows)
    figures = {
        "documents": n, "index MiB": size, "slowest server ms": round(worst, 1),
        "median page ms": round(statistics.median(pages), 1), "written a second": round(written),
        "of the 10 best, of all and in 5 % and with a label": found,
    }  # fmt: skip
    return figures, {
        "slowest query, ms of the server": {"value": worst, "at_most": 50},
        "median page, ms of server and client": {"value": statistics.median(pages), "at_most": 100},
        "share of the 10 best found, mean": {
            "value": statistics.mean(share for shares in found.values() for share in shares),
            "at_least": 0.9,
        },
    }


def quality(data: Path) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Print recall and nDCG on each labelled set, on each database."""
    rows, bars, rates = [], {}, []
    for labelled in search_quality.sets(data):
        peer = search_quality.of_bm25s(labelled)
        cells: list[Any] = [labelled.name, len(labelled.texts), len(labelled.queries), peer.recall, peer.ndcg]
        with servers.folder() as home, servers.postgres(home / "postgres") as url:
            for name, address in (("SQLite", f"sqlite:///{home}/docmill.db"), ("PostgreSQL", url)):
                store = Store(address)
                upgrade(store)
                own, a_second = search_quality.of_store(store, labelled)
                store.close()
                cells += [own.recall, own.ndcg]
                rates.append((labelled.name, name, round(a_second)))
                bars[f"{labelled.name} on {name}, nDCG@10 beside bm25s"] = {
                    "value": own.ndcg / peer.ndcg,
                    "at_least": 0.99,
                }
        rows.append(cells)
    columns = ["", "texts", "queries", "bm25s recall", "nDCG@10"]
    report.table(
        "Labelled sets: recall and nDCG in the first 10",
        [*columns, "SQLite recall", "nDCG@10", "PostgreSQL recall", "nDCG@10"],
        rows,
    )
    report.table(
        "Documents indexed in a second of a processor",
        ["set", "database", "documents"],
        list(map(list, rates)),
    )
    return {"sets": rows, "indexed a second": rates}, bars


def main(data: Path, n: int) -> None:
    """Print the tables and the figures; exit 1 if a bar is missed."""
    print(report.machine())
    figures, bars = quality(data)
    of_large, more = large(n) if n else ({}, {})
    report.end(figures | of_large, bars | more)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--documents", type=int, default=1_000_000, help="0 leaves the large store out")
    given = parser.parse_args()
    main(given.data, given.documents)
