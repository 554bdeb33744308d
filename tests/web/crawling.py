"""Follows every link of the pages, and reads what they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from tests.web.conftest import Browser

#: Of one path, at most so many addresses: lists lead to many things of the same sort.
EACH = 3


@dataclass
class Page(HTMLParser):
    """The elements of a page that could do something."""

    links: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    #: Names of fields, by the address that their form is sent to with GET.
    fields: dict[str, set[str]] = field(default_factory=dict)
    #: Anything that a page of ours never has.
    foreign: list[str] = field(default_factory=list)
    _form: str = ""

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("img", "iframe", "object", "embed", "base"):
            self.foreign.append(tag)
        self.foreign += [f"{tag} {name}" for name in values if name.startswith("on") or name == "srcdoc"]
        for name in ("href", "src", "action", "formaction"):
            if (value := values.get(name)) and not value.startswith(("/", "?", "#")):
                self.foreign.append(f"{tag} {name}={value}")
        if tag == "a" and (href := values.get("href")):
            self.links.append(href)
        if tag == "script":
            self.scripts.append(values.get("src") or "inline")
        if tag == "form":
            self._form = (values.get("action") or "") if values.get("method") == "get" else ""
        if tag in ("input", "select") and self._form and (name := values.get("name")):
            self.fields.setdefault(self._form, set()).add(name)


def crawl(browser: Browser, start: str = "/") -> dict[str, tuple[str, Page]]:
    """Address -> its text and its page, of every page that links lead to."""
    found: dict[str, tuple[str, Page]] = {}
    waiting, n_of = [start], dict[str, int]()
    while waiting:
        address = waiting.pop()
        path = "".join("1" if one.isdigit() else one for one in urlsplit(address).path)
        if address in found or n_of.get(path, 0) >= EACH:
            continue
        n_of[path] = n_of.get(path, 0) + 1
        answer = browser.get(address)
        assert answer.status_code in (200, 404, 409), f"{address}: {answer.status_code}\n{answer.text}"
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page = Page()
        page.feed(answer.text)
        found[address] = (answer.text, page)
        waiting += [urljoin(address, link).partition("#")[0] for link in page.links]
    return found
