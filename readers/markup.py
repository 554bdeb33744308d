"""Markup in a text (HTML, XML, SGML filings): the visible text, and its offsets in the stored text.

Knows tags and entities by name only. A text is markup if something in it can be nothing else: a closing tag, a line
break, a tag with attributes, a comment. In any other text only entities are replaced: `a < b`, `<3`, `vector<int>`,
`R&D` and code between backticks stay as they are. Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.entities import name2codepoint


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Tags that end a line: another sentence, heading or cell follows.
_BLOCK = _set(
    "address article aside base blockquote body br button caption center col colgroup dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe isindex "
    "label legend li link main menu meta nav noframes noscript object ol optgroup option p param pre script section "
    "select source style summary svg table tbody td template textarea tfoot th thead title tr ul video audio"
)
#: Tags inside a sentence.
_INLINE = _set(
    "a abbr acronym b bdi bdo big cite code data del dfn em embed font i img input ins kbd map area mark nobr output "
    "picture progress q rp rt ruby s samp small span strike strong sub sup time tt u var wbr"
)
#: Tags whose content is not visible text.
_HIDDEN = _set("script style template svg")
#: Attributes without a value. With any other word it is not a tag: "if a <b and c> d".
_FLAGS = _set("nowrap noshade checked selected disabled compact hidden async defer reversed open required")
#: Entities that are mathematical signs or Greek letters, but may as well be variables in code (&sum;).
_SIGNS = _set("not image real part prop lang rang")

_TOKEN = re.compile(
    r"(?P<code>```.*?```|(?<!`)`[^`\n]{1,200}`(?!`))"
    r"|(?P<comment><!--)"
    r"|(?P<declaration><!(?i:doctype)\b[^<>]*>|<\?[a-z][^<>]*\?>|<!\[CDATA\[|\]\]>)"
    r"|<(?P<closing>/?)(?P<name>[A-Za-z][A-Za-z0-9:_-]{0,40})"
    r"(?P<rest>\s(?>[^<>\"']+|\"[^\"<]*\"|'[^'<]*')*+|\s[^<>]*|/?)>"
    r"|&(?:amp;)*(?P<entity>#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,10});",
    re.DOTALL,
)
_PAGE = re.compile(r"<(?:!doctype|html|body|\?xml)\b", re.IGNORECASE)
_ATTRIBUTE_VALUE = re.compile(r"[\w:.-]\s*=\s*\S")
_BREAK = "\n\n"
#: A text with at least one block tag for this many line ends is a page: its line ends are blanks.
_LINES_PER_TAG = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text that was replaced: `text[start:end]` reads as `shown`."""

    start: int
    end: int
    shown: str


class Plain:
    """A text without its markup, with a mapping to offsets in the stored text."""

    def __init__(self, text: str) -> None:
        pieces = list(_pieces(text))
        #: The visible text.
        self.text = text
        self._starts: list[int] = []  # in the plain text, of each piece and of the text after it
        self._origins: list[
            tuple[int, int]
        ] = []  # (start, end) of each; an end of -1: as long as it is shown
        if pieces:
            self.text = self._join(text, pieces)

    def _join(self, text: str, pieces: list[Piece]) -> str:
        is_page = _is_page(text, pieces)
        parts: list[str] = []
        length = after = 0
        for piece in [*pieces, Piece(len(text), len(text), "")]:
            copied = text[after : piece.start]
            self._starts += (length, length + len(copied))
            self._origins += ((after, -1), (piece.start, piece.end))
            parts += (copied.replace("\n", " ").replace("\r", " ") if is_page else copied, piece.shown)
            length += len(copied) + len(piece.shown)
            after = piece.end
        return "".join(parts)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The offsets in the stored text of `self.text[start:end]`, which must not be empty."""
        if not self._starts:
            return start, end
        return self._original(start)[0], self._original(end - 1)[1]

    def _original(self, offset: int) -> tuple[int, int]:
        """Start and end in the stored text of the source of one character."""
        index = bisect_right(self._starts, offset) - 1
        start, end = self._origins[index]
        if end >= 0:
            return start, end
        start += offset - self._starts[index]
        return start, start + 1


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that is known by its name, at `text[start:end]`."""

    name: str
    start: int
    end: int
    closes: bool


#: Anything that may be a tag.
TAG = re.compile(r"</?[A-Za-z!?][^<>]{0,2000}>")


