"""A JSON object: from its text to the key, text and label of documents, with messages about what is wrong."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any, NoReturn

from readers import field_paths, metadata
from readers.admission import Admits, T
from readers.files import DocumentFile
from readers.options import DEFAULT_KEY_FIELD, ReadOptions
from readers.records import BadRecord, RefusedError, shown

#: How far into a broken object its key is searched for.
_KEY_SEARCH_CHARS = 16 * 1024


class Objects:
    """The objects of a file, one after the other.

    The first one decides whether the file has keys: if it has none, objects without one get "<file>#<number>".
    """

    def __init__(self, file: DocumentFile, options: ReadOptions) -> None:
        self._file, self.options = file, options
        self._numbered: bool | None = None
        #: Fields that an earlier object had: if one is missing, the object is at fault, not the name of the field.
        self._seen: set[str] = set()
        #: The array whose elements are documents; empty if the object itself is the document.
        self._array = field_paths.array_of(options.key_field)

    def documents(
        self, fields: dict[str, Any], line: int, number: int, admission: Admits[T]
    ) -> Iterator[T | BadRecord]:
        """The documents in an object, which starts on `line` and is number `number` in the file; or reports."""
        key_field, text_field = self.options.key_field, self.options.text_field
        if self._numbered is None:
            self._numbered = not self.options.key_is_needed and key_field not in fields
        is_array = bool(self._array) and key_field not in fields
        for inside in field_paths.elements(fields, self._array) or [fields] if is_array else (fields,):
            key: object = None
            try:
                if self._numbered and key_field not in fields:
                    key = f"{self._file.name}#{number}"
                else:
                    key = self._field(fields, inside, key_field, "MISSING_KEY", "--key-field")
                text = self._field(fields, inside, text_field, "MISSING_TEXT", self.options.text_option)
                label = self._label(fields, inside)
                source = f"{self._file.shown}:{line}"
                yield admission.record(key, text, label, source, self._meta(fields, inside))
            except RefusedError as refused:
                yield refused.at(self._file.shown, line, key)

    def _field(self, fields: dict[str, Any], inside: Any, name: str, code: str, option: str) -> object:
        try:
            found = field_paths.value(inside, name if inside is fields else self._within(name))
        except KeyError:
            raise RefusedError(code, self._no_field(fields, name, option)) from None
        self._seen.add(name)
        return found

    def _label(self, fields: dict[str, Any], inside: Any) -> object:
        """The label of an element, or of the object that contains it."""
        name = self.options.label_field
        is_inside = inside is not fields and name != self._within(name)
        try:
            return (
                field_paths.value(inside, self._within(name))
                if is_inside
                else field_paths.value(fields, name)
            )
        except KeyError:
            return None

    def _meta(self, fields: dict[str, Any], inside: Any) -> dict[str, Any] | None:
        """The other fields; of an element, also those of the object that contains it."""
        options = self.options
        taken = (options.key_field, options.text_field, options.label_field)
        if inside is fields or not isinstance(inside, dict):
            return metadata.chosen(fields, taken, options.meta_choice)
        root = self._array.partition("[]")[0].partition(".")[0]
        around = {name: value for name, value in fields.items() if name != root}
        choice = options.meta_choice
        if not isinstance(choice, bool):
            choice = tuple((name, self._within(field)) for name, field in choice)
        within = [self._within(name) for name in taken]
        return metadata.chosen(around | inside, (*taken, *within), choice)

    def _within(self, name: str) -> str:
        """The path of the field in an element of the array."""
        return name.removeprefix(self._array + ".")

    def _no_field(self, fields: dict[str, Any], name: str, option: str) -> str:
        there = field_paths.texts(fields)
        names = ", ".join(shown(path, 60) for path in there) or "none"
        missing = (
            f"the object has no field {shown(json.dumps(name, ensure_ascii=False), 80)} (it has: {names})"
        )
        options = self.options
        is_key = name == options.key_field
        of_others = {options.key_field, options.text_field, options.label_field}
        of_others |= set() if is_key else {DEFAULT_KEY_FIELD}
        others = {path: n for path, n in there.items() if path not in of_others and (any(n) or is_key)}
        if name in self._seen or not others:
            return f"{missing}: add it, or leave out the object"
        best = (
            DEFAULT_KEY_FIELD
            if is_key and DEFAULT_KEY_FIELD in there
            else max(others, key=others.__getitem__)
        )
        return f"{missing}: name the right one, as in {option} {shown(shlex.quote(best), 80)}"


def loads(text: str, *, has_end: bool = True) -> dict[str, Any]:
    """The object; raises RefusedError. Without `has_end`, the file ends inside the line."""
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise not_json(error, has_end=has_end) from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise number_too_long() from None
    return check(value)


def check(value: Any) -> dict[str, Any]:
    """The value, if it is an object; otherwise raises RefusedError."""
    if not isinstance(value, dict):
        raise RefusedError("NOT_AN_OBJECT", 'a document must be an object such as {"id": "a", "text": "..."}')
    return value


def too_deep() -> RefusedError:
    """The refusal of excessive nesting, such as 100,000 brackets."""
    return RefusedError("NESTED_TOO_DEEP", "the arrays and objects are nested too deeply")


def number_too_long() -> RefusedError:
    """The refusal of a number that int() rejects: more than 4300 digits would take quadratic time."""
    return RefusedError("NUMBER_TOO_LONG", "a number has too many digits: write it as a string")


def not_json(error: json.JSONDecodeError, start: int = 0, *, has_end: bool = True) -> RefusedError:
    """The error of the decoder as a refusal, with the place counted from `start`."""
    place = f"at character {error.pos - start + 1}"
    if error.pos < len(error.doc) and error.doc[error.pos] == "\0":
        return RefusedError("NUL", f"{place} there is a NUL, which cannot be stored")
    problem = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
    cut = "" if has_end else "; it is the last line and has no line end: the file seems to be truncated"
    return RefusedError("NOT_JSON", f"{place}: {problem}{cut}")


def key_in(text: str, key_field: str) -> object:
    """The key in an object that may be broken in any way, for the report; None if it is not found."""
    name = re.escape(json.dumps(key_field, ensure_ascii=False))
    found = re.search(
        name + r'\s*:\s*("(?:[^"\\]|\\.)*+"|-?[0-9]{1,80}(?![0-9.eE]))', text[:_KEY_SEARCH_CHARS]
    )
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        name = shown(json.dumps(twice, ensure_ascii=False), 80)
        raise RefusedError("DUPLICATE_FIELD", f"the object has the field {name} more than once")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise RefusedError("NOT_JSON", f"{name} is not JSON: write null, or leave out the field")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
