"""What a stage is opened with: parameters, the checked model folder, the stored vectors. This module knows no lease and
no claim, so that a stage can be opened outside a worker too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from db import api_files, evaluations, model_versions, results
from db.errors import ConflictError, NotFoundError
from db.store import Store
from nlp_tasks import heartbeat, model_files, precision
from nlp_tasks.errors import ModelFileError, NlpError
from nlp_tasks.kind import (
    Earlier,
    JobInput,
    Kind,
    LabelledDocuments,
    LabelledInput,
    ModelInput,
    Setup,
    Stage,
    Vectors,
)
from workers.kinds import parse_parameters
from workers.running import labelled
from workers.running.earlier_results import ROWS, earlier_results
from workers.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Wanted(Protocol):
    """What a stage's work depends on, as a claim or a job has it."""

    @property
    def parameters(self) -> dict[str, Any]: ...
    @property
    def collection_id(self) -> int: ...
    @property
    def model_version_id(self) -> int | None: ...


def setup_for(
    store: Store,
    settings: Settings,
    kind: Kind,
    stage: Stage,
    wanted: Wanted,
    beat: Callable[[], None],
    as_of: datetime | None = None,
    job_id: int | None = None,
) -> Setup:
    """The set-up of a stage. Raises ModelFileError when a model's files are missing or damaged. The vectors are
    those of the documents that are the latest now, or were at `as_of`. `job_id` for a job that is running: its stages
    may update other documents' results. ConflictError then, when it has to wait for another job."""
    version_id = wanted.model_version_id
    parameters = with_folders(
        store, settings, kind, parse_parameters(kind, wanted.parameters), ModelFileError
    )
    precision.choose(settings.precision)
    return Setup(
        parameters=parameters,
        device=settings.device,
        model_dir=model_folder(store, settings, version_id) if version_id is not None else None,
        corpus=_corpus(store, stage, parameters, wanted, as_of),
        earlier=_earlier(store, stage, job_id),
        judged=_judged(store, kind, parameters),
        labelled=_labelled(store, kind, parameters),
        beat=beat,
        uploads=partial(api_files.copy_to, store),
        remote=settings.remote,
        servers=settings.servers,
        graphs=settings.graphs,
    )


def with_folders(store: Store, settings: Settings, kind: Kind, parameters: Any, error: type[NlpError]) -> Any:
    """The parameters with the checked folder, on this machine, of each model that they name. `error` if there is no
    such model."""
    for wanted in kind.inputs(parameters):
        if isinstance(wanted, ModelInput):
            ref = getattr(parameters, wanted.parameter)
            try:
                with store.read() as session:
                    version = model_versions.resolve(session, ref, wanted.trained_by)
            except (NotFoundError, ConflictError) as missing:
                raise error(f"{wanted.parameter}={ref}: {missing}") from missing
            folder = model_folder(store, settings, version.id).absolute()
            parameters = replace(parameters, **{wanted.parameter: str(folder)})
    return parameters


def _corpus(
    store: Store, stage: Stage, parameters: Any, wanted: Wanted, as_of: datetime | None
) -> Callable[[], Vectors] | None:
    if stage.vectors is None:
        return None
    version_id, asked = wanted.model_version_id, stage.vectors(parameters)
    assert version_id is not None, "only kinds with a model read vectors"
    collection_id = None if asked.all_collections else wanted.collection_id
    return partial(stored_vectors, store, version_id, collection_id, as_of, with_terms=asked.with_terms)


def _earlier(store: Store, stage: Stage, job_id: int | None) -> Callable[[], Earlier] | None:
    if stage.updates is None or job_id is None:
        return None
    return partial(earlier_results, store, job_id, stage.updates)


def _judged(
    store: Store, kind: Kind, parameters: Any
) -> Callable[[Sequence[int]], dict[int, tuple[str, str | None]]] | None:
    for wanted in kind.inputs(parameters):
        if isinstance(wanted, JobInput):
            job_id = getattr(parameters, wanted.parameter)
            references = getattr(parameters, wanted.references_parameter)

            def judged(document_ids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
                with store.read() as session:
                    return evaluations.judged(session, job_id, references, document_ids)  # noqa: B023

            return judged
    return None


def _labelled(store: Store, kind: Kind, parameters: Any) -> Callable[[], LabelledDocuments] | None:
    for wanted in kind.inputs(parameters):
        if isinstance(wanted, LabelledInput):
            return partial(labelled.documents_of, store, getattr(parameters, wanted.parameter))
    return None


def model_folder(
    store: Store,
    settings: Settings,
    version_id: int,
    digest_of: Callable[[Path], str] = model_files.sha256_of,
) -> Path:
    """The folder of a model version, checked file by file against what was registered."""
    with store.read() as session:
        version = model_versions.by_id(session, version_id)
    folder = settings.models_path / version.path
    manifest = folder / model_files.MANIFEST
    if not manifest.is_file():
        raise ModelFileError(
            f"model {version.ref}: {manifest} is missing; is the models folder mounted here?"
        )
    if digest_of(manifest) != version.manifest_sha256:
        raise ModelFileError(f"model {version.ref}: {manifest} is not the one that was registered")
    model_files.check(folder, digest_of)
    return folder


def stored_vectors(
    store: Store,
    version_id: int,
    collection_id: int | None,
    as_of: datetime | None = None,
    *,
    with_terms: bool = False,
) -> Vectors:
    """A model version's vectors in one collection, or in all."""
    ids: list[int] = []
    keys: list[str] = []
    numbers = bytearray()  # not a list of vectors: joining it would take the memory twice
    terms: list[bytes] = []
    scales: list[float | None] = []
    with store.read() as session:
        found = results.vectors(session, version_id, collection_id, as_of, with_terms=with_terms)
        for id_, key, vector, words, scale in heartbeat.beating(found, every=ROWS):
            ids.append(id_)
            keys.append(key)
            numbers += vector
            scales.append(scale)
            if with_terms:
                terms.append(words)
    return vectors_of(ids, keys, numbers, terms, scales)


def vectors_of(
    ids: list[int],
    keys: list[str],
    numbers: bytes | bytearray,
    terms: Sequence[bytes],
    scales: Sequence[float | None],
) -> Vectors:
    """Vectors from their bytes, one after the other, in the order of their ids."""
    import numpy as np

    matrix: NDArray[np.float32] = np.zeros((0, 1), dtype="<f4")
    if ids:
        matrix = np.frombuffer(numbers, dtype="<f4").reshape(len(ids), -1)
    known = np.array([1.0 if scale is None else scale for scale in scales])
    return Vectors(np.asarray(ids, dtype=np.int64), keys, matrix, terms, known)
