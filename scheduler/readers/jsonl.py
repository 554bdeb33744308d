"""JSON Lines: one JSON object a line, ended by a line feed. Knows how to tell what is wrong with a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from scheduler.readers.admission import Admission
from scheduler.readers.decoding import decode, refuse_cp949_file
from scheduler.readers.files import DocumentFile
from scheduler.readers.lines import Line, lines, too_long
from scheduler.readers.options import DEFAULT_KEY_FIELD, ReadOptions
from scheduler.readers.records import BadRecord, Record, RefusedError, shown
from scheduler.readers.streams import Stream

_BOM = b"\xef\xbb\xbf"

#: How far into a broken line its key is looked for.
_KEY_SEARCH_BYTES = 16 * 1024


def read_jsonl(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admission
) -> Iterator[Record | BadRecord]:
    """A document or a report for every line that is not blank.

    The first object tells whether the file has keys: if it has none, lines without one get "<file>#<line>".
    """
    refuse_cp949_file(stream.head(), stream.encoding)
    key_field, text_field, label_field = options.key_field, options.text_field, options.label_field
    numbered: bool | None = None
    n_lines = 0
    for line in lines(stream.buffer, options.max_line_bytes):
        n_lines += 1
        if line.data is not None and not line.data.strip():
            continue
        try:
            fields = _fields(line, stream.encoding, options)
            if numbered is None:
                numbered = key_field == DEFAULT_KEY_FIELD and key_field not in fields
            key = f"{file.name}#{line.number}" if numbered and key_field not in fields else fields[key_field]
            source = f"{file.shown}:{line.number}"
            yield admission.record(key, fields[text_field], fields.get(label_field), source)
        except KeyError as missing:
            yield _missing(missing.args[0], options).at(file.shown, line.number, _key_in(line, key_field))
        except RefusedError as refused:
            yield refused.at(file.shown, line.number, _key_in(line, key_field))
    if n_lines == 0:
        yield RefusedError("EMPTY_FILE", "the file is empty").at(file.shown)


def read_json(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admission
) -> Iterator[Record | BadRecord]:
    """JSON Lines under the name .json; a file that is one JSON value is refused as a whole."""
    first = stream.head().lstrip().splitlines()
    if first and first[0].startswith(b"["):
        raise RefusedError("JSON_ARRAY", _one_object_a_line("one array", "jq -c '.[]'"))
    if first and first[0].strip() == b"{":
        raise RefusedError("JSON_NOT_LINES", _one_object_a_line("one object over several lines", "jq -c ."))
    yield from read_jsonl(stream, file, options, admission)


def _one_object_a_line(what: str, command: str) -> str:
    return f"the file is {what}; docmill reads one object a line: {command} FILE > FILE.jsonl makes that"


def _fields(line: Line, encoding: str, options: ReadOptions) -> dict[str, Any]:
    if line.data is None:
        raise too_long(options.max_line_bytes)
    text = decode(line.data.removeprefix(_BOM), encoding, "line")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _not_json(error, line) from None
    except RecursionError:
        raise RefusedError(
            "NESTED_TOO_DEEP", "the arrays and objects are nested too deep to be read"
        ) from None
    except ValueError:  # from int(): Python reads at most 4300 digits, as more take quadratic time
        detail = "a number has more digits than can be read: write it as a string"
        raise RefusedError("NUMBER_TOO_LONG", detail) from None
    if not isinstance(value, dict):
        raise RefusedError("NOT_AN_OBJECT", 'the line must hold an object such as {"id": "a", "text": "..."}')
    return value


def _not_json(error: json.JSONDecodeError, line: Line) -> RefusedError:
    place = f"at character {error.pos + 1}"
    if error.pos < len(error.doc) and error.doc[error.pos] == "\0":
        return RefusedError("NUL", f"{place} there is a raw NUL, which cannot be stored")
    problem = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
    cut = "" if line.has_end else "; it is the last line and has no line end: the file seems to be cut off"
    return RefusedError("NOT_JSON", f"{place}: {problem}{cut}")


def _missing(field: str, options: ReadOptions) -> RefusedError:
    code, option = ("MISSING_TEXT", "text") if field == options.text_field else ("MISSING_KEY", "key")
    name = shown(json.dumps(field, ensure_ascii=False), 80)
    return RefusedError(code, f"the object has no field {name}: name the right one with --{option}-field")


def _key_in(line: Line, key_field: str) -> object:
    """The key of a line that may be broken in any way, for the report; None if it cannot be made out."""
    head = (line.data or b"")[:_KEY_SEARCH_BYTES].decode("utf-8", "replace")
    name = re.escape(json.dumps(key_field, ensure_ascii=False))
    found = re.search(name + r'\s*:\s*("(?:[^"\\]|\\.)*+"|-?[0-9]{1,80}(?![0-9.eE]))', head)
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
        raise RefusedError("DUPLICATE_FIELD", f"the field {name} stands in one object more than once")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise RefusedError("NOT_JSON", f"{name} is no JSON: write null, or leave the field out")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
