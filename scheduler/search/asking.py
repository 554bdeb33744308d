"""What a person types into the line of a search.

    rate hike              documents with one of the words; those with more and rarer ones first
    "base rate"            documents with these words side by side
    +rate  -share          documents with the word; without it
    label:news             documents with this label
    before:2026-02-01  after:2026-01-01     by the day on which they were added
    company:Acme  pages:>10  place.city:"New York"    by metadata

No word of it reaches a database as a part of its own query language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

#: Characters of a query, and different words in it.
MOST_CHARS, MOST_WORDS = 2_000, 64

_part = re.compile(
    r'(?P<sign>[+-]?)(?:(?P<field>[^\W\d][\w.-]*):(?P<compare>>=|<=|<>|>|<|=)?)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))'
)
_quotes = str.maketrans(dict.fromkeys("“”„‟＂", '"'))


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read. Words are reduced (nlp_tasks.search_words)."""

    words: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    without: tuple[tuple[str, ...], ...] = ()
    labels: tuple[str, ...] = ()
    not_labels: tuple[str, ...] = ()
    #: Selections by metadata (db.where).
    where: tuple[str, ...] = ()
    #: The words as they were typed, for a comparison by meaning.
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    sign: str
    field: str | None
    compare: str | None
    value: str
    is_quoted: bool


def read(line: str, analyse: Callable[[str], Sequence[str]]) -> Query:
    """A query; `analyse` makes words of a text. ValueError if it cannot be read, or has no word to look for."""
    if len(line) > MOST_CHARS:
        raise ValueError(f"the query has {len(line):,} characters: write at most {MOST_CHARS:,}")
    words: list[str] = []
    phrases, without = [], []
    labels: dict[bool, list[str]] = {True: [], False: []}
    where, typed = [], []
    for part in _parts(line.translate(_quotes)):
        if part.field is not None:
            is_wanted = part.sign != "-"
            if part.field == "label":
                labels[is_wanted].append(part.value)
            else:
                where.append(_selection(part) if is_wanted else _other_than(part))
            continue
        found = tuple(analyse(part.value))
        if part.sign == "-":
            if not found:
                raise ValueError(
                    f'"{part.value}" has no word that can be left out: write another one after the -'
                )
            without.append(found)
            continue
        typed.append(part.value)
        if found and (part.is_quoted or part.sign == "+"):
            phrases.append(found)
        words += [] if part.is_quoted or part.sign == "+" else found
    _check(words, phrases, without, typed)
    return Query(
        tuple(dict.fromkeys(words)), tuple(phrases), tuple(without), tuple(labels[True]), tuple(labels[False]),
        tuple(where), " ".join(typed),
    )  # fmt: skip


def _parts(line: str) -> list[_Part]:
    if line.count('"') % 2:
        raise ValueError('a " has no other one: write "the words side by side", or leave it out')
    parts = []
    for match in _part.finditer(line):
        field, value = match["field"], match["quoted"] if match["quoted"] is not None else match["plain"]
        if field is not None and match["quoted"] is None and value.startswith("//"):
            # An address, not a field.
            field, value = None, f"{field}:{value}"
        parts.append(_Part(match["sign"], field, match["compare"], value, match["quoted"] is not None))
    return parts


def _check(
    words: Sequence[str],
    phrases: Sequence[Sequence[str]],
    without: Sequence[Sequence[str]],
    typed: Sequence[str],
) -> None:
    if len({*words, *(word for each in (*phrases, *without) for word in each)}) > MOST_WORDS:
        raise ValueError(f"the query has more than {MOST_WORDS} different words: write fewer")
    if words or phrases:
        return
    if typed:
        raise ValueError(
            f"nothing in {' '.join(typed)!r} can be looked for: particles, endings, punctuation and words as general "
            "as 하다 are not indexed; write another word"
        )
    if without:
        raise ValueError("write a word that the documents have, beside those that they must not have")
    raise ValueError(
        "write a word to look for; without words, `docmill documents list NAME --where SELECTION` lists documents by "
        "metadata"
    )


def _selection(part: _Part) -> str:
    """A condition by metadata, as db.where reads it."""
    if part.field in ("before", "after"):
        return f"added_at {'<' if part.field == 'before' else '>='} '{_day(part)}'"
    value, sign = part.value, part.compare or "="
    is_number = not part.is_quoted and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    if is_number and sign != "=":
        return f"{_name(part)} {sign} {value}"
    quoted = value.replace("'", "''")
    return f"{_name(part)} {sign} '{quoted}'"


def _other_than(part: _Part) -> str:
    """The opposite; documents without the field meet it."""
    if part.field in ("before", "after"):
        return f"not ({_selection(part)})"
    return f"({_name(part)} is null or not ({_selection(part)}))"


def _name(part: _Part) -> str:
    return ".".join('"' + name.replace('"', "") + '"' for name in str(part.field).split(".") if name)


def _day(part: _Part) -> str:
    try:
        return date.fromisoformat(part.value).isoformat()
    except ValueError:
        raise ValueError(
            f"{part.field}:{part.value} is no day: write it as {part.field}:2026-01-31"
        ) from None
