"""Scores of texts by models that were not fitted on them (cross-validation), to choose settings by.

Small sets are divided into folds, and each fold is scored by models fitted on the other folds: a choice based on all
texts has less variance than one based on a tenth of them. For large sets the validation texts are the only fold. Knows
nothing of what is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.classification.linear import sparse
from nlp_tasks.classification.linear.features import Rows, blocks
from nlp_tasks.classification.linear.solver import Problem

FOLDS = 5
#: With at least this many texts, the validation texts are the only fold.
MANY = 20_000
#: The fold of texts that every model is fitted on.
ALWAYS_USED = -1


class Watch(Protocol):
    """Receives the progress."""

    def fitting(self, loss: float) -> None:
        """Called with the mean loss at each pass over the rows."""

    def fitted(self) -> None:
        """Called at the end of each fit."""


@dataclass(frozen=True)
class Unseen:
    """Scores (M, K) of the texts at these places, by models that were not fitted on them."""

    places: NDArray[np.int64]  # (M,) ascending
    bayes: NDArray[np.float32]
    #: C -> the scores of the SVM.
    svm: dict[float, NDArray[np.float32]]


def folds(labels: NDArray[np.int64], n_validation: int) -> NDArray[np.int64]:
    """The fold of each text (N,), stratified by label. The last `n_validation` texts are the validation texts."""
    if len(labels) >= MANY:
        return np.where(np.arange(len(labels)) < len(labels) - n_validation, ALWAYS_USED, 0)
    # Texts with the same list of labels are assigned to the folds in turn, whatever their order.
    sets = labels if labels.ndim == 1 else np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(sets, kind="stable")
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % FOLDS
    return fold


def scores(
    problem: Problem,
    fold: NDArray[np.int64],  # (N,)
    strengths: Sequence[float],
    smoothing: float,
    passes: int,
    watch: Watch,
) -> Unseen:
    """The scores of every fold by models fitted on the other folds, for every strength. `problem` has all rows."""
    shape = tuple(problem.members.shape)
    bayes = np.zeros(shape, np.float32)
    svm = {strength: np.zeros(shape, np.float32) for strength in strengths}
    for number in range(int(fold.max()) + 1):
        used, out = fold != number, fold == number
        lengths = known_lengths(problem.given, used)[out, np.newaxis]
        learned = problem.complement_bayes(smoothing, used)
        bayes[out] = (problem.rows @ learned.matrix).cpu().numpy()[out] / lengths
        solution = None  # starting from the solution of another fold would leak the labels of this one
        for strength in strengths:
            solution = problem.solve(strength, passes, watch.fitting, solution, used)
            watch.fitted()
            bias = solution[-1].cpu().numpy()
            svm[strength][out] = (problem.scores(solution).cpu().numpy()[out] - bias) / lengths + bias
    places = np.flatnonzero(fold != ALWAYS_USED)
    return Unseen(places, bayes[places], {strength: each[places] for strength, each in svm.items()})


def known_lengths(rows: Rows, used: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The length (N,) of each row without the columns that no `used` row has. A new text is scaled to length one
    without those columns, too. 1 for a row that has no other columns."""
    is_known = np.zeros(rows.n_columns, np.bool_)
    for block in blocks(rows.starts):
        part = sparse.some(rows, block)
        is_known[part.columns[used[block][sparse.owners(part)]]] = True
    lengths = np.zeros(len(rows))
    for block in blocks(rows.starts):
        part = sparse.some(rows, block)
        squares = np.where(is_known[part.columns], part.values, 0) ** 2
        lengths[block] = np.sqrt(np.bincount(sparse.owners(part), squares, len(part)))
    known: NDArray[np.float32] = np.where(lengths > 0, lengths, 1).astype(np.float32)
    return known
