"""The pages over 1,000,000 documents and 10,000,000 outcomes on PostgreSQL.

    python -m benchmarks.pages [--documents 1000000] [--outcomes 10000000] [--requests 30] [--show]

Measured: the server's time for each page, every query behind it, 50 clients at once, and 200 listeners of the live
progress. --show prints the slowest queries.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import uvicorn
from sqlalchemy import text
from starlette.testclient import TestClient

from benchmarks import report, servers
from benchmarks.pages import stores
from benchmarks.pages.stores import Size
from benchmarks.pages.watching import Queries, Timed, processor_seconds
from db import access
from db.migrations import upgrade
from db.store import Store
from docmill.web.app import create_app

PAGE_SECONDS, QUERY_SECONDS = 0.1, 0.05
CLIENTS, CLIENT_SECONDS = 50, 15.0
LISTENERS, LISTEN_SECONDS = 200, 40.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--outcomes", type=int, default=10_000_000)
    parser.add_argument("--requests", type=int, default=30, help="requests of each page")
    parser.add_argument("--show", action="store_true", help="print the slowest queries")
    parser.add_argument("--url", help="a store that is filled already with these numbers")
    asked = parser.parse_args()
    size = Size(asked.documents, asked.outcomes)
    print(report.machine())
    with _filled(size, asked.url) as store:
        figures, bars = measure(store, size, asked.requests, asked.show)
    report.end(figures, bars)


@contextmanager
def _filled(size: Size, url: str | None) -> Iterator[Store]:
    if url is not None:
        yield (store := Store(url, pool_size=20, max_overflow=30))
        store.close()
        return
    with servers.folder() as home, servers.postgres(home / "postgres") as made:
        store = Store(made, pool_size=20, max_overflow=30)
        upgrade(store)
        began = time.perf_counter()
        stores.fill(store, size)
        print(f"filled in {time.perf_counter() - began:.0f} s")
        yield store
        store.close()


def measure(
    store: Store, size: Size, n_requests: int, show: bool = False
) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Print a table; returns figures and bars."""
    queries = Queries()
    queries.listen(store.engine)
    app = create_app(store, hosts=("*",))
    with store.write() as session:
        cookie = access.begin_session(session, None)
    assert cookie is not None
    figures: dict[str, Any] = {"documents": size.documents, "outcomes": size.outcomes}
    bars: dict[str, dict[str, float]] = {}
    rows, slow = [], []
    timed = Timed(app)
    with TestClient(timed, base_url="http://localhost", cookies={"docmill_session_80": cookie}) as client:
        for name, paths in pages(store, size).items():
            timed.seconds.clear()
            used = processor_seconds(store)
            seen = len(queries.ran)
            for turn in range(n_requests):
                answer = client.get(paths[turn % len(paths)])
                assert answer.status_code == 200, (name, paths[turn % len(paths)], answer.text)
            ran = queries.since(seen)
            used = (processor_seconds(store) - used) / n_requests
            median, first, slowest = (
                statistics.median(timed.seconds),
                timed.seconds[0],
                max(ran, key=lambda q: q[1]),
            )
            times = [1000 * seconds for seconds in (median, min(timed.seconds), first, max(timed.seconds))]
            rows.append([name, *times, 1000 * used, len(ran) / n_requests, 1000 * slowest[1]])
            slow += [(name, *query) for query in sorted(ran, key=lambda q: -q[1])[:3]]
            figures[name] = {
                "processor_ms": 1000 * used,
                "median_ms": 1000 * median, "first_ms": 1000 * first, "slowest_query_ms": 1000 * slowest[1],
            }  # fmt: skip
            bars[f"{name}: seconds of the server, median"] = {"value": median, "at_most": PAGE_SECONDS}
            bars[f"{name}: seconds of the slowest query"] = {"value": slowest[1], "at_most": QUERY_SECONDS}
        every = [path for paths in pages(store, size).values() for path in paths[:3]]
    columns = ["page", "median ms", "best ms", "first ms", "most ms", "CPU ms", "queries", "slowest query ms"]
    report.table(f"{size.documents:,} documents, {size.outcomes:,} outcomes", columns, rows)
    if show:
        for name, query, seconds in sorted(slow, key=lambda one: -one[2])[:12]:
            print(f"\n{name}: {1000 * seconds:.1f} ms\n{query}")
    with _serving(app) as url:
        crowd = _ended(_clients("load", url, cookie, CLIENTS, CLIENT_SECONDS, every))
        listening = _clients("listen", url, cookie, LISTENERS, LISTEN_SECONDS, [])
        # By then all of them listen; who they are was found out when they came.
        time.sleep(LISTEN_SECONDS / 2)
        seen = len(queries.ran)
        time.sleep(LISTEN_SECONDS / 4)
        a_second = len(queries.since(seen)) / (LISTEN_SECONDS / 4)
        listened = _ended(listening)
    figures |= {"50 clients": crowd, "200 listeners": listened | {"queries a second": a_second}}
    bars |= {
        "50 clients at once: answers that were not 200": {"value": crowd["refused"], "at_most": 0},
        "50 clients at once: seconds until an answer, 95 of 100": {
            "value": crowd["p95 seconds"],
            "at_most": 3,
        },
        "200 listeners: queries a second in all": {"value": a_second, "at_most": 1.2},
        "200 listeners: fewest messages heard in 40 s": {
            "value": listened["fewest messages"],
            "at_least": 25,
        },
    }
    return figures, bars