def tags(text: str) -> Iterator[Tag]:
    """The tags of a text, from left to right, without those in code between backticks."""
    for match in _TOKEN.finditer(text):
        name = (match["name"] or "").lower()
        if name not in _BLOCK and name not in _INLINE:
            continue
        rest = match["rest"].strip(" \t\r\n/")
        if not rest or _ATTRIBUTE_VALUE.search(rest) or _FLAGS.issuperset(rest.lower().split()):
            yield Tag(name, match.start(), match.end(), bool(match["closing"]))


def looks_like_markup(text: str) -> bool:
    """Whether a text contains markup: a page, or a part of one."""
    return "<" in text and _has_tags(text)


def is_page(text: str) -> bool:
    """Whether the line ends of a text with markup are blanks, because its blocks are tagged."""
    return _is_page(text, list(_pieces(text)))


def plain(text: str) -> str:
    """The visible text; the text itself if it contains no markup."""
    return Plain(text).text


def _pieces(text: str) -> Iterator[Piece]:
    """The replacements, from left to right, without overlaps."""
    if "&" not in text and "<" not in text:
        return
    tagged, page = looks_like_markup(text), _PAGE.search(text) is not None
    unclosed: set[str] = set()
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        if match["code"]:
            position = match.end() if not page else match.start() + 1
            continue
        shown = _entity(match, tagged) if match["entity"] else _tag(match, tagged, page)
        if shown is None:
            position = match.start() + 1
            continue
        if match["comment"] or (match["name"] and not match["closing"]):
            position = _hidden_end(text, match, unclosed)
        yield Piece(match.start(), position, shown)


def _has_tags(text: str) -> bool:
    """Whether something in a text can only be markup."""
    for match in _TOKEN.finditer(text):
        if match["declaration"] or match["comment"]:
            return True
        name = (match["name"] or "").lower()
        if name not in _BLOCK and name not in _INLINE:
            continue
        if match["closing"] or name in ("br", "hr") or _ATTRIBUTE_VALUE.search(match["rest"]):
            return True
    return False


def _entity(match: re.Match[str], tagged: bool) -> str | None:
    """The character of an entity; None if it is not an entity."""
    name = match["entity"]
    code = 0 if name.startswith("#") else name2codepoint.get(name, 0)
    if not name.startswith("#") and name != "apos":
        is_sign = 0x370 <= code < 0x400 or 0x2190 <= code < 0x2700 or name in _SIGNS
        if not code or (is_sign and not tagged):
            return None
    shown = unescape(f"&{name};")
    if shown in ("\xa0", "\u2002", "\u2003", "\u2009"):
        return " "
    # unescape returns "" or U+FFFD for numbers that are not characters; soft hyphens and joiners are invisible
    return "" if shown in ("\xad", "\u200b", "\ufffd", "\0") else shown


def _tag(match: re.Match[str], tagged: bool, page: bool) -> str | None:
    """The replacement of a tag, a comment or a declaration; None if it is none of these."""
    if match["comment"]:
        return ""
    if match["declaration"]:
        return _BREAK
    name, rest = match["name"].lower(), match["rest"].strip(" \t\r\n/")
    if not tagged or not (name in _BLOCK or name in _INLINE or page):
        return None
    if rest and not _ATTRIBUTE_VALUE.search(rest) and not _FLAGS.issuperset(rest.lower().split()):
        return None
    return "" if name in _INLINE or name in _HIDDEN or ":" in name else _BREAK


def _hidden_end(text: str, match: re.Match[str], unclosed: set[str]) -> int:
    """The end of the hidden part: the end of the tag, or of the element for a closed script, style or comment."""
    name = "--" if match["comment"] else match["name"].lower()
    if name in unclosed or (name != "--" and name not in _HIDDEN) or match.group().endswith("/>"):
        return match.end()
    closing = re.compile(r"-->" if name == "--" else rf"</{name}\s*>", re.IGNORECASE)
    found = closing.search(text, match.end())
    if found is None:
        unclosed.add(name)
        return match.end()
    return found.end()


def _is_page(text: str, pieces: list[Piece]) -> bool:
    """Whether line ends are blanks, because blocks are tagged (unlike in SGML filings and notes)."""
    n_breaks = sum(piece.shown == _BREAK for piece in pieces)
    return _PAGE.search(text) is not None or n_breaks * _LINES_PER_TAG > text.count("\n") > 0 < n_breaks
