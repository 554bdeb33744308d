"""Questions to word vectors: their models are opened in this process, and stay open for the next question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from db import model_versions
from db.model_versions import Version
from db.store import Store

if TYPE_CHECKING:
    from nlp_tasks.word_vectors.model import Model
    from nlp_tasks.word_vectors.queries import NearWord

_MAKER = "train-words"


@dataclass(frozen=True, slots=True)
class NearWords:
    """The words that a model finds near to others, the nearest first."""

    words: tuple[NearWord, ...]
    #: NAME@VERSION
    model: str


def nearest(store: Store, words: Sequence[str], n: int, model: str | None = None) -> NearWords:
    """The words nearest to some words together. `model` is NAME, NAME@VERSION or NAME@ALIAS; the only one if None.
    NotFoundError if there is no such model; ValueError, with words that are spelled alike, for an unknown word."""
    from nlp_tasks.word_vectors import queries

    version, opened = open_model(store, model)
    return NearWords(tuple(queries.nearest(opened, words, n)), version.ref)


def analogy(store: Store, a: str, b: str, c: str, n: int, model: str | None = None) -> NearWords:
    """The words that are to c as b is to a. Errors as of `nearest`."""
    from nlp_tasks.word_vectors import queries

    version, opened = open_model(store, model)
    return NearWords(tuple(queries.analogy(opened, a, b, c, n)), version.ref)


def open_model(store: Store, model: str | None) -> tuple[Version, Model]:
    """A model of word vectors by its name, or the only one."""
    from nlp_tasks import model_files
    from workers.running.opening import model_folder
    from workers.settings import settings

    with store.read() as session:
        name = model if model is not None else model_versions.sole_model(session, _MAKER)
        version = model_versions.resolve(session, name, _MAKER)
    # The model stays open: its files are read again only if they have changed.
    return version, _opened(model_folder(store, settings(), version.id, model_files.kept_sha256_of))


@lru_cache(maxsize=2)
def _opened(folder: Path) -> Model:
    from nlp_tasks.word_vectors import model as models

    return models.load(folder)
