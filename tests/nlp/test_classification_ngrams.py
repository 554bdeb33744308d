"""The hashed n-grams, against a plain count of the same n-grams in Python."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_tasks.classification.linear import features, hashing, ngrams
from nlp_tasks.classification.linear.ngrams import NgramConfig

CONFIG = NgramConfig(chars=(1, 3), words=(1, 2), bits=24)


def plain(text: str) -> Counter[tuple[str, object]]:
    words = text.lower().split()
    padded = f" {' '.join(words)} " if words else ""
    found: Counter[tuple[str, object]] = Counter()
    for order in range(1, 4):
        grams = [padded[i : i + order] for i in range(len(padded) - order + 1)]
        found.update(("chars", gram) for gram in grams if gram != " ")
    words = re.findall(r"[^\W_]+|\S", padded)
    for order in range(1, 3):
        found.update(("words", tuple(words[i : i + order])) for i in range(len(words) - order + 1))
    return found


def rows(texts: list[str], config: NgramConfig = CONFIG) -> list[dict[int, float]]:
    counts = ngrams.count(texts, config)
    bounds = zip(counts.starts[:-1], counts.starts[1:], strict=True)
    return [
        dict(zip(counts.buckets[a:b].tolist(), counts.counts[a:b].tolist(), strict=True)) for a, b in bounds
    ]


@pytest.mark.parametrize("text", ["영화가 정말 재미있다", "The cat, the CAT!", "a", "mixed 한국어 text 😀"])
def test_counts_are_those_of_the_ngrams_themselves(text: str) -> None:
    (row,) = rows([text])
    assert Counter(row.values()) == Counter(plain(text).values())


@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_text_has_the_same_ngrams_alone_and_in_company(texts: list[str]) -> None:
    assert rows(texts) == [rows([text])[0] for text in texts]


def test_long_batches_are_cut_into_slices_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"문서 {number} about something" for number in range(50)]
    whole = rows(texts)
    monkeypatch.setattr(hashing, "SLICE_CHARS", 40)
    assert rows(texts) == whole


def test_long_runs_of_one_character_are_cut() -> None:
    assert rows(["와 ㅋㅋㅋㅋㅋㅋㅋㅋ"]) == rows(["와 ㅋㅋㅋ"])
    assert rows(["와 ㅋㅋㅋ"]) != rows(["와 ㅋㅋ"])


def test_case_and_kind_of_space_do_not_matter() -> None:
    assert rows(["Good\n\tFilm"]) == rows([" good film "])


def test_a_blank_text_has_no_row_entries() -> None:
    assert rows(["", "  ", "x"])[:2] == [{}, {}]


def test_no_texts_give_no_rows() -> None:
    assert len(ngrams.count([], CONFIG)) == 0


def test_buckets_are_spread_evenly() -> None:
    counts = ngrams.count([f"word{n} 낱말{n}" for n in range(3000)], NgramConfig(bits=24))
    distinct = len(np.unique(counts.buckets))
    high_half = (np.unique(counts.buckets) >= 1 << 23).sum()
    assert abs(high_half / distinct - 0.5) < 0.02


def test_long_texts_are_counted_with_a_sign_of_life_after_each() -> None:
    beats: list[int] = []
    features.count(["긴 글 " * 40_000] * 3, CONFIG, lambda: beats.append(1))
    assert len(beats) == 3


def test_korean_has_its_morphemes_beside_its_words_and_english_its_words_alone() -> None:
    both = NgramConfig(chars=(1, 0), words=(1, 1), morphemes=(1, 2), bits=24)
    _, found = ngrams.places("법률을 제정하였다", both)
    visible = "법률을제정하였다"
    terms = {visible[start:end] for start, end in zip(found.starts, found.ends, strict=True)}
    assert terms >= {"법률을", "제정하였다", "법률", "을", "제정", "하", "였", "다", "을제정"}
    korean = rows(["국회"], both)[0]
    assert list(korean.values()) == [1.0, 1.0]  # a word that is a morpheme counts as either
    words = NgramConfig(chars=(1, 0), words=(1, 1), bits=24)
    assert rows(["the National Assembly", "국회"], both)[0] == rows(["the National Assembly"], words)[0]


@given(st.lists(st.text("국회는법률을 a.\n", max_size=20), max_size=4))
def test_every_ngram_counted_has_its_places(texts: list[str]) -> None:
    config = NgramConfig(morphemes=(1, 3), bits=24)
    for text, row in zip(texts, rows(texts, config), strict=True):
        chars, found = ngrams.places(text, config)
        assert row == Counter(found.buckets.tolist())
        assert all(0 <= start < end for start, end in zip(found.starts, found.ends, strict=True))
        assert max(found.ends, default=0) <= len(chars.replace(" ", ""))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("국....", {"국", "."}),
        ("....국회는 법률을", {".", "국회는", "법률을", "국회", "는", "법률", "을"}),
        (
            "국회는....법률을ㅋㅋㅋㅋㅋㅋㅋ",
            {".", "국회는", "법률을ㅋㅋㅋ", "국회", "는", "법률", "을", "ㅋㅋㅋ", "ㅋ"},
        ),
    ],
)
def test_a_long_run_does_not_move_the_places_of_other_words(text: str, words: set[str]) -> None:
    """A run is shortened after a text is split into morphemes, which may split the run."""
    config = NgramConfig(chars=(1, 0), words=(1, 1), morphemes=(1, 1), bits=24)
    chars, found = ngrams.places(text, config)
    visible = chars.replace(" ", "")
    assert {visible[start:end] for start, end in zip(found.starts, found.ends, strict=True)} == words
