"""One word of a text and its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place: `text[start:end]`, with `name` in lower case."""

    name: str
    start: int
    end: int
    #: Whether a term may begin with it, and end with it: not in the middle of a word that was analysed wrongly, and not
    #: with an adjective.
    opens: bool = True
    closes: bool = True
    #: Whether it is a name: written with a capital letter inside of a sentence, or a proper noun in Korean.
    is_name: bool = False


def singular(name: str) -> str:
    """The name that the singular and the plural of an English word have in common; any other name as it is."""
    if len(name) < 4 or not name.isascii() or not name.endswith("s") or name.endswith(("ss", "us", "is")):
        return name
    if name in _NO_PLURALS:
        return name
    if name.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    if name.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return name[:-2]
    return name[:-1]


#: Words that end in s without being plurals.
_NO_PLURALS = frozenset(
    {
        "news",
        "series",
        "species",
        "physics",
        "mathematics",
        "politics",
        "economics",
        "athletics",
        "statistics",
    }
    | {
        "electronics",
        "ethics",
        "diabetes",
        "lens",
        "chaos",
        "bias",
        "atlas",
        "canvas",
        "james",
        "texas",
        "kansas",
    }
    | {
        "paris",
        "dallas",
        "thomas",
        "davis",
        "jones",
        "williams",
        "mars",
        "venus",
        "ares",
        "wales",
        "brussels",
    }
    | {"athens", "olympics", "netherlands", "philippines", "christmas"}
)
