"""Whether a backup is whole: every file is there as it was written, and the store's snapshot can be read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from db.backup import snapshot
from docmill.backup import containers
from docmill.backup.containers import Source
from docmill.backup.manifest import MODELS, Manifest
from nlp_tasks import model_files

#: (bytes done, bytes in all) -> nothing.
Tell = Callable[[int, int], None]
#: Where a file of a backup is unpacked to; None to only read it.
Place = Callable[[str], Path | None]


@dataclass(frozen=True)
class Checked:
    """A backup, and what is wrong with it: a line for each fault."""

    manifest: Manifest
    problems: list[str]


def check(path: Path, tell: Tell) -> Checked:
    """Read all of a backup. Nothing of it is kept, except for a moment the snapshot of a backup that is one file."""
    with containers.opened(path) as source, tempfile.TemporaryDirectory(prefix="docmill-check-") as folder:
        found = source.manifest
        kept = None if path.is_dir() else Path(folder) / found.store_file
        problems = unpack(source, found, lambda name: kept if name == found.store_file else None, tell)
        if not problems:
            problems += filter(None, [snapshot.problem(kept or path / found.store_file)])
    return Checked(found, problems)


def unpack(source: Source, found: Manifest, place: Place, tell: Tell) -> list[str]:
    """Read every file and compare it with the manifest; put it where `place` says. Returns what is wrong."""
    expected = {file.name: file for file in found.files}
    seen, problems, n_done = set(), [], 0

    def count(n: int) -> None:
        nonlocal n_done
        n_done += n
        tell(n_done, found.n_bytes)

    for name, file in source.files():
        if name not in expected or name in seen:
            problems.append(f"{source.path}: {name} is not of this backup")
            continue
        seen.add(name)
        with _target(place(name)) as target:
            n_bytes, sha256 = containers.copied(file, target, count)
        if (n_bytes, sha256) != (expected[name].n_bytes, expected[name].sha256):
            problems.append(f"{source.path}: {name} is damaged: its sha256 is not the manifest's")
    problems += [f"{source.path}: {name} is missing" for name in expected if name not in seen]
    return problems + _models_without_files(source, found)


@contextmanager
def _target(path: Path | None) -> Iterator[IO[bytes] | None]:
    """The file, written and on the disk at the end of the block."""
    if path is None:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _models_without_files(source: Source, found: Manifest) -> list[str]:
    """Versions whose manifest is not in the backup as the store has it."""
    digests = {file.name: file.sha256 for file in found.files}
    return [
        f"{source.path}: model {model.ref} has not the files that the store names"
        for model in found.models()
        if digests.get(f"{MODELS}/{model.path}/{model_files.MANIFEST}") != model.manifest_sha256
    ]
