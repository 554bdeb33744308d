"""A backup in the place of a store, and what makes a restored store start anew.

Nothing of the target is touched before every file of the backup was read and found as it was written. The files of
models come first, since the rows of the store name them.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from db import chunks, migrations
from db.backup import facts, replacing, snapshot
from db.backup.facts import StoredModel
from db.errors import ConflictError, NewerSchemaError, StoreError
from db.store import SCHEMA, Store
from docmill.backup import checking, containers
from docmill.backup.containers import Source
from docmill.backup.manifest import MODELS, Manifest
from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from workers import kinds
from workers.settings import Settings

#: (what is done, bytes done, bytes in all or None) -> nothing.
Tell = Callable[[str, int, int | None], None]
#: Where trainings build, in the models folder (workers.training).
_BUILDING = ".building"


@dataclass(frozen=True)
class Fresh:
    """What was done so that a restored store starts anew."""

    #: Chunks that workers held at the time of the backup, and that are ready again.
    n_held: int
    #: Folders of models that the restored store does not name, and where they were moved to.
    strays: list[str] = field(default_factory=list)
    strays_at: Path | None = None
    #: Versions whose files are missing or damaged.
    without: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Restored:
    """A restore that is done."""

    manifest: Manifest
    fresh: Fresh


def restore(settings: Settings, path: Path, tell: Tell, *, replace: bool) -> Restored:
    """Put a backup in the place of the settings' store. ConflictError if there is a store that holds anything, unless
    `replace`; or if workers or schedulers run on it. StoreError if the backup is not whole."""
    kinds.all_kinds()
    store = Store(settings.url)
    try:
        with containers.opened(path) as source:
            found = source.manifest
            _refuse(store, found, path, replace=replace)
            with _stage(settings.models_path) as stage:
                dump = _unpack(source, found, stage, tell)
                aside = _aside(settings.models_path)
                _place_models(stage / MODELS, settings.models_path, aside, found.models())
                n_held = _put(store, dump, found, tell)
        fresh = _fresh(settings, store, aside, n_held)
    finally:
        store.close()
    return Restored(found, fresh)


def start_anew(settings: Settings) -> Fresh:
    """For a store that was restored by other means (to a point in time, say): end the claims of that time, run missing
    migrations, and set aside what lies in the models folder and is not the store's."""
    kinds.all_kinds()
    store = Store(settings.url)
    try:
        store.check_schema(create=False)
        _refuse_members(store)
        n_held = _end_claims(store)
        return _fresh(settings, store, _aside(settings.models_path), n_held)
    finally:
        store.close()


# --- before ------------------------------------------------------------------------------------------------------


def _refuse(store: Store, found: Manifest, path: Path, *, replace: bool) -> None:
    if found.is_of_sqlite != store.is_sqlite or (store.is_sqlite and store.file is None):
        backed_up = "SQLite" if found.is_of_sqlite else "PostgreSQL"
        raise ConflictError(
            f"{path} is a backup of {backed_up}, and {store.name} is another database: set DOCMILL_DATABASE_URL"
        )
    if found.facts.schema > SCHEMA:
        raise NewerSchemaError(
            f"{path} is at schema {found.facts.schema}, and this docmill knows schemas up to {SCHEMA}: install docmill "
            f"{found.docmill} or newer"
        )
    try:
        there = replacing.what_is_there(store)
    except StoreError as error:
        if not store.is_sqlite:
            raise
        if not replace:
            raise ConflictError(f"{error}: with --replace the backup takes its place") from error
        return
    if there and not replace:
        largest = sorted(there, key=lambda name: -there[name])[:3]
        words = ", ".join(f"{there[name]:,} rows of {name}" for name in largest)
        raise ConflictError(
            f"{store.name} holds {words}: with --replace the backup takes the place of all of it"
        )
    if store.is_made:
        _refuse_members(store)


def _refuse_members(store: Store) -> None:
    if members := replacing.members(store):
        more = f" and {len(members) - 3} more" if len(members) > 3 else ""
        raise ConflictError(
            f"{', '.join(members[:3])}{more} ran on {store.name} a moment ago: stop them first (those that were killed "
            "count as running for a minute)"
        )


# --- the files ---------------------------------------------------------------------------------------------------


