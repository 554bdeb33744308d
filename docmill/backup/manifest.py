"""What a backup says of itself: manifest.json, the last file that is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from db.backup.facts import Facts, StoredModel
from db.errors import StoreError

NAME = "manifest.json"
#: The folder of models in a backup.
MODELS = "models"
#: Of the manifest; a docmill that does not know it refuses the backup.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class File:
    """A file of a backup, beside the manifest."""

    #: With slashes, relative to the backup.
    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup."""

    #: The version of the docmill that made it.
    docmill: str
    #: The store without its password.
    of: str
    facts: Facts
    files: tuple[File, ...]
    #: Versions of models whose files were missing or damaged when the backup was made.
    without: tuple[str, ...] = ()

    @property
    def store_file(self) -> str:
        """The name of the store's snapshot."""
        return next(file.name for file in self.files if "/" not in file.name)

    @property
    def is_of_sqlite(self) -> bool:
        return self.facts.database.startswith("sqlite")

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)

    def models(self) -> list[StoredModel]:
        """The versions whose files are in the backup."""
        return [model for model in self.facts.models if model.ref not in self.without]

    def as_json(self) -> bytes:
        values = {"format": FORMAT, **asdict(self)}
        return _json(values | {"checksum": _checksum(values)})


def read(raw: bytes, name: str) -> Manifest:
    """A manifest from its bytes; StoreError, which begins with `name`, if it is damaged or of a newer docmill."""
    try:
        values: dict[str, Any] = json.loads(raw)
        if values["format"] != FORMAT:
            raise StoreError(
                f"{name}: its format is {values['format']}, and this docmill knows {FORMAT}: install the docmill "
                f"that made it ({values.get('docmill')}) or a newer one"
            )
        if values.pop("checksum") != _checksum(values):
            raise StoreError(f"{name}: the manifest was changed after it was written: use another backup")
        facts = values["facts"]
        facts["models"] = tuple(StoredModel(**each) for each in facts["models"])
        return Manifest(
            docmill=values["docmill"],
            of=values["of"],
            facts=Facts(**facts),
            files=tuple(_file(each) for each in values["files"]),
            without=tuple(values["without"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{name}: the manifest is damaged: use another backup") from error


def _file(values: dict[str, Any]) -> File:
    file = File(**values)
    parts = PurePosixPath(file.name).parts
    # A name must not lead out of the folder that the backup is unpacked into.
    if file.name.startswith("/") or ".." in parts or not (len(parts) == 1 or parts[0] == MODELS):
        raise ValueError(file.name)
    return file


def _checksum(values: dict[str, Any]) -> str:
    plain = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode()
