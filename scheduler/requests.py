"""A request for a job, as people write it, checked and turned into what the store keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from db import documents, evaluations, files, jobs, labels, model_versions, selection
from db.chunks import ChunkSize
from db.corrections import Sources
from db.errors import ConflictError, NotFoundError, NothingToDoError, OldSchemaError, StoreError
from db.jobs import NewJob, Submitted
from db.selection import LeftOut
from db.tables import Collection, Job
from db.tables.result import from_rows
from nlp_tasks.kind import IMPORTED, JobInput, Kind, LabelledInput
from nlp_tasks.parameters import defaults, without_effect
from scheduler import corrections, submitters
from workers import kinds, tracing


@dataclass(frozen=True)
class JobRequest:
    """What to do with which documents."""

    kind: str
    collection: str
    #: NAME, NAME@3 or NAME@alias; for a training job, the name of the model to build.
    model: str | None = None
    #: Names and values; text is read as the parameter's type.
    parameters: dict[str, Any] = field(default_factory=dict)
    #: 0 (lowest) to 9 (highest).
    priority: int = 5
    #: The same key twice is one job.
    key: str | None = None
    #: Run once this job has finished.
    after: int | None = None
    #: Only documents that no job like this one has given a result.
    only_new: bool = False
    #: Only documents that this selection means (db.where): published >= '2026-01-01' and company = 'X'.
    where: str | None = None
    #: For a kind that trains: further collections to learn from.
    also: list[str] = field(default_factory=list)
    #: For a kind that trains on labels: whether to learn the labels given where the model is used.
    corrections: bool = True
    #: Who asks for it, a name that limits refer to; user@host of this process if None.
    submitter: str | None = None
    #: No other job of its collection and kind runs beside it.
    exclusive: bool = False
    #: If an unfinished job does the same, that one is returned.
    unique: bool = False

    def as_json(self) -> dict[str, Any]:
        """For a schedule; `JobRequest(**json)` is the way back."""
        return asdict(self)


def submit(
    session: Session,
    request: JobRequest,
    run_id: int | None = None,
    document_ids: tuple[int, ...] | None = None,
) -> Submitted:
    """Write the job, over these documents of the collection if some are given. Raises ValueError for a bad kind,
    parameter or selection, NotFoundError or ConflictError for a collection, model, key or judged job, NothingToDoError
    when there is no document to take; the caller rolls back then."""
    with tracing.span("submit", kind=request.kind) as span:
        new, found = _prepared(session, request)
        try:
            submitted = jobs.submit(session, replace(new, run_id=run_id, document_ids=document_ids))
        except NothingToDoError as error:
            raise _nothing(kinds.find(request.kind), request, error.left_out) from None
        tracing.note(span, job=submitted.job_id, documents=submitted.n_documents)
    return replace(submitted, corrections=found) if submitted.created else submitted


def prepare(session: Session, request: JobRequest) -> NewJob:
    """The job that `submit` would write. Raises as it does."""
    with tracing.span("prepare", kind=request.kind):
        return _prepared(session, request)[0]


def _prepared(session: Session, request: JobRequest) -> tuple[NewJob, corrections.Corrections | None]:
    """The same, and the corrections that a training learns."""
    kind = kinds.find(request.kind)
    if not 0 <= request.priority <= 9:
        raise ValueError(f"priority {request.priority} is out of range: 0 (lowest) to 9 (highest)")
    parameters = kinds.parameters_of(kind, request.parameters, request.model)
    _check_tables(session, kind)
    if request.after is not None:
        jobs.state_of(session, request.after)
    collection = documents.collection_id(session, request.collection)
    if kind.over_files:
        collection = _files_of(session, collection, request)
    for wanted in kind.inputs(parameters):
        if isinstance(wanted, LabelledInput):
            asked = getattr(parameters, wanted.parameter)
            ref = labels.LabelledVersions.resolve(session, asked).ref
            parameters = replace(parameters, **{wanted.parameter: ref})
        elif isinstance(wanted, JobInput):
            _check_job(session, kind, wanted, parameters, collection)
        elif request.after is None:
            version = model_versions.resolve(
                session, getattr(parameters, wanted.parameter), wanted.trained_by
            )
            parameters = replace(parameters, **{wanted.parameter: version.ref})
    model_ref, version_id = _model(session, kind, request, parameters)
    others = kind.others(parameters)
    also = _also(session, kind, request)
    learns = kind.takes_corrections and request.corrections
    found = corrections.choose(session, str(model_ref), (collection, *also)) if learns else None
    new = NewJob(
        kind=kind.name,
        parameters=asdict(parameters),
        collection_id=collection,
        model_ref=model_ref,
        model_version_id=version_id,
        priority=request.priority,
        traceparent=tracing.traceparent(),
        key=request.key,
        after_job_id=request.after,
        labelled_only=kind.labelled_only,
        sources=Sources(also, corrections=learns),
        corrections=found.document_ids if found is not None else (),
        only_new=request.only_new,
        where=request.where,
        submitter=submitters.checked(request.submitter),
        exclusive=request.exclusive,
        unique=request.unique,
        depends_on=None if others is None else selection.depends_on(**asdict(others)),
        model_comes_later=version_id is None and _needs_model(kind, parameters),
    )
    return _sized(kind, new), found


def _also(session: Session, kind: Kind, request: JobRequest) -> tuple[int, ...]:
    """The numbers of the further collections, each once."""
    names = [name for name in dict.fromkeys(request.also) if name != request.collection]
    if names and kind.train is None:
        raise ValueError(f"{kind.name} runs over one collection: submit a job for each")
    return tuple(documents.collection_id(session, name) for name in names)


def _files_of(session: Session, collection: int, request: JobRequest) -> int:
    found = files.collection_of(session, collection)
    if found is None:
        raise NothingToDoError(
            f"nothing to do: no file of collection {request.collection!r} is read by {request.kind}; "
            f"`docmill add FOLDER --collection {request.collection}` adds some"
        )
    return found


def _check_tables(session: Session, kind: Kind) -> None:
    """Refuse a kind of another package whose tables nobody has created."""
    rows = (*kind.rows, *kind.figure_rows)
    for table in sorted({row.table for row in rows} & from_rows()):
        if not inspect(session.connection()).has_table(table):
            raise OldSchemaError(
                f"the store has no table {table!r} for results of the kind {kind.name!r}: run `docmill db upgrade`"
            )


def _nothing(kind: Kind, request: JobRequest, left_out: LeftOut | None) -> StoreError:
    missing = "documents with a label" if kind.labelled_only else "files" if kind.over_files else "documents"
    words = left_out.words if left_out is not None else ""
    selected = f" where {request.where}" if request.where is not None else ""
    if kind.train is not None:
        return ConflictError(
            f"collection {request.collection!r} has no {missing}{selected}: there is nothing to train on"
        )
    if words:
        why = f"has no new {missing}{selected}: {words}"
    elif selected:
        why = f"has no {missing}{selected}"
    else:
        why = f"has no {missing} yet: add some with `docmill add`"
    return NothingToDoError(f"nothing to do: collection {request.collection!r} {why}", left_out)


def retry(
    session: Session,
    job_id: int,
    document_ids: tuple[int, ...] | None = None,
    where: str | None = None,
    submitter: str | None = None,
) -> Submitted:
    """A new job like `job_id` over the documents that failed in it (their latest versions), or over some of
    them: those that its selection means now, and `where` too. NothingToDoError if there are none."""
    job = jobs.by_id(session, job_id)
    if job.state not in jobs.ENDED:
        raise ConflictError(f"job {job_id} is {job.state}: wait until it has ended, or cancel it")
    kind = kinds.find(job.kind)
    others = kind.others(kinds.parse_parameters(kind, job.parameters))
    again = NewJob(
        kind=job.kind,
        parameters=job.parameters,
        collection_id=job.collection_id,
        model_ref=job.model_ref,
        model_version_id=None if kind.train else open_model(session, job),
        priority=job.priority,
        submitter=submitters.checked(submitter),
        exclusive=job.is_exclusive,
        # A failed training is tried again on all its documents.
        failed_in_job_id=job_id,
        where=_both(job.where_clause, where),
        document_ids=document_ids,
        depends_on=None if others is None else selection.depends_on(**asdict(others)),
    )
    try:
        with tracing.span("submit", kind=job.kind, retries=job_id) as span:
            again = replace(again, traceparent=tracing.traceparent())
            submitted = jobs.submit(session, _sized(kind, again))
            tracing.note(span, job=submitted.job_id, documents=submitted.n_documents)
            return submitted
    except NothingToDoError:
        of = " that the selection means" if where or job.where_clause else ""
        raise NothingToDoError(f"nothing to do: no document{of} failed in job {job_id}") from None


def _both(one: str | None, other: str | None) -> str | None:
    """The selection of what two selections both mean."""
    return f"({one}) and ({other})" if one and other else one or other


def open_model(session: Session, job: Job) -> int | None:
    """The model version of a job, or that its reference stands for now; NotFoundError if for none."""
    if job.model_version_id is not None:
        return job.model_version_id
    kind = kinds.find(job.kind)
    parameters = kinds.parse_parameters(kind, job.parameters)
    if not _needs_model(kind, parameters):
        return None
    makers = kind.makers(parameters)
    ref = job.model_ref or model_versions.sole_model(session, *makers)
    return model_versions.resolve(session, ref, *makers).id


def _needs_model(kind: Kind, parameters: Any) -> bool:
    return kind.model_from is not None and kind.needs_model(parameters)


def collection_name(session: Session, collection_id: int) -> str:
    """A collection's name by its number; of a collection's files, the name of that collection."""
    found = session.get_one(Collection, collection_id)
    return collection_name(session, found.files_of_id) if found.files_of_id else found.name


def _check_job(session: Session, kind: Kind, wanted: JobInput, parameters: Any, collection_id: int) -> None:
    """Refuse a job that is not there, is of another kind or over another collection, and references that are not
    there."""
    job_id = getattr(parameters, wanted.parameter)
    if not job_id:
        raise ValueError(f"{kind.name}: say which {wanted.kind} job: -p {wanted.parameter}=JOB")
    job = jobs.by_id(session, job_id)
    if job.kind != wanted.kind:
        raise ValueError(f"job {job.id} is a {job.kind} job: {kind.name} needs a {wanted.kind} job")
    if job.collection_id != collection_id:
        there = collection_name(session, job.collection_id)
        raise ValueError(f"job {job.id} is over the collection {there!r}: use --collection {there}")
    references = getattr(parameters, wanted.references_parameter)
    if references and not evaluations.has_references(session, references):
        raise NotFoundError(
            f"there are no references {references!r}: `docmill {kind.name} {job.id} --references FILE` stores some"
        )


def _model(
    session: Session, kind: Kind, request: JobRequest, parameters: Any
) -> tuple[str | None, int | None]:
    """(model as asked for, its version now). A job that waits for a training settles its version when it starts; so
    does one that waits for another job, as long as there is no such model."""
    if kind.train is not None:
        name = request.model or request.collection
        model_versions.check_name(session, name, kind.name)
        return name, None
    if kind.model_from is None:
        if request.model is not None:
            raise ValueError(f"{kind.name} uses no model: omit --model")
        return None, None
    if not kind.needs_model(parameters):
        if request.model is not None:
            fix = " ".join(f"-p {name}={value}" for name, value in kind.with_model.items())
            raise ValueError(
                f"{kind.name} uses no model with these parameters: omit --model{f', or write {fix}' if fix else ''}"
            )
        return None, None
    if request.after is not None and _a_training_comes_first(session, request.after, kind.model_from):
        return request.model, None
    try:
        makers = kind.makers(parameters)
        ref = request.model or model_versions.sole_model(session, *makers)
        return ref, model_versions.resolve(session, ref, *makers).id
    except NotFoundError as error:
        if request.after is None:
            if kind.model_folder and request.model is None:
                raise NotFoundError(f"{error}, or name a folder: --model FOLDER") from None
            raise
        return request.model, None
    except ConflictError as error:
        if IMPORTED in makers or not kind.with_imported:
            raise
        how = " ".join(f"-p {name}={value}" for name, value in kind.with_imported.items())
        raise ConflictError(f"{error}; an imported model is used with {how}") from None


def _a_training_comes_first(session: Session, after: int | None, trained_by: str) -> bool:
    """Whether a job that has not ended, among those that this one waits for, makes a model of this kind."""
    while after is not None:
        job = jobs.by_id(session, after)
        if job.state in jobs.ENDED:
            return False
        if job.kind == trained_by:
            return True
        after = job.after_job_id
    return False


def _sized(kind: Kind, new: NewJob) -> NewJob:
    size = None if kind.train else ChunkSize(kind.chunk_documents, kind.chunk_chars)
    return replace(
        new,
        n_stages=max(1, len(kind.stages)),
        chunk_size=size,
        epoch=kind.epoch,
        defaults=defaults(kind.parameters),
        ignored=without_effect(kind.parameters),
    )
