"""ROUGE by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_tasks.evaluation.rouge import longest_common_subsequence, rouge, rouge_tokens


def test_scores_are_those_worked_out_by_hand() -> None:
    found, reference = ["police", "killed", "the", "gunman"], ["police", "ended", "the", "gunman"]

    one, two, longest = rouge(found, reference)

    assert (one, two, longest) == (75, pytest.approx(100 / 3), 75)
    assert rouge(["the", "gunman", "killed", "police"], ["police", "killed", "the", "gunman"])[2] == 50


def test_nothing_in_common_is_zero_and_the_same_is_a_hundred() -> None:
    assert rouge([], ["a"]) == rouge(["a"], []) == rouge(["a"], ["b"]) == (0, 0, 0)
    assert rouge(["a", "b"], ["a", "b"]) == (100, 100, 100)


def test_korean_is_compared_by_morphemes_and_english_by_words() -> None:
    assert {"다리", "를"} <= set(rouge_tokens("다리를 놓는다"))
    assert rouge_tokens("The Bridge, 2030!") == ["the", "bridge", "2030"]


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_the_longest_common_subsequence_is_that_of_the_table(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])

    assert longest_common_subsequence(a, b) == table[-1][-1]
