"""Words of Korean, English and mixed texts; and texts that are none."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.text import language, segmented, tokens


def test_korean_gives_content_morphemes_without_particles_and_endings() -> None:
    assert tokens("국회는 법률을 제정하였다.") == ["국회", "법률", "제정"]


def test_korean_verbs_come_in_dictionary_form() -> None:
    assert tokens("아름다운 산") == ["아름답다", "산"]
    assert tokens("학생들이 책을 읽었습니다") == ["학생", "책", "읽다"]


def test_english_gives_lower_cased_words() -> None:
    assert tokens("The Company's board didn't meet in Q3.") == [
        "the",
        "company",
        "board",
        "didn't",
        "meet",
        "in",
        "q3",
    ]


def test_an_english_word_is_the_same_inside_korean_text() -> None:
    assert tokens("한국의 GDP는 3.5% 성장") == ["한국", "gdp", "3.5", "성장"]
    assert "gdp" in tokens("The GDP grew")


def test_a_long_line_without_spaces_takes_linear_time() -> None:
    begin = time.perf_counter()
    words = tokens("대한민국국회" * 20_000)
    assert len(words) > 20_000
    assert time.perf_counter() - begin < 10  # in one piece MeCab would take minutes


@pytest.mark.parametrize(
    "text", ["", "\0", "\ud800", "가\0나", "\ud800가", "\u2028가\x85", "👍🏽", "\n\n", "_"]
)
def test_odd_texts_do_not_raise(text: str) -> None:
    assert isinstance(tokens(text), list)


def test_words_after_a_nul_or_a_surrogate_are_still_found() -> None:
    assert tokens("국회\0법률 \udcff 산업") == ["국회", "법률", "산업"]


@settings(max_examples=100, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from("가나다각ㄱᄀ국회법률의는 aZ'’s.,1٣_\n\t\0\ud800\u2028👍漢İß"), max_size=900
    )
)
def test_any_text_gives_lower_cased_words_without_spaces(text: str) -> None:
    for word in tokens(text):
        assert word
        assert word == word.lower()
        assert not any(c.isspace() for c in word)


def test_segmenting_parts_the_morphemes_and_keeps_every_letter() -> None:
    assert segmented("국회는 법률을 제정하였다.") == "국회 는 법률 을 제정 하 였 다 ."
    assert segmented("The board, met.\n법률을 GDP") == "The board, met. 법률 을 GDP"
    unspaced = "대한민국국회는법률을제정하였다" * 5_000
    assert segmented(unspaced).replace(" ", "") == unspaced


def test_a_word_is_segmented_the_same_way_wherever_it_stands() -> None:
    alone = segmented("나는").split()
    assert segmented("하늘을 나는 새는 나는 모른다").split()[2 : 2 + len(alone)] == alone


def test_language_goes_by_the_share_of_hangul() -> None:
    assert language("국회는 GDP와 CPI를 발표했다") == "ko"
    assert language("The National Assembly (국회) passed the bill on Tuesday.") == "en"
    assert language("") == "en"
    assert language("123") == "en"
