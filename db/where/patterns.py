"""LIKE and ILIKE with one meaning: % stands for any text, _ for one character, \\ makes the next one literal. LIKE
tells capital letters from small ones; ILIKE does not, in ASCII.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _like(FunctionElement[bool]):  # noqa: N801
    type = Boolean()
    inherit_cache = True
    #: As in db.sql.one_of.
    _is_implicitly_boolean = True


class _any_case(_like):  # noqa: N801
    inherit_cache = True


def like(text: ColumnElement[Any], pattern: str, *, any_case: bool) -> ColumnElement[bool]:
    """The condition. The pattern does not end in a single backslash."""
    return (_any_case if any_case else _like)(text, literal(pattern), literal(_glob(pattern)))


@compiles(_like, "sqlite")
def _like_sqlite(element: _like, compiler: SQLCompiler, **kw: Any) -> str:
    # SQLite's LIKE takes A for a.
    text, _, glob = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({text} GLOB {glob})"


@compiles(_any_case, "sqlite")
def _any_case_sqlite(element: _any_case, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern, _ = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({text} LIKE {pattern} ESCAPE '\\')"


@compiles(_like, "postgresql")
def _like_postgresql(element: _like, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = (compiler.process(clause, **kw) for clause in list(element.clauses)[:2])
    word = "ILIKE" if isinstance(element, _any_case) else "LIKE"
    return f"(({text}) COLLATE \"C\" {word} {pattern} ESCAPE '\\')"


def _glob(pattern: str) -> str:
    """The pattern in the notation of GLOB."""
    found, is_literal = [], False
    for char in pattern:
        if char == "\\" and not is_literal:
            is_literal = True
            continue
        if char in "%_" and not is_literal:
            found.append("*" if char == "%" else "?")
        else:
            found.append(f"[{char}]" if char in "*?[" else char)
        is_literal = False
    return "".join(found)
