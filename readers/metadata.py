"""Metadata: the fields of a record that are not its key, text or label, as JSON that any store can keep.

Knows no file formats. A field that cannot be kept is left out and reported once for each file: no document is refused
because of its metadata.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeAlias
from uuid import UUID

from readers import field_paths
from readers.normalization import nfc
from readers.records import Notice, shown

#: The most that one document's metadata may have, as bytes of JSON in UTF-8. The largest fields are left out first.
MAX_BYTES = 64 * 1024
#: How deep objects and arrays may be nested in a field.
MAX_DEPTH = 16
MAX_NAME_CHARS = 200
#: The most notices about fields of all files together.
_MAX_NOTICES = 100
_INT64 = range(-(2**63), 2**63)
#: From here on, repr() writes floats with an exponent.
_WHOLE_FLOATS = 1e16
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_NAMES = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff]")
#: SQLite's paths into JSON can name no field with one of these.
_IN_PATHS = str.maketrans({'"': "'", "\\": "/"})
_PLACE = re.compile(r":(\d+)\Z")

#: Which fields are kept: all of them, none, or (name in the metadata, field of the record).
Choice: TypeAlias = bool | tuple[tuple[str, str], ...]


class _LeftOutError(Exception):
    """A value that is not kept; the message says why."""


def choice_of(given: bool | str | Mapping[str, str] | Iterable[str | tuple[str, str]]) -> Choice:
    """The choice that a user wrote: True, False, names, or names by field. A text is `published, date=modified`.
    ValueError for a name that cannot be one."""
    if isinstance(given, bool):
        return given
    if isinstance(given, Mapping):
        pairs = [(str(name), str(field)) for name, field in given.items()]
    else:
        fields: Iterable[str | tuple[str, str]] = names(given) if isinstance(given, str) else given
        pairs = [_pair(each) for each in fields]
    for name, field in pairs:
        if not name.strip() or not field.strip():
            raise ValueError("a field of the metadata has no name: write published,company or date=published")
    called = [name for name, _ in pairs]
    if twice := next((name for name in called if called.count(name) > 1), None):
        raise ValueError(
            f"the metadata would have the field {twice!r} twice: rename one, as in {twice}2={twice}"
        )
    return tuple(pairs)


def names(text: str) -> list[str]:
    """The names in a list such as `published, company`; one that holds a comma stands in double quotes."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def _pair(text: str | tuple[str, str]) -> tuple[str, str]:
    if not isinstance(text, str):
        return text
    name, is_renamed, field = text.partition("=")
    return (name.strip(), field.strip()) if is_renamed else (name.strip(), name.strip())


def chosen(record: dict[str, Any], taken: Iterable[str], choice: Choice) -> dict[str, Any] | None:
    """The fields of a record that are kept; without `taken`, the paths of key, text and label, unless they are chosen.
    None if none is to be read, which is not the same as a record that has none."""
    if choice is False:
        return None
    if choice is True:
        left = record
        for path in taken:
            left = _without(left, path)
        return left
    found = {}
    for name, path in choice:
        if path in record:
            found[name] = record[path]
        elif field_paths.is_path(path) and (values := field_paths.elements(record, path)):
            found[name] = values if "[]" in path else values[0]
    return found


def _without(record: dict[str, Any], path: str) -> dict[str, Any]:
    if path in record:
        return {name: value for name, value in record.items() if name != path}
    return _pruned(record, path.split(".")) if field_paths.is_path(path) else record


def _pruned(inside: Any, steps: list[str]) -> Any:
    """A copy without the value at the path, and without the objects and arrays that are empty then."""
    step, rest = steps[0].removesuffix("[]"), steps[1:]
    if not isinstance(inside, dict) or step not in inside:
        return inside
    left = dict(inside)
    if not rest:
        del left[step]
    elif not steps[0].endswith("[]"):
        left[step] = _pruned(left[step], rest)
    elif isinstance(left[step], list):
        left[step] = [each for each in (_pruned(each, rest) for each in left[step]) if each != {}]
    if rest and left[step] in ({}, []):
        del left[step]
    return left


