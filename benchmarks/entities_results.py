"""What models did on folds, in a file of JSON Lines to which each is written as it comes: a benchmark that was cut off
goes on with the others."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nlp_tasks.entities.spans import Entity

_ROOT = Path(__file__).parents[1]
#: The code that decides what docmill's models find (no rules), and what their peers find.
_OURS = (
    "nlp_tasks/entities/*.py",
    "nlp_tasks/text.py",
    "nlp_tasks/sentences/*.py",
    "nlp_tasks/held_out_split.py",
)
_PEERS = ("benchmarks/entities_peers.py",)
_BOTH = ("benchmarks/entities_data.py",)


@dataclass(frozen=True)
class Done:
    """What a model found in the documents of a fold, what is right, and processor seconds to train and to find."""

    name: str
    model: str
    fold: int
    right: list[list[Entity]]
    found: list[list[Entity]]
    seconds: float
    #: Entities whose place does not have their text.
    n_wrong_places: int = 0
    documents_per_second: float = 0.0
    #: What ended the training.
    note: str = ""
    #: Of the code and the options that it was measured with.
    version: str = ""


def version(options: Sequence[object], *, is_ours: bool) -> str:
    """Changes with the code that a result depends on, and with the options."""
    digest = hashlib.sha256(repr(options).encode())
    for pattern in (*(_OURS if is_ours else _PEERS), *_BOTH):
        for path in sorted(_ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read(path: Path | None) -> list[Done]:
    """The results of a file; none of one that is not there. A line that was cut off is left out."""
    if path is None or not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        with contextlib.suppress(json.JSONDecodeError):
            found.append(_read(json.loads(line)))
    return found


def append(path: Path | None, done: Done) -> None:
    """Write a result to the end of the file."""
    if path is not None:
        is_cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * is_cut_off + json.dumps(asdict(done), ensure_ascii=False) + "\n")


def _read(told: dict[str, Any]) -> Done:
    done = Done(**told)
    return replace(done, right=_entities(told["right"]), found=_entities(told["found"]))


def _entities(told: Iterable[Iterable[dict[str, Any]]]) -> list[list[Entity]]:
    return [[Entity(**one) for one in document] for document in told]
