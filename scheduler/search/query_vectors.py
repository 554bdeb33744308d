"""The vector of a free text, by the model whose vectors a similarity job stored: of Doc2Vec, or of an imported one.

Models stay open in this process for the next query.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from db.model_versions import Version
from db.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlp_tasks.encoders import Encoder
    from nlp_tasks.similarity.infer_runner import Inference
    from nlp_tasks.similarity.model import Model


#: An encoder's tokenizer is set to cut texts or not before each use: one query at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class QueryVector:
    """A text as a unit vector, and what is subtracted from stored vectors before they are compared with it."""

    vector: NDArray[np.float32]  # (D,)
    mean: NDArray[np.float32]  # (D,)


def of(store: Store, version: Version, text: str) -> QueryVector:
    """The vector of a text. ValueError if the model knows none of its words."""
    from nlp_tasks import model_files
    from nlp_tasks.encoders import is_encoder
    from workers.running.opening import model_folder
    from workers.settings import settings

    # The model stays open: its files are read again only if they have changed.
    folder = model_folder(store, settings(), version.id, model_files.kept_sha256_of)
    found = _embedded(folder, text) if is_encoder(folder) else _inferred(folder, text)
    if found is None:
        raise ValueError(
            f"none of the words of the text is in the vocabulary of {version.ref}: use more words, or other ones"
        )
    return found


def unit(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; a zero stays zero  # (N, D) -> (N, D)."""
    import numpy as np

    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(norms, 1e-12), dtype=np.float32)


def _inferred(folder: Path, text: str) -> QueryVector | None:
    from nlp_tasks import search_words

    model, infer = _doc2vec(folder)
    words = [word for word in search_words.as_written(text) if word in model.numbers]
    return QueryVector(unit(infer([words]) - model.mean)[0], model.mean) if words else None


def _embedded(folder: Path, text: str) -> QueryVector | None:
    import numpy as np

    encoder = _encoder(folder)
    with _one_at_a_time:
        found = encoder.embed([text], encoder.description.prompt(), "mean")
    if not found.n_tokens[0]:
        return None
    return QueryVector(unit(found.vectors)[0], np.zeros(encoder.dimensions, np.float32))


@lru_cache(maxsize=2)
def _doc2vec(folder: Path) -> tuple[Model, Inference]:
    from nlp_tasks.similarity import model as models
    from nlp_tasks.similarity.infer_runner import inference

    model = models.load(folder)
    return model, inference(model, "cpu")


@lru_cache(maxsize=2)
def _encoder(folder: Path) -> Encoder:
    from nlp_tasks.encoders import open_folder

    return open_folder(folder)
