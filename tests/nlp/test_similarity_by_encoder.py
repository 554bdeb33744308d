"""A search by the vectors of an imported model, without one: the words that two documents share."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nlp_tasks.kind import Document, Setup, Vectors
from nlp_tasks.similarity import NeighbourTermRow, SimilarityParameters
from nlp_tasks.similarity.by_encoder import EncoderSearcher


def _terms(texts: dict[int, str], of: int, method: str) -> list[tuple[int, int, str]]:
    """The shared words of a document with its only neighbour."""
    ids = sorted(texts)
    # 1 and 2 are near each other.
    vectors = np.eye(9, dtype=np.float32)[[1 if id_ == 2 else id_ for id_ in ids]]
    vectors[np.array(ids) == 0] = -1
    words = [json.dumps(dict.fromkeys(texts[id_].split(), 1)).encode() for id_ in ids]
    stored = Vectors(np.array(ids), [str(id_) for id_ in ids], vectors, words)
    parameters = SimilarityParameters(method=method, k=1, terms=2)  # type: ignore[arg-type]
    [rows] = EncoderSearcher(Setup(parameters, corpus=lambda: stored)).run([Document(of, str(of), "")])
    return [
        (row.neighbour_rank, row.rank, row.term)  # type: ignore[misc]
        for row in rows  # type: ignore[union-attr]
        if isinstance(row, NeighbourTermRow)
    ]


@pytest.mark.parametrize("method", ["embedding", "hybrid-embedding"])
def test_which_of_two_words_with_the_same_weight_comes_first_depends_on_no_other_document(
    method: str,
) -> None:
    """Lists that are brought up to date have words from before, when other documents were there."""
    texts = {1: "x y z", 2: "z y x"}
    alone = _terms(texts, 2, method)
    assert alone == [(1, 1, "x"), (1, 2, "y")]
    assert _terms({0: "z y", **texts, 3: "z"}, 2, "embedding") == alone
