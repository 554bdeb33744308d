"""A page of the server as a file: links lead to files, what needs a server is left out, the style is in the page, and a
policy says that nothing else is loaded or run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from pathlib import Path

#: What is left out with everything in it.
_DROPPED = frozenset(
    ["script", "button", "label", "select", "textarea", "datalist", "template", "iframe", "object"]
)
#: What is left out and has no end tag.
_DROPPED_VOID = frozenset(["input", "embed", "base"])
#: Tags that are left out; what is between them stays.
_UNWRAPPED = frozenset(["form", "fieldset"])
#: What a page of one file begins with: it has a style and a policy of its own.
_OWN_POLICY = '<meta http-equiv="content-security-policy"'
Attributes = list[tuple[str, str | None]]


class Style:
    """The stylesheet as every page has it, and the policy that allows it alone."""

    def __init__(self, file: Path) -> None:
        css = file.read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
        self.element = f"<style>{css}</style>"
        # 'self' means nothing in a page that was opened as a file.
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'none'; base-uri 'none'"
        self.policy = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


def as_file(page: str, link: Callable[[str], str | None], style: Style, about: str) -> str:
    """`link` says what an address becomes, None if it is not copied; `about` is told at the top of the page."""
    parser = _Rewriter(link, None if _OWN_POLICY in page.lower() else style, about)
    parser.feed(page)
    parser.close()
    return "".join(parser.written)


class _Rewriter(HTMLParser):
    def __init__(self, link: Callable[[str], str | None], style: Style | None, about: str) -> None:
        super().__init__(convert_charrefs=False)
        self.written: list[str] = []
        self._link, self._style, self._about = link, style, about
        #: Names of elements that are open and left out, from the outermost.
        self._inside: list[str] = []
        #: For each <a> that is open, how it ends.
        self._anchors: list[str] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag in _DROPPED:
            self._inside.append(tag)
        elif not self._inside and tag not in _DROPPED_VOID and tag not in _UNWRAPPED:
            self._start(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if not self._inside and tag not in _DROPPED | _DROPPED_VOID | _UNWRAPPED:
            self._start(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            if tag in self._inside:
                del self._inside[self._inside.index(tag) :]
        elif not self._inside and tag not in _UNWRAPPED:
            self._write(self._anchors.pop() if tag == "a" and self._anchors else f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self._write(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._write(f"<!{decl}>")

    def _write(self, text: str) -> None:
        self.written.append(text)

    def _start(self, tag: str, attrs: Attributes) -> None:
        if tag == "link":
            self._stylesheet(dict(attrs))
        elif tag == "a":
            self._anchor(attrs)
        else:
            self._write(self.get_starttag_text() or "")
        if tag == "head" and self._style is not None:
            self._write(f"\n  {self._style.policy}")
        if tag == ("main" if self._style is not None else "body"):
            self._write(f'\n<p class="soft">{self._back()}{escape(self._about)}</p>')

    def _back(self) -> str:
        """A page of one file has no menu."""
        first = self._link("/") if self._style is None else None
        return f'<a href="{escape(first)}">docmill</a> · ' if first else ""

    def _stylesheet(self, attrs: dict[str, str | None]) -> None:
        if attrs.get("rel") == "stylesheet" and self._style is not None:
            self._write(self._style.element)

    def _anchor(self, attrs: Attributes) -> None:
        wanted = dict(attrs).get("href")
        found = None if wanted is None else self._link(wanted)
        if wanted is not None and found is None:
            self._write('<span title="not in this copy">')
            self._anchors.append("</span>")
            return
        changed = [(name, found if name == "href" else value) for name, value in attrs]
        self._write(f"<a{''.join(_attribute(name, value) for name, value in changed)}>")
        self._anchors.append("</a>")


def _attribute(name: str, value: str | None) -> str:
    return f" {name}" if value is None else f' {name}="{escape(value)}"'
