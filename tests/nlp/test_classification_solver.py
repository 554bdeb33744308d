"""The solver: its answer is the minimum, whichever way it takes, and nobody learns from what is left out."""

import numpy as np
import pytest
import torch

from nlp_tasks.classification import TrainParameters
from nlp_tasks.classification.architecture import Examples, Training
from nlp_tasks.classification.linear import cross_validation, features, gram_matrix, linear, newton
from nlp_tasks.classification.linear.features import Rows
from nlp_tasks.classification.linear.linear_model import Weights
from nlp_tasks.classification.linear.ngrams import NgramConfig
from nlp_tasks.classification.linear.solver import Problem

CONFIG = NgramConfig()
STARTS = [
    "the striker scored a late goal in the cup match number",
    "은행이 기준 금리를 다시 한 번 올렸다는 소식이다 번호는",
    "비가 오고 바람이 세게 부는 날이 며칠째 이어진다",
]
#: Equal texts and an empty one: the products of their rows have no inverse.
TEXTS = [*(f"{STARTS[n % 3]} {n * n}" for n in range(28)), STARTS[0], STARTS[0], ""]
LABELS = np.array([n % 3 for n in range(28)] + [0, 1, 2])


def rows(texts: list[str] = TEXTS) -> Rows:
    counts = features.count(texts, CONFIG, lambda: None)
    return features.weigh(counts, features.learn(counts, CONFIG))


class Silent:
    """Is told how it goes."""

    def fitting(self, loss: float) -> None: ...
    def fitted(self) -> None: ...


def problem(*, turned: bool, labels: np.ndarray = LABELS) -> Problem:
    made = Problem(rows(), labels, np.ones(3, np.float32), "cpu")
    made._turned = gram_matrix.turned(made.given, "cpu") if turned else None
    return made


def fitted(strength: float, *, turned: bool) -> Weights:
    return problem(turned=turned).fit(strength, 500, lambda _: None)


def gradient(weights: Weights, strength: float) -> torch.Tensor:
    """Of the objective as it is written down, by autograd: over dense rows."""
    given = rows()
    dense = torch.zeros(len(given), given.n_columns)
    owner = np.repeat(np.arange(len(given)), np.diff(given.starts))
    dense[owner, given.columns] = torch.from_numpy(given.values)
    matrix, bias = weights.matrix.clone().requires_grad_(), weights.bias.clone().requires_grad_()
    signs = 2 * torch.nn.functional.one_hot(torch.from_numpy(LABELS), 3) - 1
    short = (1 - signs * (dense @ matrix + bias)).clamp_min(0)
    total = matrix.square().sum() / 2 + strength * short.square().sum()
    return torch.cat([part.ravel() for part in torch.autograd.grad(total, [matrix, bias])])


@pytest.mark.parametrize("strength", [0.3, 10.0])
def test_the_weights_are_a_minimum(strength: float) -> None:
    nothing = Weights(torch.zeros(rows().n_columns, 3), torch.zeros(3))
    at_start = gradient(nothing, strength).norm()
    assert gradient(fitted(strength, turned=False), strength).norm() < 0.01 * at_start


@pytest.mark.parametrize("strength", [0.3, 10.0])
def test_turned_rows_give_the_same_weights(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "TOLERANCE", 1e-5)
    plain, turned = (fitted(strength, turned=which) for which in (False, True))
    given = rows()
    assert turned.scores(given) == pytest.approx(plain.scores(given), abs=1e-3)
    assert turned.matrix.numpy() == pytest.approx(plain.matrix.numpy(), abs=1e-3)


def test_the_products_of_rows_are_those_of_dense_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    given = rows()
    dense = sparse_to_dense(given)
    for share, together in ((0.0, 7), (0.2, 50), (2.0, 50)):
        monkeypatch.setattr(gram_matrix, "DENSE_SHARE", share)
        monkeypatch.setattr(gram_matrix, "DENSE_TOGETHER", together)
        assert gram_matrix.products(given, "cpu").numpy() == pytest.approx(dense @ dense.T, abs=1e-5)


def sparse_to_dense(given: Rows) -> np.ndarray:
    dense = np.zeros((len(given), given.n_columns), np.float32)
    owner = np.repeat(np.arange(len(given)), np.diff(given.starts))
    dense[owner, given.columns] = given.values
    return dense


def test_rows_too_alike_to_be_turned_are_fitted_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = fitted(1.0, turned=False)
    monkeypatch.setattr(
        gram_matrix, "RIDGE", -0.5
    )  # as rounding does to thousands of forms that differ in a few words
    made = Problem(rows(), LABELS, np.ones(3, np.float32), "cpu")
    assert gram_matrix.pays(made.given)
    assert gram_matrix.turned(made.given, "cpu") is None
    assert made.fit(1.0, 500, lambda _: None).matrix.numpy() == pytest.approx(plain.matrix.numpy(), abs=1e-3)


def test_few_long_texts_are_turned_and_many_short_ones_are_not() -> None:
    assert gram_matrix.pays(rows())
    assert not gram_matrix.pays(rows([f"text {n}" for n in range(300)]))


def test_a_label_of_no_used_row_has_an_answer() -> None:
    made = problem(turned=False)
    solution = made.solve(1.0, 100, lambda _: None, used=LABELS != 2)
    assert torch.isfinite(solution).all()
    assert (made.scores(solution)[:, 2] < 0).all()


