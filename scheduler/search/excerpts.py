"""The part of a text that answers a query, with its words marked. Bounded, however long the text is."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nlp_tasks import search_words

#: Characters of an excerpt.
CHARS = 200
#: Characters that are analysed: at the beginning, and around a place that looks right.
_HEAD_CHARS, _AROUND_CHARS = 2_000, 600
#: Places that are compared.
_MOST_PLACES = 2_000
_space = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text, without line breaks and markup."""

    text: str
    #: (start, end) of the words in `text` that the query has, in order.
    marks: tuple[tuple[int, int], ...] = ()
    #: Whether the text has more before it, and after it.
    begins_inside: bool = False
    ends_inside: bool = False


def of(text: str, words: Collection[str], chars: int = CHARS) -> Excerpt:
    """The excerpt of a text with the most different words of a query, which is reduced (search_words)."""
    body = _space.sub(" ", search_words.plain(text)).strip()
    if not words:
        end = _end(body, 0, chars)
        return Excerpt(body[:end], ends_inside=end < len(body))
    start = _best(body, words, chars)
    found = _marked(body, words, start, chars)
    if not found and start:
        start, found = 0, _marked(body, words, 0, chars)
    if not found:
        head = _matching(body[:_HEAD_CHARS], words)
        start = _begin(body, head[0][0], chars) if head else 0
        found = _marked(body, words, start, chars)
    end = _end(body, start, chars)
    marks = tuple((a - start, b - start) for a, b in found if a >= start and b <= end)
    return Excerpt(body[start:end], marks, start > 0, end < len(body))


def _marked(body: str, words: Collection[str], start: int, chars: int) -> list[tuple[int, int]]:
    """The words of the query from `start` on. The text around is analysed too, since words depend on it."""
    low = max(0, start - _AROUND_CHARS // 4)
    low = body.rfind(" ", 0, low) + 1 if low else 0
    part = body[low : start + chars + _AROUND_CHARS // 4]
    return [
        (low + a, low + b) for a, b in _matching(part, words) if low + a >= start and low + b <= start + chars
    ]


def _matching(part: str, words: Collection[str]) -> list[tuple[int, int]]:
    return [(a, b) for a, b, word in search_words.located(part) if word in words]


def _best(body: str, words: Collection[str], chars: int) -> int:
    """Where an excerpt with many different words may begin: found by the letters that words begin with."""
    if len(body) <= chars:
        return 0
    places = _places(body, words)
    best, best_at = 0, 0
    left, counts = 0, {}  # type: ignore[var-annotated]
    for at, word in places:
        counts[word] = counts.get(word, 0) + 1
        while at - places[left][0] > chars - 40:
            counts[places[left][1]] -= 1
            if not counts[places[left][1]]:
                del counts[places[left][1]]
            left += 1
        if len(counts) > best:
            best, best_at = len(counts), places[left][0]
    return _begin(body, best_at, chars)


def _places(body: str, words: Collection[str]) -> list[tuple[int, str]]:
    beginnings = {_beginning(word): word for word in words}
    pattern = "|".join(re.escape(each) for each in sorted(beginnings, key=len, reverse=True))
    found = []
    for match in re.finditer(pattern, body, re.IGNORECASE):
        at = match.start()
        letter = match.group()[0]
        if letter.isascii() and at and body[at - 1].isalnum() and body[at - 1].isascii():
            continue  # inside of another word
        found.append((at, match.group().lower()))
        if len(found) == _MOST_PLACES:
            break
    return found


def _beginning(word: str) -> str:
    """What the forms of a word have in common: "studi" of "study", 아름답 of 아름답다."""
    if word.isascii():
        return word[:-1] if len(word) > 3 and word.endswith(("i", "e")) else word
    return word[:-1] if len(word) > 1 and word.endswith("다") else word


def _begin(body: str, at: int, chars: int) -> int:
    """The beginning of a word a little before a place; the beginning of the text if that is near."""
    if at <= chars // 4:
        return 0
    start = max(0, min(at - chars // 6, len(body) - chars))
    space = body.find(" ", start, at)
    return space + 1 if start and space >= 0 else start


def _end(body: str, start: int, chars: int) -> int:
    end = start + chars
    if end >= len(body):
        return len(body)
    space = body.rfind(" ", start + chars // 2, end)
    return space if space > 0 else end


def pieces(excerpt: Excerpt) -> Sequence[tuple[str, bool]]:
    """The excerpt as (characters, whether they are marked); nothing in it is HTML."""
    found, at = [], 0
    for start, end in excerpt.marks:
        if start > at:
            found.append((excerpt.text[at:start], False))
        found.append((excerpt.text[start:end], True))
        at = end
    if at < len(excerpt.text):
        found.append((excerpt.text[at:], False))
    return found
