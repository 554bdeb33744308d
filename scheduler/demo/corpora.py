"""The demo's documents: the Lee news corpus and the labelled reviews that the gensim wheel carries, and the
Korean collection in examples/documents."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from db.documents import NewDocument
from db.errors import StoreError

NEWS = "lee-news"
REVIEWS = "reviews"
KOREAN = "korean"


def korean_folder() -> Path:
    """examples/documents of the checkout."""
    folder = Path(__file__).parents[2] / "examples" / "documents"
    if not folder.is_dir():
        raise StoreError(f"{folder} is not there: the demo runs in a checkout of docmill")
    return folder


def news() -> Iterator[NewDocument]:
    """300 English news texts, one a line."""
    path = _gensim_data() / "lee_background.cor"
    for number, line in enumerate(path.read_text(encoding="cp1252").splitlines(), start=1):
        yield NewDocument(f"lee-{number:03}", line.strip(), None, f"{path.name}:{number}")


def reviews() -> Iterator[NewDocument]:
    """200 English film reviews of a sentence, each with its label."""
    path = _gensim_data() / "pang_lee_polarity.cor"
    for number, line in enumerate(path.read_text(encoding="cp1252").splitlines(), start=1):
        label, _, text = line.partition(" ")
        yield NewDocument(
            f"review-{number:03}", text.strip(), label.removeprefix("__label__"), f"{path.name}:{number}"
        )


def _gensim_data() -> Path:
    # Not imported: only its files are wanted.
    spec = find_spec("gensim")
    if spec is None or spec.origin is None:
        raise StoreError("gensim is not installed")
    return Path(spec.origin).parent / "test" / "test_data"
