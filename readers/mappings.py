"""Records from Python: a key, a text and perhaps a label each, checked like those of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from readers import field_paths, frames, values
from readers.admission import Admission
from readers.frames import Records
from readers.options import ReadOptions
from readers.records import BadRecord, Record, RefusedError, shown

#: The source in reports; the line is the number of the record, from 1.
SOURCE = "records"


def read_mappings(
    records: Records, options: ReadOptions | None = None, source: str = SOURCE
) -> Iterator[Record | BadRecord]:
    """A document for each record, or a report with its number. The fields are those of the options: `id`, `text` and
    `label` unless others are named. Every record needs a key. ValueError for an object that holds no records."""
    options = options or ReadOptions()
    return _documents(frames.mappings(records), options, Admission(options), source)


def _documents(
    records: Iterable[Mapping[str, Any]], options: ReadOptions, admission: Admission, source: str
) -> Iterator[Record | BadRecord]:
    for number, given in enumerate(records, start=1):
        key: object = None
        try:
            try:
                fields = _fields(given)
            except RecursionError:
                raise RefusedError("NESTED_TOO_DEEP", "the lists and dictionaries are nested too deeply") from None
            key = _value(fields, options.key_field, "MISSING_KEY")
            text = _value(fields, options.text_field, "MISSING_TEXT")
            yield admission.record(key, text, _label(fields, options.label_field), f"{source}:{number}")
        except RefusedError as refused:
            yield refused.at(source, number, key)


def _fields(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        detail = (
            f'a record must be a dictionary such as {{"id": "a", "text": "..."}}, not {type(given).__name__}'
        )
        raise RefusedError("NOT_AN_OBJECT", detail)
    return values.plain_fields(given)


def _value(fields: dict[str, Any], name: str, code: str) -> object:
    try:
        return field_paths.value(fields, name)
    except KeyError:
        there = ", ".join(shown(str(field), 60) for field in list(fields)[:20]) or "none"
        raise RefusedError(code, f"the record has no field {name!r} (it has: {there})") from None


def _label(fields: dict[str, Any], name: str) -> object:
    try:
        return field_paths.value(fields, name)
    except KeyError:
        return None
