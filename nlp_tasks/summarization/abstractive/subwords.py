"""Text to subword tokens and back: byte pair encoding (Sennrich, Haddow and Birch 2016).

Frequent characters are the alphabet; any other character is encoded as its UTF-8 bytes, so that every text can be
encoded and decoded without loss, except that each run of blanks becomes one.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

from nlp_tasks import heartbeat

PAD, BEGIN, END, UNKNOWN = range(4)
_SPECIAL = ["<pad>", "<begin>", "<end>", "<unknown>"]
_BYTES = [f"<{byte:02x}>" for byte in range(256)]
#: Represents the blank before a word, as in SentencePiece.
_BLANK = "▁"
#: A run of letters, one digit, or a run of one punctuation mark; with the blank before it.
_word = re.compile(rf"{_BLANK}?(?:[^\W\d_]+|\d|_+|([^\w\s])\1*)|{_BLANK}")
#: Characters that occur less often are encoded as bytes; pairs that occur less often are not merged.
_FEWEST = 3

Pair: TypeAlias = tuple[str, str]


class Subwords:
    """A vocabulary with its merges. `len` is the number of token ids; the first four are PAD, BEGIN, END, UNKNOWN."""

    def __init__(self, alphabet: Sequence[str], merges: Sequence[Pair]) -> None:
        self._alphabet, self._merges = list(alphabet), list(merges)
        tokens = [*_SPECIAL, *_BYTES, *alphabet, *(left + right for left, right in merges)]
        self._tokens = list(dict.fromkeys(tokens))  # two merges may make one token
        self._ids = {token: number for number, token in enumerate(self._tokens)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._of_word = lru_cache(maxsize=100_000)(self._encode_word)

    def __len__(self) -> int:
        return len(self._tokens)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, without special ones."""
        return [id_ for match in _word.finditer(_spaced(text)) for id_ in self._of_word(match.group())]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; special ones are skipped."""
        parts: list[str] = []
        waiting = bytearray()  # bytes of an incomplete character
        for id_ in ids:
            if len(_SPECIAL) <= id_ < len(_SPECIAL) + len(_BYTES):
                waiting.append(id_ - len(_SPECIAL))
                continue
            parts.append(waiting.decode("utf-8", "replace"))
            waiting.clear()
            if id_ >= len(_SPECIAL):
                parts.append(self._tokens[id_])
        parts.append(waiting.decode("utf-8", "replace"))
        return "".join(parts).replace(_BLANK, " ").strip()

    def readable(self, text: str) -> list[str]:
        """The tokens of a text as text, without those that stand for bytes. A blank before a word is "▁"."""
        return [self._tokens[id_] for id_ in self.encode(text) if id_ >= len(_SPECIAL) + len(_BYTES)]

    def starts_word(self, id_: int) -> bool:
        """Whether a token begins a word after a blank."""
        return self._tokens[id_].startswith(_BLANK)

    def as_json(self) -> dict[str, Any]:
        """The vocabulary as values for config.json; `from_json` reads them."""
        return {"alphabet": "".join(self._alphabet), "merges": [list(pair) for pair in self._merges]}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Subwords:
        """The vocabulary that `as_json` wrote."""
        return cls(list(saved["alphabet"]), [(left, right) for left, right in saved["merges"]])

    def _encode_word(self, word: str) -> tuple[int, ...]:
        parts = [part for char in word for part in ([char] if char in self._ids else _as_bytes(char))]
        while len(parts) > 1:
            rank, place = min(
                (self._ranks.get(pair, len(self._ranks)), place) for place, pair in enumerate(pairwise(parts))
            )
            if rank == len(self._ranks):
                break
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return tuple(self._ids[part] for part in parts)


def learn(texts: Iterable[str], n_merges: int, beat: Callable[[], None] = lambda: None) -> Subwords:
    """Learn a vocabulary from texts: the most frequent pair of tokens is merged into a token, repeatedly.

    The same texts give the same vocabulary, whatever their order.
    """
    words: Counter[str] = Counter()
    for text in texts:
        words.update(match.group() for match in _word.finditer(_spaced(text)))
        beat()
    chars: Counter[str] = Counter()
    for word, n in heartbeat.beating(words.items()):
        for char in word:
            chars[char] += n
    alphabet = sorted({char for char, n in chars.items() if n >= _FEWEST} | {_BLANK})
    known = set(alphabet)
    frequent = [(word, n) for word, n in sorted(words.items()) if n > 1 and known.issuperset(word)]
    return Subwords(alphabet, _merges(frequent, n_merges, beat))


def _merges(words: Sequence[tuple[str, int]], n_merges: int, beat: Callable[[], None]) -> list[Pair]:
    spelled = [list(word) for word, _ in words]
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for index, (word, n) in enumerate(heartbeat.beating(words)):
        for pair in pairwise(word):
            counts[pair] += n
            where[pair].add(index)
    queue = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(queue)
    merges: list[Pair] = []
    while queue and len(merges) < n_merges:
        negative, pair = heapq.heappop(queue)
        if -negative != counts[pair]:
            if counts[pair] >= _FEWEST:
                heapq.heappush(queue, (-counts[pair], pair))
            continue
        if counts[pair] < _FEWEST:
            break
        merges.append(pair)
        changed: set[Pair] = set()
        for index in where.pop(pair):
            n = words[index][1]
            before, after = spelled[index], _merged(spelled[index], pair)
            for old in pairwise(before):
                counts[old] -= n
            for new in pairwise(after):
                counts[new] += n
                where[new].add(index)
                changed.add(new)
            spelled[index] = after
        for new in changed:
            heapq.heappush(queue, (-counts[new], new))
        beat()
    return merges


def _merged(parts: list[str], pair: Pair) -> list[str]:
    """The parts with every occurrence of the pair merged, from left to right."""
    merged: list[str] = []
    place = 0
    while place < len(parts):
        if parts[place] == pair[0] and place + 1 < len(parts) and parts[place + 1] == pair[1]:
            merged.append(pair[0] + pair[1])
            place += 2
        else:
            merged.append(parts[place])
            place += 1
    return merged


def _spaced(text: str) -> str:
    return _BLANK + _BLANK.join(text.split()) if text.strip() else ""


def _as_bytes(char: str) -> list[str]:
    return [_BYTES[byte] for byte in char.encode("utf-8", "replace")]
