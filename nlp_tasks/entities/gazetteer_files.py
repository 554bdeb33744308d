"""Reads a gazetteer: the model that `train gazetteer` made, or a file of names and labels (CSV, TSV, JSON Lines)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import readers
from nlp_tasks import heartbeat, model_files
from nlp_tasks.entities import gazetteer
from nlp_tasks.entities.gazetteer import Gazetteer
from nlp_tasks.errors import NlpError
from readers import BadRecord, ReadOptions, Record, label_text

#: The fields that may hold the name; the label is in `label`.
NAME_FIELDS = ("name", "text")
#: Records that an error message names.
_NAMED = 3


def opened(path: str, error: type[NlpError]) -> Gazetteer:
    """The gazetteer at a path: the folder of a model, or a file. Raises `error`, which says what is wrong with which
    line."""
    place = Path(path)
    if place.is_dir() and (place / model_files.MANIFEST).is_file():
        model_files.check(place)
        found = gazetteer.load(place)
        if found is None:
            raise error(f"the model in {place} is no gazetteer: `docmill train gazetteer` makes one")
        return found
    if not place.is_file():
        raise error(
            f"there is no gazetteer {path} on this worker: give the name of a model that `docmill train gazetteer` "
            "made, or a file that every worker can read"
        )
    found = gazetteer.made_of(_names(place, error))
    if not found.label_of:
        raise error(f"{path} has no name of at most {gazetteer.MOST_NAME_CHARS} characters")
    return found


def _names(path: Path, error: type[NlpError]) -> Iterator[tuple[str, str]]:
    for field in NAME_FIELDS:
        options = ReadOptions(text_field=field, meta=False, markup="text")
        read = list(heartbeat.beating(readers.read([path], options), 100))
        # A file with a header and no rows says so, and not that it has no field text.
        if any(isinstance(one, Record) or one.code == "EMPTY_FILE" for one in read):
            break
    if wrong := [str(one) for one in read if isinstance(one, BadRecord)]:
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise error("; ".join(wrong[:_NAMED]) + more)
    for record in read:
        assert isinstance(record, Record)
        # Of several labels the first one counts, as in a training.
        label = next(iter(label_text.each(record.label or "")), "")
        if not label:
            raise error(f"{record.source}: {record.text[:60]!r} has no label: fill its field `label`")
        yield record.text, label
