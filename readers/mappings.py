"""Records from Python: a key, a text and perhaps a label each, checked like those of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from readers import field_paths, frames, metadata
from readers.admission import Admission
from readers.frames import Records
from readers.options import ReadOptions
from readers.records import BadRecord, Notice, Record, RefusedError, shown

#: The source in reports; the line is the number of the record, from 1.
SOURCE = "records"


def read_mappings(
    records: Records,
    options: ReadOptions | None = None,
    notice: Callable[[Notice], None] | None = None,
    source: str = SOURCE,
) -> Iterator[Record | BadRecord]:
    """A document for each record, or a report with its number. The fields are those of the options: `id`, `text` and
    `label` unless others are named; all others are metadata. Every record needs a key. `notice` is called at the end
    with what was left out of the metadata. ValueError for an object that holds no records."""
    return _documents(frames.mappings(records), options or ReadOptions(), notice, source)


def _documents(
    records: Iterable[Mapping[str, Any]],
    options: ReadOptions,
    notice: Callable[[Notice], None] | None,
    source: str,
) -> Iterator[Record | BadRecord]:
    admission = Admission(options)
    taken = (options.key_field, options.text_field, options.label_field)
    for number, given in enumerate(records, start=1):
        key: object = None
        try:
            fields = _fields(given)
            key = _value(fields, options.key_field, "MISSING_KEY")
            text = _value(fields, options.text_field, "MISSING_TEXT")
            label = _label(fields, options.label_field)
            meta = metadata.chosen(fields, taken, options.meta_choice)
            yield admission.record(key, text, label, f"{source}:{number}", meta)
        except RefusedError as refused:
            yield refused.at(source, number, key)
    if notice is not None:
        for left_out in admission.notices():
            notice(left_out)


def _fields(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        detail = (
            f'a record must be a dictionary such as {{"id": "a", "text": "..."}}, not {type(given).__name__}'
        )
        raise RefusedError("NOT_AN_OBJECT", detail)
    return {_name(name): value for name, value in given.items()}


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


def _name(given: object) -> str:
    """The name of a field as text; of what has none, such as a number of 5,000 digits, nothing."""
    try:
        return str(given)
    except ValueError:
        return ""
