"""A server of objects on loopback: a web server, and S3 with path-style URLs. It can fail as real ones do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 3


@dataclass
class Storage:
    """What is stored, by path without the leading slash ("bucket/key" for S3), and how the server behaves."""

    objects: dict[str, bytes] = field(default_factory=dict)
    #: What the next requests of an object get instead: a status, "cut" (half of the content), or a URL to redirect to.
    faults: list[int | str] = field(default_factory=list)
    #: "METHOD path", with the range if one was asked for.
    requests: list[str] = field(default_factory=list)
    has_etags: bool = True
    has_dates: bool = True
    port: int = 0

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def n_requests(self, beginning: str) -> int:
        return sum(each.startswith(beginning) for each in self.requests)


@contextmanager
def storage_server() -> Iterator[Storage]:
    """The server, until the end of the context."""
    storage = Storage()

    class Handler(_Handler):
        of = storage

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    storage.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: Storage
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path).lstrip("/"), parse_qs(url.query)
        asked = self.headers.get("Range")
        self.of.requests.append(f"{self.command} {path}" + (f" {asked}" if asked else ""))
        if "list-type" in query:
            self._list(path.rstrip("/"), query)
            return
        fault = self.of.faults.pop(0) if self.of.faults else None
        if isinstance(fault, int):
            self._send(fault, b"<Error><Code>Fault</Code></Error>", {})
        elif fault is not None and fault != "cut":
            self._send(302, b"", {"Location": fault})
        elif path not in self.of.objects:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", {})
        else:
            self._object(self.of.objects[path], asked, is_cut=fault == "cut")

    def _object(self, content: bytes, asked: str | None, *, is_cut: bool) -> None:
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        headers = {"ETag": etag} if self.of.has_etags else {}
        if self.of.has_dates:
            headers["Last-Modified"] = formatdate(1_700_000_000, usegmt=True)
        if self.headers.get("If-Match", etag) != etag:
            self._send(412, b"", headers)
            return
        if asked and self.headers.get("If-Range", etag) == etag:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            end = int(asked.partition("-")[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            self._send(206, content[start : end + 1], headers, is_cut=is_cut)
        else:
            self._send(200, content, headers, is_cut=is_cut)

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix = f"{bucket}/{query.get('prefix', [''])[0]}"
        names = sorted(name for name in self.of.objects if name.startswith(prefix))
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        rest = [name for name in names if name > after]
        contents = "".join(
            f"<Contents><Key>{escape(name.removeprefix(bucket + '/'))}</Key><Size>{len(self.of.objects[name])}</Size>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{hashlib.md5(self.of.objects[name]).hexdigest()}&quot;</ETag></Contents>"
            for name in rest[:PAGE]
        )
        more = len(rest) > PAGE
        token = f"<NextContinuationToken>{quote(rest[PAGE - 1])}</NextContinuationToken>" if more else ""
        body = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{contents}{token}</ListBucketResult>"
        self._send(200, body.encode(), {"Content-Type": "application/xml"})

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, is_cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if is_cut else body)
        if is_cut:
            self.wfile.flush()
            self.close_connection = True
