"""The last phase: an answer for each line, in the output file or in the error file, in the order of the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db import api_files, request_batches, request_lines, results
from db.sql import now, one_of
from db.states import BatchPhase, RequestState
from db.store import Store
from db.tables import Collection, Document, Job, Model, ModelVersion, RequestBatch, RequestGroup, RequestLine
from nlp_tasks.endpoint import BadRequestError, Results, Rows
from nlp_tasks.kind import Kind
from scheduler.batches import answers
from scheduler.batches.inputs import as_error
from workers import kinds

#: Lines of one step, and about the bytes of their answers after which it ends.
STEP_LINES, STEP_BYTES = 500, 2 * 1024 * 1024
#: Where no retention tells otherwise, a result is there as long as its job.
_GONE = {"status": 500, "code": "RESULT_REMOVED", "message": "the result was removed before it was written",
         "param": None}  # fmt: skip
_REPLACED = {
    "status": 409, "code": "REPLACED", "param": "custom_id",
    "message": "another file with this custom_id came into the collection before this one was read: send it again "
               "under another custom_id",
}  # fmt: skip


class _ReplacedError(Exception):
    """The text of a file was not kept, since a newer version of the file was there already."""


@dataclass
class Written:
    """The lines that a step adds to both files."""

    output: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    n_bytes: int = 0

    def add(self, line: bytes, *, is_ok: bool) -> None:
        (self.output if is_ok else self.errors).append(line)
        self.n_bytes += len(line)


def write_part(store: Store, batch: RequestBatch) -> None:
    """Write the answers of the next lines."""
    written = Written()
    last = batch.line
    with store.read() as session:
        lines = request_lines.lines(session, batch.id, batch.line, STEP_LINES)
        found = _Found(session, batch, lines)
        for line in lines:
            found.answer(line, written)
            last = line.line
            if written.n_bytes > STEP_BYTES:
                break
    is_last = last == (lines[-1].line if lines else last) and len(lines) < STEP_LINES
    with store.write() as session:
        _write(session, batch, written, last, is_last=is_last)


def _write(session: Session, batch: RequestBatch, written: Written, last: int, *, is_last: bool) -> None:
    """One transaction, so that each answer is there once, whoever is killed."""
    request_batches.move(session, batch, line=last)
    files = {
        "output_file": _append(session, batch, batch.output_file, "output", written.output),
        "error_file": _append(session, batch, batch.error_file, "errors", written.errors),
    }
    request_batches.note(
        session,
        batch,
        n_completed=batch.n_completed + len(written.output),
        n_failed=batch.n_failed + len(written.errors),
        **files,
    )
    if is_last:
        for name in filter(None, files.values()):
            api_files.complete(session, api_files.unfinished(session, name).id, None, batch.output_seconds)
        state = batch.ending or RequestState.COMPLETED
        request_batches.note(session, batch, state=state, phase=BatchPhase.DONE, ended_at=now())


def _append(
    session: Session, batch: RequestBatch, name: str | None, what: str, lines: Sequence[bytes]
) -> str | None:
    """Append lines to a file, which is made with the first of them; returns its id."""
    if not lines:
        return name
    if name is None:
        made = api_files.begin(session, f"{batch.public_id}_{what}.jsonl", api_files.OUTPUT, batch.owner)
        file_id, name = made.id, made.public_id
    else:
        file_id = api_files.unfinished(session, name).id
    api_files.append(session, file_id, [(batch.step, b"".join(lines))])
    return name


class _Found:
    """What the store has about some lines."""

    def __init__(self, session: Session, batch: RequestBatch, lines: Sequence[RequestLine]) -> None:
        self._batch = batch
        self._kind = kinds.find(batch.kind)
        groups = {each.number: each for each in request_lines.groups(session, batch.id)}
        self._groups = {
            number: _Group(session, self._kind, batch.collection, groups[number], _documents(lines, number))
            for number in {line.group_number for line in lines if line.group_number is not None}
        }

    def answer(self, line: RequestLine, written: Written) -> None:
        """Add the answer of a line."""
        request_id = f"batch_req_{self._batch.public_id.removeprefix('batch_')}_{line.line}"
        if line.error is not None:
            written.add(answers.refused(request_id, line.custom_id, line.error), is_ok=False)
            return
        group = self._groups.get(line.group_number or 0)
        if group is None or not line.document_ids:
            written.add(answers.not_run(request_id, line.custom_id, self._batch.ending), is_ok=False)
            return
        if group.error is not None:
            written.add(answers.refused(request_id, line.custom_id, group.error), is_ok=False)
            return
        group.answer(request_id, line, self._batch.ending, written)


class _Group:
    """The outcomes and results of a group's documents."""

    def __init__(
        self, session: Session, kind: Kind, collection: str, group: RequestGroup, ids: Sequence[int]
    ) -> None:
        self._session = session
        self._kind = kind
        self._collection = collection
        self._form = group.form
        self.error = group.error
        self._has_job = group.job_id is not None
        self._model = group.model
        if group.job_id is None:
            return
        self._model = _model_of(session, group.job_id) or group.model
        self._outcomes = request_lines.outcomes(session, group.job_id, ids)
        owner = ("job_id", group.job_id)
        self._rows = {
            row.table: results.rows_of_documents(session, row.table, owner, ids) for row in kind.rows
        }

    def answer(
        self, request_id: str, line: RequestLine, ending: RequestState | None, written: Written
    ) -> None:
        """Add the answer of a line of this group."""
        ids = line.document_ids or []
        if not self._has_job:
            written.add(answers.not_run(request_id, line.custom_id, ending), is_ok=False)
            return
        if any(id_ not in self._outcomes for id_ in ids):
            written.add(answers.refused(request_id, line.custom_id, _GONE), is_ok=False)
            return
        error = answers.first_error([self._outcomes[id_] for id_ in ids])
        if error is not None and answers.is_stopped(error[0]):
            written.add(answers.not_run(request_id, line.custom_id, ending), is_ok=False)
        elif error is not None:
            written.add(answers.refused(request_id, line.custom_id, answers.of_outcome(*error)), is_ok=False)
        else:
            self._answer_ok(request_id, line, written)

    def _answer_ok(self, request_id: str, line: RequestLine, written: Written) -> None:
        assert self._kind.endpoint is not None
        ids = line.document_ids or []
        rows: list[Rows] = [{table: found.get(id_, []) for table, found in self._rows.items()} for id_ in ids]
        try:
            made = [self._made(id_, each) for id_, each in zip(ids, rows, strict=True)]
            body = self._kind.endpoint.answer(Results(rows, self._model, self._form, made))
        except BadRequestError as error:
            written.add(answers.refused(request_id, line.custom_id, as_error(error)), is_ok=False)
        except _ReplacedError:
            written.add(answers.refused(request_id, line.custom_id, _REPLACED), is_ok=False)
        except (LookupError, ValueError):
            # Retention has pruned rows of this job.
            written.add(answers.refused(request_id, line.custom_id, _GONE), is_ok=False)
        else:
            written.add(answers.answered(request_id, line.custom_id, body), is_ok=True)

    def _made(self, file_id: int, rows: Rows) -> list[tuple[str, str]]:
        """The texts that were made of a file, by key: of each the version that this job made, whatever came since.
        _ReplacedError if another version of the file came before this one was read."""
        assert self._kind.endpoint is not None
        if self._kind.endpoint.made is None:
            return []
        versions = dict(self._kind.endpoint.made(rows))
        if None in versions.values() and not self._is_latest(file_id):
            raise _ReplacedError
        wanted = [version for version in versions.values() if version is not None]
        query = (
            select(Document.key, Document.version, Document.is_latest, Document.text)
            .join(Collection, Collection.id == Document.collection_id)
            .where(
                Collection.name == self._collection,
                Document.erased_at.is_(None),
                one_of(Document.key, list(versions)),
                or_(Document.is_latest, one_of(Document.version, wanted)),
            )
        )
        return [
            (row.key, row.text)
            for row in self._session.execute(query)
            # A job of an older docmill did not note the version.
            if (row.is_latest if versions[row.key] is None else row.version == versions[row.key])
        ]

    def _is_latest(self, document_id: int) -> bool:
        return bool(self._session.scalar(select(Document.is_latest).where(Document.id == document_id)))


def _documents(lines: Sequence[RequestLine], group: int) -> list[int]:
    return [id_ for line in lines if line.group_number == group for id_ in line.document_ids or ()]


def _model_of(session: Session, job_id: int) -> str | None:
    """The version that a job used, as people write it."""
    row = session.execute(
        select(Model.name, ModelVersion.version)
        .join(ModelVersion, ModelVersion.model_id == Model.id)
        .join(Job, Job.model_version_id == ModelVersion.id)
        .where(Job.id == job_id)
    ).one_or_none()
    return f"{row.name}@{row.version}" if row is not None else None
