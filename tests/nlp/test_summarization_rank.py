"""The sparse ranking against the same thing written out densely."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlp_tasks.summarization.extractive import ranking, term_matrix

DOCUMENTS = [
    [["a", "b", "c"], ["b", "c", "d", "d"], ["c", "e"], ["f", "a", "b"]],
    [["a"], ["b"]],
    [["x", "y"], [], ["y", "z", "x", "w"]],
]


def dense(document: list[list[str]], method: str) -> np.ndarray:
    """A Aᵀ of one document, by the definition."""
    vocabulary = sorted({token for sentence in document for token in sentence})
    counts = np.array([[sentence.count(token) for token in vocabulary] for sentence in document], float)
    idf = np.log1p(len(document) / (counts > 0).sum(0))
    if method == "textrank":
        values = (counts > 0) * idf
        norms = np.linalg.norm(values, axis=1)
        values = values / ((1 - ranking.SLOPE) * norms.mean() + ranking.SLOPE * norms)[:, None]
    else:
        values = counts * idf
        values = values / np.maximum(np.linalg.norm(values, axis=1), 1e-12)[:, None]
    return np.asarray(values @ values.T)


def dense_pagerank(weights: np.ndarray) -> np.ndarray:
    """The stationary distribution as the solution of a linear system; isolated sentences get their restart only."""
    weights = weights - np.diag(np.diag(weights))
    degree = weights.sum(1)
    moves = np.divide(weights, degree[:, None], out=np.zeros_like(weights), where=degree[:, None] > 1e-9)
    n = len(weights)
    return np.asarray(
        np.linalg.solve(np.eye(n) - ranking.DAMPING * moves.T, np.full(n, (1 - ranking.DAMPING) / n))
    )


@pytest.mark.parametrize("method", ["textrank", "lexrank"])
def test_pagerank_is_that_of_the_dense_graph_of_each_document(method: str) -> None:
    batch = term_matrix.count(DOCUMENTS)
    edges = term_matrix.graph(batch, ranking.edge_values(batch, method))

    ranks = ranking.pagerank(batch, edges)

    expected = np.concatenate([dense_pagerank(dense(document, method)) for document in DOCUMENTS])
    assert ranks.numpy() == pytest.approx(expected, abs=0.85**ranking.ITERATIONS)


@pytest.mark.parametrize("method", ["textrank", "lexrank"])
def test_neighbours_and_cosines_are_products_with_the_dense_graph(method: str) -> None:
    batch = term_matrix.count(DOCUMENTS[:1])
    edges = term_matrix.graph(batch, ranking.edge_values(batch, method))
    weights = dense(DOCUMENTS[0], method)
    x = np.array([0.1, 0.2, 0.3, 0.4], np.float32)

    scale = 1 / np.sqrt(np.diag(weights))
    assert edges.neighbours(torch.from_numpy(x)).numpy() == pytest.approx(
        (weights - np.diag(np.diag(weights))) @ x, rel=1e-5
    )
    assert edges.cosines(torch.from_numpy(x)).numpy() == pytest.approx(
        (weights * scale[:, None] * scale) @ x, rel=1e-5
    )


def test_documents_of_a_batch_share_no_column() -> None:
    batch = term_matrix.count(DOCUMENTS)

    assert torch.equal(batch.document[batch.rows], batch.column_document[batch.columns])
    assert batch.lengths.tolist() == [4, 2, 3]
    assert batch.place.tolist() == [0, 1, 2, 3, 0, 1, 0, 1, 2]


def test_words_of_the_query_are_marked_in_each_document() -> None:
    batch = term_matrix.count(DOCUMENTS, query=["b", "nowhere", "x", "b"])

    assert batch.document_sums(batch.row_sums(batch.asked[batch.columns] * batch.counts)).tolist() == [
        3.0,
        1.0,
        2.0,
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_ranks_as_the_cpu_does() -> None:
    ranks = []
    for device in ("cpu", "cuda:0"):
        batch = term_matrix.count(DOCUMENTS, device=device)
        ranks.append(
            ranking.pagerank(batch, term_matrix.graph(batch, ranking.edge_values(batch, "textrank")))
            .cpu()
            .numpy()
        )

    assert ranks[0] == pytest.approx(ranks[1], abs=1e-5)
