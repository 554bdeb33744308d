"""The language of selections: a text becomes a tree, or a ValueError that shows the place. Knows no database."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

#: Of a selection. Lists of keys may be long.
MAX_CHARS = 1_000_000
#: Comparisons in one selection, and parentheses in one another: SQLite allows about 1,000 of both together.
MAX_CONDITIONS, MAX_DEPTH = 200, 50

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!\w))
      | (?P<name>[^\W\d]\w*)
      | (?P<sign><=|>=|<>|!=|[=<>(),.+-])
    )""",
    re.VERBOSE,
)
_KEYWORDS = {"and", "or", "not", "in", "like", "ilike", "between", "is", "null", "true", "false"}
#: The comparison with its sides exchanged.
_MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
#: What people write who know other languages.
_MEANT = {
    "==": "write =",
    "&&": "write and",
    "||": "write or",
    ";": "a selection is one condition, without a semicolon",
    "`": "a field whose name is no plain word is written in double quotes",
    "[": "write a.b for a field of an object",
    "%": "a pattern is written in single quotes: like '%word%'",
    "'": "the quote is not closed; a quote inside a text is written ''",
    '"': "the quote is not closed",
    "“": "write straight quotes: 'text', \"field\"",
    "”": "write straight quotes: 'text', \"field\"",
    "‘": "write straight quotes: 'text', \"field\"",
    "’": "write straight quotes: 'text', \"field\"",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the metadata, or a built-in one."""

    steps: tuple[str, ...]
    #: Its place in the text.
    at: int
    #: Whether it was written in double quotes, as other languages write texts.
    quoted: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.steps)


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool
    at: int


@dataclass(frozen=True, slots=True)
class Compare:
    field: Field
    #: =, <>, <, >, <= or >=.
    sign: str
    other: Literal | Field


@dataclass(frozen=True, slots=True)
class OneOf:
    field: Field
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Like:
    field: Field
    pattern: str
    any_case: bool


@dataclass(frozen=True, slots=True)
class IsNull:
    field: Field


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A field that stands alone."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    part: Tree


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Tree, ...]


Tree: TypeAlias = "Compare | OneOf | Like | IsNull | IsTrue | Not | All | Any"


@dataclass(frozen=True, slots=True)
class _Token:
    #: text, quoted, number, name, sign or end.
    kind: str
    #: As it is meant: without quotes; of a name that is a keyword, in small letters.
    value: str
    at: int
    end: int

    @property
    def is_word(self) -> bool:
        return self.kind == "name" and self.value.lower() in _KEYWORDS


def parse(text: str) -> Tree:
    """The tree. ValueError for what is not a selection; which fields there are is not looked at."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"the selection has {len(text):,} characters; at most {MAX_CHARS:,} are allowed")
    if not text.strip():
        raise ValueError("the selection is empty: write one as in \"published >= '2026-01-01'\"")
    return _Parser(text).whole()


def fail(text: str, at: int, problem: str) -> NoReturn:
    """Raise ValueError with the line of the text and a mark under the place."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].partition("\n")[0]
    skipped = max(0, at - start - 60)
    before = line[skipped : at - start]
    wide = sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in before)
    raise ValueError(
        f"the selection, at character {at + 1}: {problem}\n  {line[skipped : skipped + 120]}\n  {' ' * wide}^"
    )


class _Parser:
    """One function for each level of precedence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._place = self._depth = self._n_conditions = 0

    def whole(self) -> Tree:
        tree = self._any()
        if self._next.kind != "end":
            self._fail(self._after_condition())
        return tree

    # --- tokens

    def _split(self) -> Iterator[_Token]:
        at = 0
        while self._text[at:].strip():
            found = _TOKEN.match(self._text, at)
            if found is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                self._unreadable(at)
            kind = str(found.lastgroup)
            value = found[kind]
            if kind in ("text", "quoted"):
                value = value[1:-1].replace(value[0] * 2, value[0])
            at = found.end()
            if found[kind] == "=" and self._text.startswith("=", at):
                self._unreadable(at - 1)
            yield _Token(kind, "<>" if value == "!=" else value, found.start(kind), at)
        yield _Token("end", "", len(self._text), len(self._text))

    def _unreadable(self, at: int) -> NoReturn:
        rest = self._text[at:]
        hint = next((words for mark, words in _MEANT.items() if rest.startswith(mark)), None)
        if hint is None and (number := re.match(r"[0-9.]+\w+", rest)):
            hint = f"{number[0]} is no number; a text is written in single quotes, a field in double quotes"
        fail(self._text, at, hint or f"{rest[0]!r} has no meaning here")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _takes(self, *values: str) -> str | None:
        """The next sign or keyword, if it is one of these; then it is passed."""
        token = self._next
        is_one = token.kind == "sign" or token.is_word
        if is_one and token.value.lower() in values:
            self._place += 1
            return token.value.lower()
        return None

    def _needs(self, value: str, problem: str) -> None:
        if self._takes(value) is None:
            self._fail(problem)

    def _fail(self, problem: str, at: int | None = None) -> NoReturn:
        fail(self._text, self._next.at if at is None else at, problem)

    # --- conditions

    def _any(self) -> Tree:
        parts = [self._all()]
        while self._takes("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} parentheses or words not are inside one another")
        try:
            if self._takes("not"):
                return Not(self._one())
            if self._takes("("):
                tree = self._any()
                self._needs(")", "the parenthesis is not closed: ) is missing")
                return tree
            return self._condition()
        finally:
            self._depth -= 1

    def _condition(self) -> Tree:
        self._n_conditions += 1
        if self._n_conditions > MAX_CONDITIONS:
            self._fail(f"more than {MAX_CONDITIONS} conditions: for many values of one field, write in (...)")
        left = self._operand()
        if isinstance(left, Literal):
            return self._mirrored(left)
        if sign := self._takes(*_MIRRORED):
            return Compare(left, sign, self._operand())
        if self._takes("is"):
            return self._is(left)
        is_not = bool(self._takes("not"))
        tree = self._in_like_between(left)
        if tree is None:
            if is_not:
                self._fail("after not comes in, like or between")
            return IsTrue(left)
        return Not(tree) if is_not else tree

    def _mirrored(self, left: Literal) -> Tree:
        sign = self._takes(*_MIRRORED)
        if sign is None:
            self._fail(self._after_value(left))
        right = self._operand()
        if isinstance(right, Literal):
            self._fail("one side of a comparison is a field", right.at)
        return Compare(right, _MIRRORED[sign], left)

    def _is(self, field: Field) -> Tree:
        is_not = bool(self._takes("not"))
        word = self._takes("null", "true", "false")
        if word is None:
            self._fail("after is comes null, not null, true or false")
        if word == "null":
            tree: Tree = IsNull(field)
        else:
            # As in SQL, `is true` is never unknown.
            known = Not(IsNull(field))
            tree = All((known, Compare(field, "=", Literal(word == "true", self._next.at))))
        return Not(tree) if is_not else tree

    def _in_like_between(self, field: Field) -> Tree | None:
        if self._takes("in"):
            return OneOf(field, self._list())
        if word := self._takes("like", "ilike"):
            at = self._next.at
            pattern = self._operand()
            if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
                self._fail(f"after {word} comes a pattern in single quotes, as in '%word%'", at)
            self._check_pattern(pattern.value, at)
            return Like(field, pattern.value, word == "ilike")
        if self._takes("between"):
            low = self._operand()
            self._needs("and", "between two values: between 1 and 9")
            return All((Compare(field, ">=", low), Compare(field, "<=", self._operand())))
        return None

    def _check_pattern(self, pattern: str, at: int) -> None:
        if len(pattern) > 1_000:
            self._fail("a pattern may have 1,000 characters", at)
        if len(pattern) - len(pattern.rstrip("\\")) & 1:
            self._fail("a pattern may not end in one \\, which means the next character itself", at)

    def _list(self) -> tuple[Literal, ...]:
        self._needs("(", "after in comes a list in parentheses: in ('a', 'b')")
        values = []
        while True:
            value = self._operand()
            if isinstance(value, Field):
                self._fail("a list has values, not fields: a text is written in single quotes", value.at)
            values.append(value)
            if not self._takes(","):
                break
        self._needs(")", "the list is not closed: , or ) is missing")
        return tuple(values)

    # --- fields and values

    def _operand(self) -> Field | Literal:
        token = self._next
        if word := self._takes("true", "false"):
            return Literal(word == "true", token.at)
        if self._takes("null"):
            self._fail("nothing is equal to null: write is null or is not null", token.at)
        if sign := self._takes("+", "-"):
            if self._next.kind != "number":
                self._fail(f"after {sign} comes a number")
            return self._number(sign)
        if token.kind == "number":
            return self._number("")
        if token.kind == "text":
            self._place += 1
            return Literal(token.value, token.at)
        if token.kind == "quoted" or (token.kind == "name" and not token.is_word):
            return self._field()
        if token.kind == "end":
            self._fail("the selection ends here: a field or a value is missing")
        return self._fail(f"here stands {token.value!r}, where a field or a value should be")

    def _number(self, sign: str) -> Literal:
        token = self._next
        self._place += 1
        is_whole = token.value.isdecimal() and len(token.value) <= 19 and int(token.value) < 2**63
        value = (int if is_whole else float)(sign + token.value)
        if not math.isfinite(value):
            self._fail("the number is too large", token.at)
        return Literal(value, token.at)

    def _field(self) -> Field | Literal:
        first = self._next
        self._place += 1
        if (
            first.kind == "name"
            and first.value.lower() in ("date", "timestamp")
            and self._next.kind == "text"
        ):
            return self._operand()  # as in SQL: date '2026-01-01'
        steps = [first.value]
        while self._takes("."):
            if self._next.kind not in ("name", "quoted"):
                self._fail("after the dot comes the name of a field")
            steps.append(self._next.value)
            self._place += 1
        if self._next.kind == "sign" and self._next.value == "(":
            self._fail("there are no functions in a selection", first.at)
        return Field(
            tuple(unicodedata.normalize("NFC", step) for step in steps), first.at, first.kind == "quoted"
        )

    # --- messages

    def _after_condition(self) -> str:
        token, before = self._next, self._tokens[self._place - 1]
        if token.value == ")":
            return "this parenthesis was not opened"
        if before.kind == "number" and token.kind in ("number", "sign"):
            return "a date is written in single quotes, as in '2026-01-01'; there is no arithmetic"
        if before.kind in ("name", "quoted") and token.kind in ("name", "number", "text", "quoted"):
            return (
                "and, or or a comparison is missing here; a field whose name has spaces is in double quotes"
            )
        return "and or or is missing here"

    def _after_value(self, value: Literal) -> str:
        if isinstance(value.value, str):
            return "a comparison is missing here; a text in single quotes is a value, not a field"
        return "a comparison is missing here"
