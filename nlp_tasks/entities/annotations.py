"""The entities that people marked in a document, as a field of its metadata.

Four forms are read: objects with `start`, `end` and `label` (or `type`, `tag`); lists of start, end and label; either
of them as JSON text, as a CSV file has it; and, without that field, the fields `tokens` and `tags` (BIO), where the
text has the tokens in this order. Offsets are characters, the end is exclusive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nlp_tasks.entities.spans import Entity, entities, without_overlaps

_LABEL_NAMES = ("label", "type", "tag", "entity")
#: A label is part of a tag, and a column.
_MOST_LABEL_CHARS = 100


class AnnotationError(ValueError):
    """The marks do not fit the text; the message says what is wrong with which of them."""


def marked(text: str, meta: Mapping[str, Any], field: str) -> list[Entity] | None:
    """The entities of a document, by place and without overlaps; None if it has no such field: nobody marked it.
    AnnotationError if the field cannot be read, or does not fit the text."""
    if field in meta:
        return without_overlaps([_entity(text, each) for each in _listed(meta[field], field)])
    if "tokens" in meta and "tags" in meta:
        return _of_tokens(text, meta["tokens"], meta["tags"])
    return None


def _listed(value: Any, field: str) -> Sequence[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise AnnotationError(f"the field {field} is no JSON: {error}") from error
    if not isinstance(value, list):
        raise AnnotationError(f"the field {field} is no list of start, end and label")
    return value


def _entity(text: str, value: Any) -> Entity:
    if isinstance(value, Mapping):
        label = next((value[name] for name in _LABEL_NAMES if name in value), None)
        start, end, said = value.get("start"), value.get("end"), value.get("text")
    elif isinstance(value, list) and len(value) == 3:
        (start, end, label), said = value, None
    else:
        raise AnnotationError(f"{_shown(value)} is no start, end and label")
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label.strip():
        raise AnnotationError(f"{_shown(value)} has no whole numbers start and end, and a label")
    if not 0 <= start < end <= len(text):
        raise AnnotationError(f"{_shown(value)} lies outside of the text, which has {len(text)} characters")
    if isinstance(said, str) and text[start:end] != said:
        raise AnnotationError(
            f"{_shown(value)} does not fit: the text has {text[start:end]!r} there. Are the offsets characters, and is "
            "the end exclusive?"
        )
    return Entity(start, end, _name(label))


def _of_tokens(text: str, tokens: Any, tags: Any) -> list[Entity]:
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags):
        raise AnnotationError("tokens and tags are not two lists of one length")
    units, position = [], 0
    for token in tokens:
        start = text.find(str(token), position)
        if start < 0 or not str(token):
            raise AnnotationError(f"the text has no token {_shown(token)} after character {position}")
        position = start + len(str(token))
        units.append((start, position))
    for tag in tags:
        if tag != "O" and (not isinstance(tag, str) or tag[:2] not in ("B-", "I-") or not tag[2:]):
            raise AnnotationError(f"{_shown(tag)} is no tag: write O, B-X or I-X")
    return [Entity(each.start, each.end, _name(each.label)) for each, _ in entities(units, tags)]


def _name(label: str) -> str:
    name = label.strip()
    if len(name) > _MOST_LABEL_CHARS:
        raise AnnotationError(f"the label {_shown(name)} has more than {_MOST_LABEL_CHARS} characters")
    return name


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:100]
