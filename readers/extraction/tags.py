"""Tags as people write them (HTML, XHTML, DART's XML): events for a handler, whatever is open or wrong.

Time is linear in the text. Independent of the vocabulary, except the elements that hold no markup.
"""

from __future__ import annotations

import re
from html import unescape

from readers.extraction.limits import Budget
from readers.extraction.xml import Handler

_TAG = re.compile(
    r"<(/?)([A-Za-z][A-Za-z0-9:_.-]{0,60})((?:\s(?>[^<>\"']+|\"[^\"<]*\"|'[^'<]*')*+|\s[^<>]*|/)?)>"
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
#: Their content is no markup.
_RAW = frozenset(("script", "style", "textarea", "xmp", "noembed", "noframes"))
#: The clock and the budget are checked after this many tags.
_TAGS_PER_TICK = 5000


def parse(text: str, handler: Handler, budget: Budget, *, keep_case: bool = False) -> None:
    """Tells a handler of all tags, names in lower case unless asked otherwise, and of the text between them."""
    position, n_tags = 0, 0
    unclosed: set[str] = set()
    while (at := text.find("<", position)) >= 0:
        n_tags += 1
        if n_tags % _TAGS_PER_TICK == 0:
            budget.tick()
        skipped = _declaration_end(text, at, unclosed)
        if skipped is not None:
            _tell(handler, text[position:at])
            end, content = skipped
            if content:
                handler.text(content)
            position = end
            continue
        match = _TAG.match(text, at)
        if match is None:
            _tell(handler, text[position : at + 1])
            position = at + 1
            continue
        _tell(handler, text[position:at])
        position = match.end()
        name = match[2] if keep_case else match[2].lower()
        if match[1]:
            handler.end(name)
            continue
        handler.start(name, _attributes(match[3]))
        if match[3].endswith("/"):
            handler.end(name)
        elif name in _RAW and name not in unclosed:
            position = _raw(text, position, name, handler, unclosed)
    _tell(handler, text[position:])


def _tell(handler: Handler, text: str) -> None:
    if text:
        handler.text(unescape(text) if "&" in text else text)


def _attributes(rest: str) -> dict[str, str]:
    if "=" not in rest:
        return {}
    found = _ATTRIBUTE.findall(rest)
    return {name.lower(): unescape(one or two or three) for name, one, two, three in found}


def _declaration_end(text: str, at: int, unclosed: set[str]) -> tuple[int, str] | None:
    """Where a comment, a CDATA section, a declaration or an instruction ends, and what it shows."""
    mark = text[at + 1 : at + 2]
    if mark not in ("!", "?"):
        return None
    for start, end in (("<!--", "-->"), ("<![CDATA[", "]]>")):
        if text.startswith(start, at):
            if end in unclosed:
                return at + len(start), ""
            close = text.find(end, at + len(start))
            if close < 0:
                unclosed.add(end)
                return at + len(start), ""
            return close + len(end), text[at + 9 : close] if start == "<![CDATA[" else ""
    close = text.find(">", at, at + 10_000)
    return (close + 1, "") if close >= 0 else None


def _raw(text: str, position: int, name: str, handler: Handler, unclosed: set[str]) -> int:
    """Past an element that holds no markup. An element without an end hides nothing."""
    closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, position)
    if closing is None:
        unclosed.add(name)
        return position
    handler.text(text[position : closing.start()])
    handler.end(name)
    return closing.end()
