"""Which pages are copied: those that other pages link to, each kind of page up to a limit; and the file of each."""

from __future__ import annotations

import hashlib
import heapq
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from starlette.applications import Starlette
from starlette.routing import Match, Route

from docmill.web.static_copy.asking import HOST
from docmill.web.views import documents as document_pages
from docmill.web.views import jobs as job_pages
from docmill.web.views import nights as night_pages

_ORIGIN = f"http://{HOST}"
#: Characters of a name in the name of a file; a hash tells files apart.
_SLUG_CHARS = 40


@dataclass(frozen=True)
class Limits:
    """The most that is copied: the newest jobs and nights, and documents of each collection by key."""

    jobs: int = 200
    nights: int = 60
    documents: int = 200

    @property
    def words(self) -> str:
        """For people."""
        of_each = f"at most {self.documents:,} documents of each collection"
        return (
            f"the newest {self.jobs:,} jobs and {self.nights:,} nights, and "
            f"{of_each if self.documents else 'no documents'}"
        )


@dataclass(frozen=True)
class _Rule:
    """Of one route."""

    #: Pages with a low number are read first: what they link to is copied rather than what others link to.
    turn: int
    most: int
    #: What its query may have; a link with anything else is not followed, since it shows a part of another page.
    query: frozenset[str] = frozenset()
    #: Part of the query: `most` is for each of its values.
    each: str | None = None


def _rules(limits: Limits) -> dict[str, _Rule]:
    """By the name of a route. Others are not copied: they need a server."""
    listed = -(-limits.documents // document_pages.MOST)
    return {
        "overview": _Rule(0, 1),
        "jobs": _Rule(1, -(-limits.jobs // job_pages.MOST), frozenset({"before"})),
        "nights": _Rule(1, -(-limits.nights // night_pages.MOST), frozenset({"before"})),
        "quarantine": _Rule(1, 1),
        "models": _Rule(1, 1),
        "workers": _Rule(1, 1),
        "collections": _Rule(1, 1),
        "job": _Rule(2, limits.jobs),
        "job_results": _Rule(3, limits.jobs),
        "digest": _Rule(3, limits.nights),
        "figures": _Rule(3, 1_000, frozenset({"model", "version"})),
        "documents": _Rule(4, listed, frozenset({"collection", "key", "after"}), "collection"),
        "document": _Rule(5, limits.documents, frozenset({"collection", "key"}), "collection"),
    }


@dataclass
class Pages:
    """The pages of the copy: which there are, and which are still to be read."""

    app: Starlette
    limits: Limits
    #: By the address of each page: its file.
    files: dict[str, str] = field(default_factory=dict)
    #: By the name of a route: addresses of pages that are linked to and not copied.
    left_out: dict[str, set[str]] = field(default_factory=dict)
    _to_read: list[tuple[int, int, str]] = field(default_factory=list)
    _n: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rules = _rules(self.limits)

    def next(self) -> str | None:
        """The address of the page to read now."""
        return heapq.heappop(self._to_read)[2] if self._to_read else None

    def link(self, href: str, on: str) -> str | None:
        """What a link of the page `on` becomes: the file, relative to that page's; None if it is not copied, or
        nothing that a browser opens. Links to other sites stay as they are."""
        found = urlsplit(urljoin(_ORIGIN + on, href))
        if f"{found.scheme}://{found.netloc}" != _ORIGIN:
            return href if found.scheme in ("http", "https") else None
        if href.startswith("#"):
            return href
        query = sorted(parse_qsl(found.query))
        address = found.path + (f"?{urlencode(query)}" if query else "")
        if address not in self.files and not self._add(address, found.path, dict(query)):
            return None
        relative = posixpath.relpath(self.files[address], posixpath.dirname(self.files[on]) or ".")
        return relative + (f"#{found.fragment}" if found.fragment else "")

    def begin(self, address: str = "/") -> None:
        """Where the copy begins."""
        assert self._add(address, address, {})

    def _add(self, address: str, path: str, query: dict[str, str]) -> bool:
        name = self._route(path)
        rule = self._rules.get(name)
        if rule is None or not query.keys() <= rule.query:
            return False
        counted = (name, query.get(rule.each, "") if rule.each else "")
        if self._n[counted] >= rule.most:
            self.left_out.setdefault(name, set()).add(address)
            return False
        self._n[counted] += 1
        self.files[address] = _file_of(path, query)
        heapq.heappush(self._to_read, (rule.turn, len(self.files), address))
        return True

    def _route(self, path: str) -> str:
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "root_path": ""}
        for route in self.app.routes:
            if isinstance(route, Route) and route.matches(scope)[0] == Match.FULL:
                return route.name
        return ""


def _file_of(path: str, query: dict[str, str]) -> str:
    """jobs/3.html, document/inbox-report-pdf-0f3a....html: ASCII, and the same in every copy."""
    stem = path.strip("/") or "index"
    if not query:
        return f"{stem}.html"
    words = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(query.values())).strip("-")[:_SLUG_CHARS].lower()
    digest = hashlib.sha256(urlencode(sorted(query.items())).encode()).hexdigest()[:16]
    return f"{stem}/{words + '-' if words else ''}{digest}.html"
