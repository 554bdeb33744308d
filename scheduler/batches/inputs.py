"""What a request asks for, checked, and its inputs as documents: texts, or uploaded files for a kind over files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from sqlalchemy.orm import Session

from db import api_files
from db.documents import NewDocument
from db.tables import ApiFile
from nlp_tasks.endpoint import Asked, BadRequestError, Upload
from nlp_tasks.kind import Kind
from readers.admission import Admission
from readers.options import ReadOptions
from readers.records import RefusedError, shown
from scheduler.batches.checking import Request
from workers import kinds

#: A text is stored as it is, but in NFC.
AS_IT_IS = ReadOptions(markup="text")
#: What a file counts for at most when a job is cut into chunks: SQL adds these up as 32-bit numbers.
_MOST_WEIGHT = 1_000_000_000
#: A document from its key, the input, and where it comes from. BadRequestError.
Make: TypeAlias = Callable[[str, str, str], NewDocument]


def as_error(error: Exception, status: int = 400, code: str | None = None) -> dict[str, Any]:
    """What the store keeps of an error that a request has."""
    return {
        "status": status,
        "code": getattr(error, "code", None) or code,
        "message": str(error),
        "param": getattr(error, "param", None),
    }


def asked_of(kind: Kind, body: Mapping[str, Any]) -> tuple[Asked, dict[str, Any]]:
    """What a request asks for, and all of its parameters. BadRequestError."""
    assert kind.endpoint is not None
    asked = kind.endpoint.request(body)
    _check_storable([asked.model, dict(asked.parameters), dict(asked.form)])
    try:
        parameters = asdict(kinds.parameters_of(kind, asked.parameters, asked.model))
    except ValueError as error:
        raise BadRequestError(str(error), code="invalid_parameter") from None
    return asked, parameters


def _check_storable(value: Any) -> None:
    """No database takes a NUL or half of a surrogate pair in a text."""
    if isinstance(value, str) and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
        raise BadRequestError(
            f"{shown(value, 40)!r} has a NUL or half of a surrogate pair, which cannot be stored"
        )
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            _check_storable(each)


def text_of(admission: Admission, key: str, text: str, source: str) -> NewDocument:
    """A text as a document. BadRequestError if it cannot be stored."""
    try:
        record = admission.record(key, text, None, source)
    except RefusedError as refused:
        raise BadRequestError(f"input: {refused.detail}", param="input", code=refused.code.lower()) from None
    return NewDocument(record.key, record.text, None, source)


def maker(session: Session, kind: Kind, requests: Sequence[Request]) -> Make:
    """Makes documents of the inputs of some requests."""
    if kind.over_files:
        return _files_maker(session, kind, requests)
    admission = Admission(AS_IT_IS)
    return lambda key, text, source: text_of(admission, key, text, source)


def _files_maker(session: Session, kind: Kind, requests: Sequence[Request]) -> Make:
    assert kind.endpoint is not None
    assert kind.endpoint.file_text is not None
    as_text = kind.endpoint.file_text
    named = [value for request in requests for value in request.body.values() if isinstance(value, str)]
    known = api_files.by_ids(session, named)

    def make(key: str, file_id: str, _source: str) -> NewDocument:
        file = known.get(file_id)
        if file is None:
            raise BadRequestError(
                f"there is no file {shown(file_id, 80)!r}", param="file", code="file_not_found"
            )
        text = as_text(_upload(file))
        return NewDocument(
            key, text, None, f"{file.public_id}/{file.filename}", file.sha256, min(file.n_bytes, _MOST_WEIGHT)
        )

    return make


def _upload(file: ApiFile) -> Upload:
    if file.sha256 is None:
        raise BadRequestError(
            f"{file.public_id} was written by a batch: upload it as user_data", param="file"
        )
    return Upload(file.public_id, file.filename, file.n_bytes, file.sha256)