class Cleaning:
    """Makes metadata storable, and remembers what was left out."""

    def __init__(self) -> None:
        #: By file, field and reason: how many documents, and the first line.
        self._left_out: dict[tuple[str, str, str], list[Any]] = {}
        self._n_more = 0

    def clean(self, fields: Mapping[Any, Any], source: str) -> dict[str, Any]:
        """The fields that can be stored: names in NFC, no null, numbers that fit, at most MAX_BYTES. Values that JSON
        does not have become text: dates as ISO 8601."""
        found: dict[str, Any] = {}
        for given, value in fields.items():
            try:
                name = _name(given)
                kept = _value(value, 1)
                if kept is not None:
                    if name in found:
                        raise _LeftOutError("another field has the same name")
                    found[name] = kept
            except _LeftOutError as error:
                self._leave_out(given, str(error), source)
        return self._bounded(found, source)

    def notices(self) -> Iterator[Notice]:
        """What was left out, by file and field."""
        for (file, field, why), (n, line) in self._left_out.items():
            of = "1 document" if n == 1 else f"{n:,} documents"
            where = f" ({'line' if n == 1 else 'first: line'} {line})" if line else ""
            yield Notice(file, f"the field {field} was left out of the metadata of {of}{where}: {why}")
        if self._n_more:
            yield Notice(
                "metadata", f"fields were left out {self._n_more:,} more times: choose fields with --meta"
            )

    def _leave_out(self, name: object, why: str, source: str) -> None:
        place = _PLACE.search(source)
        file = source[: place.start()] if place else source
        key = (file, shown(_as_text(name), 60) or "without a name", why)
        if key in self._left_out:
            self._left_out[key][0] += 1
        elif len(self._left_out) < _MAX_NOTICES:
            self._left_out[key] = [1, place[1] if place else None]
        else:
            self._n_more += 1

    def _bounded(self, fields: dict[str, Any], source: str) -> dict[str, Any]:
        text = as_json(fields)
        if 4 * len(text) <= MAX_BYTES or (n_bytes := len(text.encode())) <= MAX_BYTES:
            return fields
        sizes = {name: len(as_json({name: value}).encode()) for name, value in fields.items()}
        why = (
            f"the metadata of a document may have {MAX_BYTES // 1024} KB; name the fields to keep with --meta"
        )
        left = dict(fields)
        for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
            del left[name]
            n_bytes -= sizes[name]
            self._leave_out(name, why, source)
            if n_bytes <= MAX_BYTES:
                break
        return left


def as_json(fields: Mapping[str, Any]) -> str:
    """As SQLite keeps it: names and texts as they are."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _as_text(name: object) -> str:
    try:
        return str(name)
    except Exception:
        return ""  # of whatever type it is; a number with too many digits, say


def _name(given: object) -> str:
    name = nfc(_NOT_IN_NAMES.sub("", _as_text(given))).strip().translate(_IN_PATHS)
    if not name:
        raise _LeftOutError("it has no name")
    if len(name) > MAX_NAME_CHARS:
        raise _LeftOutError(f"its name has more than {MAX_NAME_CHARS} characters")
    return name


def _value(value: Any, depth: int) -> Any:
    convert = _PLAIN.get(type(value))
    if convert is not None:
        return convert(value)
    if depth > MAX_DEPTH:
        raise _LeftOutError(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        inside = ((_name(name), _value(each, depth + 1)) for name, each in value.items())
        return {name: each for name, each in inside if each is not None}
    if isinstance(value, list | tuple):
        return [_value(each, depth + 1) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((_value(each, depth + 1) for each in value), key=lambda each: json.dumps(each))
    return _converted(value, depth)


def _text(text: str) -> str:
    # Neither NUL nor halves of surrogate pairs can be stored.
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else nfc(_SURROGATE.sub("\ufffd", text))


def _whole(number: int) -> int | str:
    """A number beyond 64 bits is a text: no database would keep all its digits."""
    if number in _INT64:
        return number
    try:
        return str(number)
    except ValueError:
        raise _LeftOutError("a number has too many digits") from None


def _fraction(number: float) -> float | int | None:
    """NaN and infinity are missing values. Large whole numbers are written without an exponent."""
    if not math.isfinite(number):
        return None
    if abs(number) >= _WHOLE_FLOATS and int(number) in _INT64:
        return int(number)
    return number or 0.0


def _decimal(number: Decimal) -> Any:
    """A number if nothing is lost, otherwise its digits."""
    if not number.is_finite():
        return None
    if number == number.to_integral_value() and abs(number) < 2**63:
        return int(number)
    as_float = float(number)
    return _fraction(as_float) if Decimal(repr(as_float)) == number else str(number)


def _moment(moment: Any) -> str | None:
    # The NaT of pandas is a datetime that differs from itself.
    return None if moment != moment else moment.isoformat()


_PLAIN: dict[type, Callable[[Any], Any]] = {
    type(None): lambda _: None,
    bool: lambda value: value,
    str: _text,
    int: _whole,
    float: _fraction,
    Decimal: _decimal,
    datetime: _moment,
    date: _moment,
    time: _moment,
    UUID: str,
}


def _converted(value: Any, depth: int) -> Any:
    """A value of another type: of numpy, pandas or Arrow, or a subclass of a plain type."""
    kind = type(value).__name__
    if kind in ("NAType", "NaTType"):
        return None
    if kind == "datetime64":
        value = value.astype("datetime64[us]").tolist()
    elif isinstance(value, Enum):
        value = value.value
    elif isinstance(value, timedelta):
        value = value.total_seconds()
    elif isinstance(value, PurePath):
        value = str(value)
    elif hasattr(value, "as_py"):
        value = value.as_py()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    elif (plain := next((each for each in _PLAIN if isinstance(value, each)), None)) is not None:
        return _PLAIN[plain](value)
    elif isinstance(value, bytes | bytearray | memoryview):
        raise _LeftOutError("it is binary data")
    else:
        raise _LeftOutError(f"it is of the type {kind}, which JSON does not have")
    return _value(value, depth + 1)
