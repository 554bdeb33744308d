"""Documents as a stream of JSON Lines: stored batch by batch while they arrive, never held as a whole."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from db.access import Role
from docmill.web.api import idempotency, keyed_adding, problems
from docmill.web.api.advice import in_http
from docmill.web.api.bodies import Arriving, media_type
from docmill.web.api.operation import JSON, JSONL, Call, Query, operation
from docmill.web.api.problems import Problem
from readers import BadRecord, Notice, ReadOptions, Record
from readers.admission import Admission
from readers.files import DocumentFile
from readers.jsonl import read_lines
from readers.options import MIB
from readers.records import shown
from readers.streams import Stream
from scheduler import adding
from scheduler.adding import Report
from workers.settings import settings

#: Documents of one request: their keys are remembered to find one that comes twice.
MOST_DOCUMENTS = 1_000_000
MEDIA = (JSONL, "application/jsonl", "application/jsonlines", "application/json-lines", "text/plain")
#: What sources and reports call the body.
NAME = "request"
#: Reports of bad lines up to here are kept in memory, and on disk beyond.
_SPOOL_BYTES = MIB
_BUFFER_BYTES = 256 * 1024
MAX_SOURCE_CHARS = 1_000


class HowToRead(Query):
    """Which fields are what."""

    key_field: Annotated[
        str, Field(min_length=1, max_length=200, description="the key, unique in the collection")
    ] = "id"
    text_field: Annotated[str, Field(min_length=1, max_length=200)] = "text"
    label_field: Annotated[str, Field(min_length=1, max_length=200)] = "label"
    source_field: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="where the document comes from, as lists show it"),
    ] = None
    meta: Annotated[
        Literal["all", "none"], Field(description="whether the other fields are kept as metadata")
    ] = "all"
    markup: Annotated[
        Literal["auto", "html", "text"],
        Field(description="whether a text with tags is turned into its visible text"),
    ] = "auto"

    @property
    def kept(self) -> bool | tuple[str, ...]:
        """The fields beside key, text and label that are read."""
        if self.meta == "all" or self.source_field is None:
            return self.meta == "all"
        return (self.source_field,)


class BadLine(BaseModel):
    """A line that could not be stored. The others are."""

    line: Annotated[int | None, Field(description="from 1")]
    key: str | None
    code: str
    detail: str


class AddedDocuments(BaseModel):
    """What became of the lines."""

    collection: str
    n_new: int
    n_changed: Annotated[int, Field(description="known keys with another text or label")]
    n_unchanged: int
    n_meta_changed: Annotated[int, Field(description="only their metadata changed: their results stand")]
    n_bad: int
    notices: list[str]
    bad: Annotated[list[BadLine], Field(description="every line that was not stored")]


@operation(
    "POST", "/collections/{collection}/documents", role=Role.SUBMIT, tag="documents", query=HowToRead,
    body_media=MEDIA, answers=AddedDocuments, keyed=True, problems=(400, 408, 413, 415),
)  # fmt: skip
def add_documents(call: Call) -> Response:
    """Add documents to a collection, which is made if it does not exist.

    The body is a stream of JSON Lines: one object a line, with an `id`, a `text`, perhaps a `label`, and metadata. It
    is stored batch by batch while it arrives. A bad line is reported with its number in `bad`, and nothing else is
    lost. Unchanged documents are skipped, and changed ones become a new version: after an interruption, send the same
    stream again. A stream that is too long, too slow or cut off is answered by a problem with the same counts: what
    they count is stored.

    With `Idempotency-Key`, a stream of at most 8 MiB is stored in one transaction, and sent again it is answered with
    the counts of the first time."""
    if media_type(call.request) not in MEDIA:
        raise Problem(415, "unsupported-media-type", f"send one JSON object a line, as {JSONL}")
    name = call.path["collection"]
    adding.check_collection_name(name)
    limits = settings()
    how = call.query(HowToRead)
    if (key := idempotency.key_of(add_documents, call.request)) is not None:
        return keyed_adding.add(
            call, key, name, lambda body, notices: _Lines(body, how, limits.api_line_mb * MIB, notices)
        )
    body = Arriving(call.request, limits.api_body_mb * MIB, limits.api_idle_seconds)
    bad = _Spooled()
    try:
        notices: list[Notice] = []
        lines = _Lines(io.BufferedReader(body, _BUFFER_BYTES), how, limits.api_line_mb * MIB, notices)
        report = adding.store_records(lambda: call.store, lines, name, notices, None, bad)
        return _answer(name, report, lines.fault or body.fault, bad)
    except BaseException:
        bad.close()
        raise


def _answer(collection: str, report: Report, fault: Problem | None, bad: _Spooled) -> Response:
    counts = {
        "collection": collection,
        "n_new": report.n_new,
        "n_changed": report.n_changed,
        "n_unchanged": report.n_unchanged,
        "n_meta_changed": report.n_meta_changed,
        "n_bad": len(bad),
        "notices": [notice.detail for notice in report.notices],
    }
    if fault is None:
        return _Told(bad, counts, 200, {}, JSON)
    fault.more = counts
    fault.detail += f"; {report.n_good:,} documents of it are stored, so that sending it again continues"
    return _Told(bad, fault.as_json(), fault.status, fault.headers, problems.MEDIA_TYPE)


class _Told(StreamingResponse):
    """The answer, with the reports as its last member. Their file is closed at the end, whatever happens."""

    def __init__(
        self, bad: _Spooled, members: dict[str, Any], status: int, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(bad.after(members), status, headers, media_type)
        self._bad = bad

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._bad.close()


class _Lines:
    """The documents in the body, and its bad lines."""

    def __init__(
        self, body: io.BufferedReader, how: HowToRead, max_line_bytes: int, notices: list[Notice]
    ) -> None:
        self.fault: Problem | None = None
        self._stream = Stream(body, "utf-8", sure=True)
        self._options = ReadOptions(
            key_field=how.key_field,
            text_field=how.text_field,
            label_field=how.label_field,
            max_line_bytes=max_line_bytes,
            markup=how.markup,
            needs_key=True,
            meta=how.kept,
        )
        self._admission = _Admission(self._options, how)
        self._notices = notices

    def __iter__(self) -> Iterator[Record | BadRecord]:
        file = DocumentFile(Path(NAME), Path(), NAME, NAME, "jsonl", is_gzip=False)
        found = read_lines(self._stream, file, self._options, self._admission)
        for n_records, record in enumerate(found):
            if n_records == MOST_DOCUMENTS:
                detail = (
                    f"one request takes at most {MOST_DOCUMENTS:,} documents: send the rest in another one"
                )
                self.fault = Problem(413, "too-many-documents", detail)
                return
            yield record
        self._notices.extend(self._admission.notices())


class _Admission(Admission):
    """Takes the source of a document from the field that names it."""

    def __init__(self, options: ReadOptions, how: HowToRead) -> None:
        super().__init__(options)
        self._how = how

    def record(
        self, key: object, text: object, label: object, source: str, meta: Mapping[str, Any] | None = None
    ) -> Record:
        name, given = self._how.source_field, dict(meta or {})
        own = None if name is None else given.pop(name, None)
        record = super().record(key, text, label, source, given if self._how.meta == "all" else None)
        return replace(record, source=shown(own, MAX_SOURCE_CHARS)) if isinstance(own, str) else record


class _Spooled(list[BadRecord]):
    """Reports of any number of bad lines: counted in memory, kept in a file."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 (closed by `close`)
        self._n = 0

    def append(self, record: BadRecord) -> None:
        told = asdict(record) | {"detail": in_http(record.detail)}
        del told["source"]
        line = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
        self._file.write(b",\n" + line if self._n else line)
        self._n += 1

    def __len__(self) -> int:
        return self._n

    def after(self, members: dict[str, Any]) -> Iterator[bytes]:
        """A JSON object with these members, and the reports as its last one."""
        yield json.dumps(members, ensure_ascii=False).removesuffix("}").encode() + b', "bad": ['
        self._file.seek(0)
        while block := self._file.read(_BUFFER_BYTES):
            yield block
        yield b"]}"

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


OPERATIONS = (add_documents,)
