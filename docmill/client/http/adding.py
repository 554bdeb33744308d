"""Documents are read and checked here, as `docmill add` does it, and sent in batches: the memory is bounded, every bad
record has its place in its own file, and a batch that has to be sent again is a small one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from db.documents import Added
from docmill.client.addition import Addition
from docmill.client.http.exchange import part
from docmill.client.operations.description import Answer, Call
from docmill.errors import UnsupportedError
from readers import BadRecord, Notice, ReadOptions, Record
from readers.extraction.supported import supported
from readers.files import OtherFile
from readers.mappings import read_mappings
from readers.markup_notices import MarkupNotices
from scheduler import sources
from scheduler.adding import Report, check_collection_name

#: Of one request. A single document may be larger.
MOST_DOCUMENTS, MOST_BYTES = 1_000, 2 * 1024 * 1024
#: What a server takes with an Idempotency-Key. A larger document is sent without one: adding it twice changes nothing.
MOST_KEYED_BYTES = 8 * 1024 * 1024
_FIELDS = ("id", "text", "label", "source")
_ENCODER = json.JSONEncoder(ensure_ascii=False)

_TO_BE_PARSED = (
    "over HTTP only texts, tables and JSON are added: a file that has to be parsed is read by the workers, from a place"
    " that they reach; `docmill add` registers it there"
)


@dataclass(frozen=True)
class _Line:
    """A document of a batch, encoded once: a batch is measured by what is sent."""

    #: Of the record, for reports.
    source: str
    #: Key, text, label and source as JSON.
    own: tuple[bytes, ...]
    #: The names in the metadata; None if it was not read.
    taken: frozenset[str] | None
    #: The members of the metadata as JSON, without the braces.
    meta: bytes

    @classmethod
    def of(cls, record: Record) -> _Line:
        own = tuple(map(_json, (record.key, record.text, record.label, record.source)))
        if record.meta is None:
            return cls(record.source, own, None, b"")
        return cls(record.source, own, frozenset(record.meta), _json(dict(record.meta))[1:-1])

    def encoded(self, names: tuple[str, ...]) -> bytes:
        """The line, with these fields for key, text, label and source."""
        members = [b'"%b": %b' % (name.encode(), own) for name, own in zip(names, self.own, strict=True)]
        return b"{" + b", ".join([*members, self.meta] if self.meta else members) + b"}\n"


class Sending:
    """One call of `add`: makes the requests, and counts what they did."""

    def __init__(self, addition: Addition) -> None:
        check_collection_name(addition.collection)
        if addition.extract or addition.extract_again:
            raise UnsupportedError(_TO_BE_PARSED)
        self._addition = addition
        self._bad: list[BadRecord] = []
        self._notices: list[Notice] = []
        self._added = Added()

    def calls(self) -> Iterator[Call[Mapping[str, Any]]]:
        """The requests, one after the other. Tell `sent` what each was answered before the next one is made."""
        batch: list[_Line] = []
        n_bytes = 0
        for record in self._records():
            line = _Line.of(record)
            size = len(line.encoded(_FIELDS))
            if batch and (len(batch) == MOST_DOCUMENTS or n_bytes + size > MOST_BYTES):
                yield self._call(batch)
                batch, n_bytes = [], 0
            batch.append(line)
            n_bytes += size
        if batch:
            yield self._call(batch)

    def sent(self, answer: Mapping[str, Any]) -> None:
        """Count what a request did."""
        self._added += Added(
            answer["n_new"], answer["n_changed"], answer["n_unchanged"], answer["n_meta_changed"]
        )
        if self._addition.tell is not None:
            self._addition.tell(self._added, len(self._bad))

    def report(self) -> Report:
        """What became of all."""
        added = self._added
        return Report(
            added.n_new,
            added.n_changed,
            added.n_unchanged,
            self._bad,
            self._notices,
            n_meta_changed=added.n_meta_changed,
        )

    def _records(self) -> Iterator[Record]:
        markup = MarkupNotices(self._notices.append)
        for record in self._found():
            if isinstance(record, BadRecord):
                self._bad.append(record)
            else:
                markup.look(record)
                yield record

    def _found(self) -> Iterator[Record | BadRecord]:
        options = self._addition.options or ReadOptions()
        if self._addition.source is None:
            return read_mappings(self._addition.records, options, self._notices.append)
        return sources.read(self._addition.source, options, self._notices.append, self._refuses)

    def _refuses(self, file: OtherFile) -> bool:
        """Report a file that has to be parsed. What no worker could read either is left to the readers' report."""
        if file.remote is None and supported(file.path) is None:
            return False
        self._bad.append(BadRecord(file.shown, None, None, "TO_BE_PARSED", _TO_BE_PARSED))
        return True

    def _call(self, batch: list[_Line]) -> Call[Mapping[str, Any]]:
        names = _names(batch)
        body = b"".join(line.encoded(names) for line in batch)
        query = dict(zip(("key_field", "text_field", "label_field", "source_field"), names, strict=True))

        def read(answer: Answer) -> Mapping[str, Any]:
            found: Mapping[str, Any] = answer.json()
            self._bad.extend(_in_its_place(bad, batch) for bad in found["bad"])
            return found

        return Call(
            "POST",
            f"/v1/collections/{part(self._addition.collection)}/documents",
            read,
            query | {"markup": "text", "meta": "none" if batch[0].taken is None else "all"},
            body,
            content_type="application/x-ndjson",
            idempotency_key=uuid4().hex if len(body) <= MOST_KEYED_BYTES else None,
        )


def _names(batch: list[_Line]) -> tuple[str, ...]:
    """The fields for key, text, label and source: names that no field of the metadata has."""
    taken = {name for line in batch for name in line.taken or ()}
    prefix = ""
    while any(f"{prefix}{name}" in taken for name in _FIELDS):
        prefix += "_"
    return tuple(f"{prefix}{name}" for name in _FIELDS)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _in_its_place(bad: Mapping[str, Any], batch: list[_Line]) -> BadRecord:
    """A report of the server, with the place of the record that the line was made of."""
    number = bad["line"]
    if number is None:
        return BadRecord("the request", None, bad["key"], bad["code"], bad["detail"])
    source = batch[number - 1].source
    file, _, line = source.rpartition(":")
    is_line = bool(file) and line.isdecimal()
    return BadRecord(
        file if is_line else source, int(line) if is_line else None, bad["key"], bad["code"], bad["detail"]
    )