@contextmanager
def _stage(models: Path) -> Iterator[Path]:
    """A folder beside the models, so that what is unpacked there only has to be renamed."""
    stage = models / f".restoring-{secrets.token_hex(4)}"
    stage.mkdir(parents=True, mode=0o700)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _unpack(source: Source, found: Manifest, stage: Path, tell: Tell) -> Path:
    """The backup's files in `stage`, all as they were written; returns the snapshot's path."""
    wanted = {f"{MODELS}/{model.path}/" for model in found.models()}

    def place(name: str) -> Path | None:
        return _place(stage, found, wanted, name)

    problems = checking.unpack(source, found, place, partial(tell, "checking"))
    dump = stage / found.store_file
    problems = problems or [*filter(None, [snapshot.problem(dump)])]
    if problems:
        raise StoreError("; ".join(problems[:5]) + "; nothing was changed: use another backup")
    return dump


def _place(stage: Path, found: Manifest, wanted: set[str], name: str) -> Path | None:
    """The snapshot, and the files of the models that it names; the rest is only checked."""
    is_wanted = name == found.store_file or any(name.startswith(folder) for folder in wanted)
    return stage / name if is_wanted else None


def _place_models(unpacked: Path, models: Path, aside: Path, versions: list[StoredModel]) -> None:
    """Move each version into its place, unless it lies there whole."""
    for model in versions:
        target = models / model.path
        if _is_whole(target, model):
            continue
        if target.exists():
            _set_aside(models, aside, PurePosixPath(model.path))
        target.parent.mkdir(parents=True, exist_ok=True)
        (unpacked / model.path).rename(target)


def _is_whole(folder: Path, model: StoredModel) -> bool:
    manifest = folder / model_files.MANIFEST
    if not manifest.is_file() or model_files.sha256_of(manifest) != model.manifest_sha256:
        return False
    try:
        model_files.check(folder)
    except ModelFileError:
        return False
    return True


# --- the store ---------------------------------------------------------------------------------------------------


def _put(store: Store, dump: Path, found: Manifest, tell: Tell) -> int:
    """The snapshot in the store's place, upgraded and without claims; returns how many chunks were held."""
    tell("restoring the store", 0, None)
    if not store.is_sqlite:
        replacing.into_postgres(store, dump, lambda: tell("restoring the store", 0, None))
        replacing.check_rows(store, found.facts.rows)
        return _end_claims(store)
    assert store.file is not None
    store.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    ready = store.file.with_name(f".{store.file.name}.{secrets.token_hex(4)}.part")
    try:
        # On the store's disk, where it is upgraded before it takes the store's place.
        shutil.move(dump, ready)
        fresh = Store(f"sqlite:///{ready}")
        try:
            replacing.check_rows(fresh, found.facts.rows)
            n_held = _end_claims(fresh)
            replacing.end_log(fresh)
        finally:
            fresh.close()
        replacing.into_sqlite(store, ready)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{ready}{suffix}").unlink(missing_ok=True)
    return n_held


def _end_claims(store: Store) -> int:
    migrations.upgrade(store)
    replacing.forget_members(store)
    with store.write() as session:
        return chunks.end_every_claim(session)


# --- after -------------------------------------------------------------------------------------------------------


def _fresh(settings: Settings, store: Store, aside: Path, n_held: int) -> Fresh:
    """Numbers of jobs come again, and folders of models are named after them. So what the store does not name is set
    aside; a training would find it in its way, or go on from a checkpoint that is another's."""
    with store.engine.connect() as connection:
        versions = facts.models(connection)
    models = settings.models_path
    named = {PurePosixPath(version.path) for version in versions}
    strays = [path for path in _folders(models) if path not in named]
    for path in strays:
        _set_aside(models, aside, path)
    without = [version.ref for version in versions if not _is_whole(models / version.path, version)]
    is_there = aside.is_dir()
    return Fresh(n_held, [str(path) for path in strays], aside if is_there else None, without)


def _folders(models: Path) -> list[PurePosixPath]:
    """NAME/job-N-FENCE of every version, and the folder in which trainings build, relative to the models folder."""
    found = [
        folder
        for folder in models.glob("*/job-*")
        if folder.is_dir() and not folder.parent.name.startswith(".")
    ]
    building = models / _BUILDING
    if building.is_dir() and any(building.iterdir()):
        found.append(building)
    return sorted(PurePosixPath(path.relative_to(models).as_posix()) for path in found)


def _aside(models: Path) -> Path:
    return models / f".before-restore-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"


def _set_aside(models: Path, aside: Path, path: PurePosixPath) -> None:
    target = aside / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    (models / path).rename(target)
