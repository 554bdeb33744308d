"""A backup of a store while jobs run.

First the store, then the files of the models that it names. Files of a version are in their place before the store
names it, and they never change; so whatever the snapshot names can be copied after it. Only retention may delete some
meanwhile: then the store is copied again, where they are no longer named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from db.backup import facts, snapshot
from db.backup.facts import Facts, StoredModel
from db.errors import NoStoreError, StoreError
from db.store import Store
from docmill.backup import containers
from docmill.backup.containers import Sink
from docmill.backup.manifest import MODELS, File, Manifest
from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from workers.settings import Settings

#: How often the store is copied again because models were pruned meanwhile.
_TRIES = 3

#: (what is copied, bytes done, bytes in all or None) -> nothing.
Tell = Callable[[str, int, int | None], None]


def make(settings: Settings, path: Path, tell: Tell, *, incomplete: bool = False) -> Manifest:
    """Back the store of the settings up to `path`. Nothing of the store is changed, and it is not upgraded. StoreError
    if the files of a model are missing or damaged, unless `incomplete`."""
    store = Store(settings.url)
    try:
        if not store.is_made:
            raise NoStoreError(f"there is no store at {store.file}{settings.other_stores}")
        with containers.created(path) as sink:
            made = _Making(store, settings.models_path, sink, tell).make(incomplete=incomplete)
            sink.finish(made.as_json())
    finally:
        store.close()
    return made


class _Making:
    """One backup in the making."""

    def __init__(self, store: Store, models: Path, sink: Sink, tell: Tell) -> None:
        self._store = store
        self._models = models
        self._sink = sink
        self._tell = tell
        #: The versions whose files are in the backup.
        self._copied: set[str] = set()
        #: Also some of a version that was pruned while it was copied.
        self._files: list[File] = []

    def make(self, *, incomplete: bool) -> Manifest:
        name = snapshot.name_of(self._store)
        dump = self._sink.work / name
        for tries_left in reversed(range(_TRIES)):
            dump.unlink(missing_ok=True)
            found = snapshot.take(self._store, dump, lambda n, of: self._tell("store", n, of))
            problems = self._copy_models(found)
            pruned = set(problems) - {model.ref for model in self._named_now()} if problems else set()
            if not problems or (not pruned and incomplete):
                break
            if not pruned or not tries_left:
                raise StoreError(_words(problems))
        done = _Counter(lambda n: self._tell("writing the store", n, dump.stat().st_size))
        self._files.append(self._sink.add(name, dump, done))
        dump.unlink()
        return Manifest(
            version("docmill"), self._store.name, found, tuple(self._files), tuple(sorted(problems))
        )

    def _copy_models(self, found: Facts) -> dict[str, str]:
        """Version -> what is wrong with its files, for those that could not be copied."""
        problems = {}
        for place, model in enumerate(found.models, start=1):
            if model.ref in self._copied:
                continue
            words = f"model {model.ref} ({place} of {len(found.models)})"
            try:
                self._copy(model, _Counter(partial(self._tell_of, words)))
            except (ModelFileError, FileNotFoundError) as error:
                problems[model.ref] = str(error)
            else:
                self._copied.add(model.ref)
        return problems

    def _tell_of(self, what: str, n_bytes: int) -> None:
        self._tell(what, n_bytes, None)

    def _copy(self, model: StoredModel, tell: containers.Tell) -> None:
        """The files are checked before any is copied: a part of a version helps nobody."""
        folder = self._models / model.path
        manifest = folder / model_files.MANIFEST
        if not manifest.is_file():
            raise ModelFileError(f"{manifest} is missing")
        if model_files.sha256_of(manifest) != model.manifest_sha256:
            raise ModelFileError(f"{manifest} is not the one that was registered")
        model_files.check(folder)
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                name = f"{MODELS}/{model.path}/{file.relative_to(folder).as_posix()}"
                self._files.append(self._sink.add(name, file, tell))

    def _named_now(self) -> list[StoredModel]:
        with self._store.engine.connect() as connection:
            return facts.models(connection)


class _Counter:
    """Adds up what pieces report."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._n = 0

    def __call__(self, n: int) -> None:
        self._n += n
        self._tell(self._n)


def _words(problems: dict[str, str]) -> str:
    said = "; ".join(f"model {ref}: {problem}" for ref, problem in problems.items())
    return f"{said}. Restore the files or train again; with --incomplete the backup is made without them"
