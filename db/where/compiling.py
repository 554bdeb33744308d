"""A selection as a condition on `document`.

The literal says how a field is read: beside a number it is a number, beside a date a time, beside another text a text.
A missing field is NULL, as in SQL. A value of another type is not equal, and neither less nor greater.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeGuard

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
)
from sqlalchemy.orm import Session

from db.sql import UtcDateTime, one_of
from db.typed_texts import moment, number
from db.where.fields import Fields
from db.where.operands import Operand, bytewise
from db.where.patterns import like
from db.where.syntax import (
    All,
    Compare,
    Field,
    IsNull,
    IsTrue,
    Like,
    Literal,
    Not,
    OneOf,
    Tree,
    fail,
    parse,
)
from db.where.syntax import Any as AnyOf

_Condition = ColumnElement[bool]
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def condition(session: Session, text: str, collection: int | None) -> _Condition:
    """The documents of a collection, or of all, that a selection means: a condition on `document`, latest versions
    only where the query says so. ValueError that shows the place for one that cannot be read, or that names a field
    which no document there has."""
    return _Compiler(text, Fields(session, text, collection)).of(parse(text))


class _Compiler:
    def __init__(self, text: str, fields: Fields) -> None:
        self._text, self._fields = text, fields

    def of(self, tree: Tree) -> _Condition:
        match tree:
            case All(parts):
                return and_(*map(self.of, parts))
            case AnyOf(parts):
                return or_(*map(self.of, parts))
            case Not(part):
                return not_(self.of(part))
            case IsNull(field):
                return self._operand(field).present.is_(None)
            case IsTrue(field):
                return _equal(self._operand(field), True)
            case Like(field, pattern, any_case):
                return self._like(field, pattern, any_case=any_case)
            case OneOf(field, values):
                return self._one_of(field, values)
            case Compare(field, "<>", other):
                return not_(self.of(Compare(field, "=", other)))
            case Compare(field, sign, Field() as other):
                return _two_fields(self._operand(field), _SIGNS[sign], self._operand(other))
            case Compare(field, sign, Literal() as other):
                return self._compared(field, sign, other)
        raise AssertionError(tree)

    def _operand(self, field: Field) -> Operand:
        return self._fields.operand(field)

    def _check(self, field: Field, other: Literal) -> None:
        """Refuse a comparison that can never be true."""
        value = other.value
        if field.steps == ("added_at",) and not (isinstance(value, str) and moment(value)):
            self._fail(other, "added_at is a time: write it as '2026-01-31' or '2026-01-31T18:00Z'")
        if field.steps in (("chars",), ("version",)) and number(str(value)) is None:
            self._fail(other, f"{field.name} is a number: compare it with one")

    def _compared(self, field: Field, sign: str, other: Literal) -> _Condition:
        self._check(field, other)
        operand = self._operand(field)
        if sign == "=":
            return _equal(operand, other.value)
        if isinstance(other.value, bool):
            self._fail(other, "true and false are neither less nor greater: write = or <>")
        return _ordered(operand, _SIGNS[sign], other.value)

    def _one_of(self, field: Field, values: Sequence[Literal]) -> _Condition:
        """Many texts are one parameter, and many numbers one list."""
        for value in values:
            self._check(field, value)
        operand = self._operand(field)
        texts = [v.value for v in values if isinstance(v.value, str) and not _is_typed(v.value)]
        numbers = [v.value for v in values if _is_number(v.value)]
        others = [v for v in values if isinstance(v.value, bool) or _is_typed(v.value)]
        for many in (numbers[10_000:], others[100:]):
            if many:
                self._fail(
                    values[0],
                    "a list may have 10,000 numbers, 100 times or fractions in quotes, and any number of texts",
                )
        parts = [_equal(operand, v.value) for v in others]
        if texts:
            parts.append(one_of(operand.text, texts))
        if numbers:
            parts.append(_where_present(operand, operand.number.in_([_parameter(n) for n in numbers])))
        return or_(*parts)

    def _like(self, field: Field, pattern: str, *, any_case: bool) -> _Condition:
        if field.steps == ("added_at",):
            fail(self._text, field.at, "added_at is a time, not a text: compare it with >= and <")
        return like(self._operand(field).text, pattern, any_case=any_case)

    def _fail(self, where: Literal, problem: str) -> NoReturn:
        fail(self._text, where.at, problem)


def _is_typed(value: object) -> bool:
    """Whether a text may be equal to what is not the same text."""
    return isinstance(value, str) and (isinstance(number(value), float) or moment(value) is not None)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parameter(value: float | datetime) -> ColumnElement[Any]:
    if isinstance(value, datetime):
        return literal(value, UtcDateTime())
    return literal(value, BigInteger() if isinstance(value, int) else Double())


def _where_present(operand: Operand, is_so: ColumnElement[Any]) -> _Condition:
    """NULL for a missing field, false for a value that cannot be compared."""
    return case((operand.present.is_not(None), func.coalesce(is_so, false())))


def _equal(operand: Operand, value: str | float) -> _Condition:
    if isinstance(value, bool):
        return _where_present(operand, operand.truth == literal(value))
    if isinstance(value, int | float):
        return _where_present(operand, operand.number == _parameter(value))
    is_same: _Condition = operand.text == literal(value)
    if isinstance(as_number := number(value), float):
        is_number = _where_present(operand, operand.plain_number == _parameter(as_number))
        is_same = or_(is_same, is_number)
    if (time := moment(value)) is not None:
        return or_(is_same, _where_present(operand, operand.moment == _parameter(time)))
    return is_same


def _ordered(operand: Operand, sign: Callable[[Any, Any], Any], value: str | float) -> _Condition:
    if isinstance(value, int | float):
        return sign(operand.number, _parameter(value))  # type: ignore[no-any-return]
    readings: list[tuple[Any, Any]] = []
    if (as_number := number(value)) is not None:
        readings.append((operand.number, as_number))
    if (time := moment(value)) is not None:
        readings.append((operand.moment, time))
        if as_number is None:
            return sign(operand.moment, _parameter(time))  # type: ignore[no-any-return]
    as_text = sign(bytewise(operand.text), literal(value))
    if not readings:
        return as_text  # type: ignore[no-any-return]
    return case(*((each.is_not(None), sign(each, _parameter(v))) for each, v in readings), else_=as_text)


def _two_fields(left: Operand, sign: Callable[[Any, Any], Any], right: Operand) -> _Condition:
    """As numbers if both are, as times if both are, otherwise as texts."""
    pairs = ((left.number, right.number), (left.moment, right.moment))
    return case(
        *((and_(a.is_not(None), b.is_not(None)), sign(a, b)) for a, b in pairs),
        else_=sign(bytewise(left.text), bytewise(right.text)),
    )