def pages(store: Store, size: Size) -> dict[str, list[str]]:
    """Addresses of each page, of different things."""
    with store.read() as session:
        ids = ", ".join(str(1 + n * size.large // 30) for n in range(30))
        query = (
            "SELECT c.name, d.key FROM document d JOIN collection c ON c.id = d.collection_id WHERE d.id IN "
        )
        documents = [tuple(row) for row in session.execute(text(f"{query} ({ids})"))]
    last = size.last_job
    return {
        "overview": ["/"],
        "jobs": [
            "/jobs",
            "/jobs?state=finished",
            "/jobs?kind=classify",
            "/jobs?collection=news&state=failing",
        ],
        "jobs, rare filter": ["/jobs?kind=train-nothing", "/jobs?collection=inbox", "/jobs?state=cancelled"],
        "jobs, far back": [f"/jobs?before={last // 2}"],
        "job that failed": [f"/jobs/{last}"],
        "job that failed in part": [f"/jobs/{last - 1}"],
        "job that runs": [f"/jobs/{last + 1}"],
        "job": [f"/jobs/{last - 2 - n}" for n in range(20)],
        "collections": ["/collections"],
        "documents": [
            "/documents?collection=news",
            f"/documents?collection=news&after={quote(documents[0][1])}",
        ],
        "documents by key": [
            f"/documents?collection=news&key={key}" for key in ("folder/ab", documents[1][1], "none")
        ],
        "document": [f"/document?collection={quote(name)}&key={quote(key)}" for name, key in documents],
        "search, one word": [f"/search?q={stores.word(n)}" for n in (0, 5, 100, 3_000)],
        "search, several words": [
            f"/search?q={'+'.join(map(stores.word, words))}"
            for words in ((0, 1, 2), (3, 9, 40, 700), (20, 5_000))
        ],
        "search, with conditions": [
            f"/search?q={stores.word(0)}+{stores.word(4)}+label:sport",
            f"/search?q={stores.word(2)}+chars:>300&collection=inbox",
        ],
        "models": ["/models"],
        "nights": ["/nights", "/nights?before=200"],
        "workers": ["/workers"],
        "quarantine": ["/quarantine"],
    }


@contextmanager
def _serving(app: Any) -> Iterator[str]:
    """A real server in a thread of this process, so that its queries are seen."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    server.force_exit = True
    thread.join(20)


def _clients(
    what: str, url: str, cookie: str, n: int, seconds: float, paths: list[str]
) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.pages.clients",
        what,
        url,
        cookie,
        str(n),
        str(seconds),
        *paths,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _ended(clients: subprocess.Popen[str]) -> dict[str, float]:
    told, _ = clients.communicate()
    found: dict[str, float] = json.loads(told)
    return found


if __name__ == "__main__":
    main()