def test_scores_of_a_fold_do_not_depend_on_its_labels() -> None:
    fold = cross_validation.folds(LABELS, n_validation=0)
    told = np.where(fold == 2, (LABELS + 1) % 3, LABELS)
    for turned in (False, True):
        honest, lied = (
            cross_validation.scores(
                problem(turned=turned, labels=each), fold, (0.3, 3.0), 0.01, 200, Silent()
            )
            for each in (LABELS, told)
        )
        for strength in (0.3, 3.0):
            assert np.array_equal(honest.svm[strength][fold == 2], lied.svm[strength][fold == 2])
        assert np.array_equal(honest.bayes[fold == 2], lied.bayes[fold == 2])


def test_scores_of_a_fold_are_those_of_texts_that_come_later() -> None:
    fold = cross_validation.folds(LABELS, n_validation=0)
    found = cross_validation.scores(problem(turned=False), fold, (1.0,), 0.01, 500, Silent())
    before = [text for text, number in zip(TEXTS, fold, strict=True) if number]
    later = [text for text, number in zip(TEXTS, fold, strict=True) if not number]
    counts = features.count(before, CONFIG, lambda: None)
    vocabulary = features.learn(counts, CONFIG)
    alone = Problem(features.weigh(counts, vocabulary), LABELS[fold != 0], np.ones(3, np.float32), "cpu")
    expected = alone.fit(1.0, 500, lambda _: None).scores(
        features.weigh(features.count(later, CONFIG, lambda: None), vocabulary)
    )
    # The inverse document frequencies are of all texts, which tells no labels, so they differ a little.
    assert found.svm[1.0][fold == 0] == pytest.approx(expected, abs=0.15)


def test_every_label_is_in_every_fold() -> None:
    labels = np.repeat([0, 1, 2], [40, 5, 15])
    fold = cross_validation.folds(labels, n_validation=0)
    assert all(set(labels[fold == number]) == {0, 1, 2} for number in range(cross_validation.FOLDS))


def test_of_many_texts_only_those_to_choose_by_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_validation, "MANY", 30)
    assert (
        cross_validation.folds(np.zeros(30, np.int64), n_validation=4).tolist()
        == [cross_validation.ALWAYS_USED] * 26 + [0] * 4
    )


def test_a_rare_label_that_others_overlap_is_not_passed_over() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [900, 100])
    # Of equal height for both, but nine texts in ten are of the common one: scores that follow the prior.
    evidence = random.normal(np.where(labels == 1, 1.0, -1.0), 1.0)
    scores = np.stack([np.log(0.9) - evidence, np.log(0.1) + evidence], axis=1).astype(np.float32)
    unseen = cross_validation.Unseen(np.arange(1000), np.zeros_like(scores), {1.0: scores})
    choice = linear._choose(unseen, labels)
    assert choice.offsets[1] > choice.offsets[0]
    assert choice.merit > linear._merit(scores, labels)
    mixed = Weights(torch.eye(2), torch.zeros(2)).mixed(
        Weights(torch.zeros(2, 2), torch.zeros(2)), *choice.shares
    )
    final = scores @ mixed.shifted(choice.offsets).matrix.numpy() + choice.offsets
    assert final == pytest.approx(choice.unseen, rel=1e-4, abs=1e-4)


def test_equally_common_labels_have_equal_offsets() -> None:
    for offsets in linear._offsets(np.repeat([0, 1, 2], 20), 3).values():
        assert len(set(offsets.tolist())) == 1


def test_choosing_gives_a_sign_of_life_for_every_mixture() -> None:
    beats: list[int] = []
    unseen = cross_validation.Unseen(
        np.arange(3), np.zeros((3, 3), np.float32), {1.0: np.eye(3, dtype=np.float32)}
    )
    linear._choose(unseen, np.arange(3), lambda: beats.append(1))
    assert len(beats) == len(linear.BAYES_SHARES)


def test_a_training_tells_how_far_it_is_to_its_end() -> None:
    told: list[float] = []
    texts = [f"글 {n} {'가나' if n % 2 else '다라'}" for n in range(60)]
    labels = np.arange(60) % 2
    examples = Examples(texts[:50], labels[:50], texts[50:], labels[50:], ["a", "b"], np.ones(2, np.float32))
    linear.fit(examples, Training(TrainParameters(), "cpu", lambda done, total, _: told.append(done / total)))
    assert told == sorted(told)
    assert told[-1] > 0.9


def test_documents_with_the_same_labels_are_dealt_to_all_folds() -> None:
    several = np.tile(np.eye(5, dtype=np.int64), (20, 1))
    fold = cross_validation.folds(several, n_validation=0)
    for label in range(5):
        assert np.bincount(fold[several[:, label] > 0]).tolist() == [4] * 5


@pytest.mark.parametrize(
    ("n", "chars", "config"),
    [
        (linear.MANY, 30, linear.LONGER),
        (linear.MANY - 1, 30, linear.CONFIG),
        (linear.MANY, linear.SHORT_CHARS + 1, linear.CONFIG),
        (linear.MOST + 1, 30, linear.CONFIG),
    ],
)
def test_longer_ngrams_are_for_many_short_texts_that_fit_into_memory(
    n: int, chars: int, config: NgramConfig
) -> None:
    assert linear._config_for(["x" * chars] * n) == config
