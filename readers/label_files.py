"""Labels for documents that are already in the store: a table, or JSON, with the fields key and label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from readers.admission import read_key, read_label
from readers.options import DEFAULT_LABEL_FIELD, ReadOptions
from readers.reading import records
from readers.records import BadRecord, Notice, RefusedError

#: The default field of the keys.
KEY_FIELD = "key"


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """The label of a document as it was read; a list if it has several."""

    key: str
    label: str
    #: "file:line"; safe to print.
    source: str


class _Labels:
    """Turns a record of a label file into a label: the text of the record is the label."""

    def record(
        self, key: object, text: object, _label: object, source: str, _meta: Mapping[str, Any] | None = None
    ) -> LabelRecord:
        label = read_label(text)
        if label is None:
            raise RefusedError("EMPTY_LABEL", "the label is blank; write [] to say that no label applies")
        return LabelRecord(read_key(key), label, source)


def read_labels(
    path: Path, options: ReadOptions | None = None, notice: Callable[[Notice], None] | None = None
) -> Iterator[LabelRecord | BadRecord]:
    """The labels in a file, and reports of invalid records. Never raises because of the content of the file."""
    yield from records([path], _label_options(options or ReadOptions(key_field=KEY_FIELD)), _Labels(), notice)


def _label_options(options: ReadOptions) -> ReadOptions:
    """How to read labels: the label is the text of a record, and a key is required."""
    return replace(
        options,
        needs_key=True,
        text_field=options.label_field,
        # Not a field of the file: a label has no label of its own.
        label_field=DEFAULT_LABEL_FIELD,
        txt_tables="always",
        meta=False,
        text_option="--label-field",
    )
