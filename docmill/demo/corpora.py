"""The demo's documents: the Lee news corpus in the gensim wheel, the Korean collection in examples/documents, and the
labelled tickets in examples/tickets.csv, of which some are held out from training; and files to extract."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from db.documents import NewDocument
from db.errors import StoreError

NEWS = "lee-news"
KOREAN = "korean"
#: Labelled tickets to train on, and held-out tickets that the model never sees.
TICKETS = "tickets"
NEW_TICKETS = "new-tickets"
#: A PDF, an HWPX and a web page, whose texts a job extracts.
FILES = "files"
#: Every fourth of a label's tickets in a language is held out.
HELD_OUT_EVERY = 4


def examples() -> Path:
    """The folder examples of the checkout."""
    folder = Path(__file__).parents[2] / "examples"
    if not folder.is_dir():
        raise StoreError(f"{folder} does not exist: the demo runs in a checkout of docmill")
    return folder


def news() -> Iterator[NewDocument]:
    """300 English news texts, one on each line."""
    path = _gensim_data() / "lee_background.cor"
    for number, line in enumerate(path.read_text(encoding="cp1252").splitlines(), start=1):
        yield NewDocument(f"lee-{number:03}", line.strip(), None, f"{path.name}:{number}")


def tickets(*, held_out: bool) -> Iterator[NewDocument]:
    """Support tickets in Korean and English with their labels: every fourth is held out, the rest is for training."""
    path = examples() / "tickets.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            if (int(row["id"].rpartition("-")[2]) % HELD_OUT_EVERY == 0) == held_out:
                yield NewDocument(row["id"], row["text"], row["label"], f"{path.name}:{line}")


def _gensim_data() -> Path:
    # Not imported: only its files are needed.
    spec = find_spec("gensim")
    if spec is None or spec.origin is None:
        raise StoreError("gensim is not installed")
    return Path(spec.origin).parent / "test" / "test_data"
