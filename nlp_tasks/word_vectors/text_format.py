"""The text format of word2vec: a line with the numbers of words and dimensions, then a word and its vector a line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nlp_tasks import heartbeat
from nlp_tasks.word_vectors.model import Model

#: Readers split a line at blanks of any sort.
_blanks = re.compile(r"\s+")


def write(model: Model, path: Path, n_words: int | None = None) -> int:
    """Write the vectors of the most frequent words, of all by default; returns their number. Each number has the digits
    that give the same float32 when it is read. A blank in a word becomes "_"."""
    words, vectors = model.words[:n_words], model.vectors[:n_words]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, vector in heartbeat.beating(zip(words, vectors, strict=True), every=100):
            file.write(f"{_blanks.sub('_', word)} {' '.join(vector.astype(np.str_))}\n")
    return len(words)
