"""Where ranges of dates and times may be in a text: around a hyphen, a tilde or a word that links two numbers. Few
places have one, so the patterns of ranges are tried nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator

_link = re.compile(
    r"[-–—~∼～〜](?=\s?\d|\s?[A-Z][a-z]{2})|(?<=[월일시분)])(?:부터|에서)(?=\s?\d)"
    r"|(?<=\s)(?:to|through|until)(?=\s(?:\d|[A-Z][a-z]{2}))|(?<=\d\sand)(?=\s\d)"
)
#: The longest end of a range, and what is looked at beyond it.
_CHARS = 60


def around_links(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that may have a range, in order and apart."""
    start = end = 0
    for found in _link.finditer(text):
        if found.start() - _CHARS > end:
            if end:
                yield start, end
            start = found.start() - _CHARS
        end = found.end() + _CHARS
    if end:
        yield max(0, start), end
