"""Imports a model that was trained elsewhere: its files come to the models folder, its version into the store."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from db import imported_models
from db.model_versions import Version
from db.store import Store
from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import IMPORTED
from workers.training import placing


@dataclass(frozen=True, slots=True)
class Import:
    """What is asked for."""

    #: A folder, a wheel, or an installed package.
    source: str
    #: The name of the model.
    name: str
    #: Which model of the source; None if it holds only one.
    part: str | None = None
    #: The text before each text, or the name of a prompt of the model; None for the model's own default.
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it."""

    version: Version
    #: Whether the version was there before, with exactly these files.
    was_there: bool
    #: Where the files came from.
    source: str
    metrics: dict[str, float]


def import_model(open_store: Callable[[], Store], models: Path, wanted: Import) -> Imported:
    """Copy, try and register a model; it becomes the champion of its name. Doing it again changes nothing. ValueError
    says what is wrong with the source, ConflictError what is wrong with the name. The store is opened, and made if need
    be, by `open_store` once there is a model."""
    from nlp_tasks.encoders import importing

    building = models / ".building" / f"import-{uuid.uuid4().hex[:12]}"
    building.mkdir(parents=True)
    try:
        found = importing.import_model(wanted.source, wanted.part, wanted.prompt, building)
        sealed = model_files.seal(building)
        store = open_store()
        with store.read() as session:
            imported_models.check(session, wanted.name, IMPORTED)
            same = imported_models.same(session, wanted.name, sealed)
        if same is not None:
            return Imported(same, True, found.source, found.metrics)
        path = placing.move(models, wanted.name, building)
        with store.write() as session:
            parameters = {"source": found.source, "part": found.part, "prompt": wanted.prompt or ""}
            version = imported_models.register(
                session, wanted.name, IMPORTED, path, sealed, parameters, found.metrics
            )
        return Imported(version, False, found.source, found.metrics)
    except ModelFileError as error:
        raise ValueError(str(error)) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
