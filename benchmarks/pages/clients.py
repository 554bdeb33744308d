"""Clients of the pages: many at once, and listeners of the live progress. They run in a process of their own.

    python -m benchmarks.pages.clients load URL COOKIE CLIENTS SECONDS PATH...
    python -m benchmarks.pages.clients listen URL COOKIE LISTENERS SECONDS

Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from urllib.parse import urlsplit


async def _get(host: str, port: int, path: str, cookie: str) -> int:
    """The status of one request."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: {host}\r\ncookie: docmill_session_80={cookie}\r\n"
        "connection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0


async def load(url: str, cookie: str, clients: int, seconds: float, paths: list[str]) -> dict[str, float]:
    """Each client asks for page after page, without a pause."""
    found = urlsplit(url)
    until = time.monotonic() + seconds
    times: list[float] = []
    refused = 0

    async def one(number: int) -> None:
        nonlocal refused
        turn = number
        while time.monotonic() < until:
            began = time.perf_counter()
            status = await _get(found.hostname or "", found.port or 80, paths[turn % len(paths)], cookie)
            times.append(time.perf_counter() - began)
            refused += status != 200
            turn += 1

    await asyncio.gather(*(one(n) for n in range(clients)))
    return {
        "requests": len(times),
        "refused": refused,
        "requests a second": len(times) / seconds,
        "median seconds": statistics.median(times),
        "p95 seconds": statistics.quantiles(times, n=20)[-1],
    }


async def listen(url: str, cookie: str, listeners: int, seconds: float) -> dict[str, float]:
    """Each listener holds the stream open; the messages that each has heard are counted."""
    found = urlsplit(url)

    async def one() -> int:
        reader, writer = await asyncio.open_connection(found.hostname, found.port)
        writer.write(
            f"GET /events HTTP/1.1\r\nhost: {found.hostname}\r\ncookie: docmill_session_80={cookie}\r\n\r\n".encode()
        )
        heard = 0
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                line = await asyncio.wait_for(reader.readline(), left)
            except TimeoutError:
                break
            heard += line.startswith(b"data:")
        writer.close()
        return heard

    heard = await asyncio.gather(*(one() for _ in range(listeners)))
    return {"fewest messages": min(heard), "most messages": max(heard)}


if __name__ == "__main__":
    what, url_, cookie_, n_, seconds_, *rest = sys.argv[1:]
    work = load(url_, cookie_, int(n_), float(seconds_), rest) if what == "load" else listen(
        url_, cookie_, int(n_), float(seconds_)
    )  # fmt: skip
    print(json.dumps(asyncio.run(work)))
