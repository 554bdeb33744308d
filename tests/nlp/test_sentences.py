"""The sentence splitter on hard cases (sentences_gold.txt), hostile texts and 10 MB."""

from __future__ import annotations

import textwrap
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_tasks.sentences import split

GOLD = Path(__file__).with_name("sentences_gold.txt")


def gold() -> list[str]:
    """Hard cases, each with a bar where a sentence ends and another begins."""
    lines = GOLD.read_text(encoding="utf-8").split("\n")
    cases = [line for line in lines if line and not line.startswith(";;")]
    return [case.replace("\\n", "\n").replace("\\r", "\r").replace("\\u2028", "\u2028") for case in cases]


@pytest.mark.parametrize("marked", gold())
def test_sentences_end_where_a_reader_ends_them(marked: str) -> None:
    text = marked.replace("¦", "")

    found = [text[start:end] for start, end in split(text)]

    assert found == [sentence.strip() for sentence in marked.split("¦")]


WRAPPED = (
    "시는 내년부터 시내버스 이백 대를 전기버스로 바꾸고 충전소 서른 곳을 새로 짓기로 했다고 밝혔다. "
    "예산은 모두 삼백억 원이며 절반은 중앙 정부가 부담한다. 시민 단체는 충전소가 외곽에 몰려 있어 도심 주민이 쓰기 "
    "어렵다고 지적했다. 시는 주차장과 공원에도 작은 충전기를 두겠다고 답했다. "
    "버스 회사는 기사 교육에 두 달이 걸린다고 말한다.",
    "The city will replace two hundred buses with electric ones from next year and build thirty charging stations, the "
    "mayor said. The cost is shared with the state. Residents of the old town say that most stations are too far from "
    "where they live. The city answered that small chargers would be put into car parks. Drivers need two months of "
    "training before the first bus leaves the depot.",
)


@pytest.mark.parametrize("text", WRAPPED)
@pytest.mark.parametrize("width", [24, 28, 33, 38, 45, 56, 72, 80, 100])
def test_wrapping_at_any_width_changes_no_sentence(text: str, width: int) -> None:
    wrapped = "\n".join(textwrap.wrap(text, width))

    found = [" ".join(wrapped[start:end].split()) for start, end in split(wrapped)]

    assert found == [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize("width", [26, 38, 60])
def test_a_paragraph_of_two_lines_is_judged_by_the_one_before(width: int) -> None:
    paragraphs = (WRAPPED[0], "새 노선은 두 곳이다 그리고 봄에 연다.")
    wrapped = "\n\n".join("\n".join(textwrap.wrap(each, width)) for each in paragraphs)

    start, end = split(wrapped)[-1]
    assert wrapped[start:end].split() == paragraphs[1].split()


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t", "\u200b\ufeff", "\u3000\xa0"])
def test_a_blank_text_has_no_sentences(text: str) -> None:
    assert split(text) == []


@given(
    st.text(alphabet="가다요. \n\r\u2028\t\"'“”()[]1aA!?…~。,-#|", max_size=80),
    st.sampled_from([None, 7, 30]),
)
def test_nothing_but_blanks_is_left_out_and_nothing_overlaps(text: str, longest: int | None) -> None:
    spans = split(text, longest)

    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


def test_a_text_without_a_full_stop_is_cut_at_blanks() -> None:
    text = "word " * 500

    spans = split(text, longest=100)

    assert all(end - start <= 100 for start, end in spans)
    assert {text[start:end].split(" ")[-1] for start, end in spans} == {"word"}


HOSTILE = [
    "a",
    "가",
    ".",
    '"',
    "(",
    " ",
    "\n",
    ". ",
    'a. "',
    "요~",
    "e.g. ",
    "A.",
    "1. ",
    ". [1]",
    "가나다. ",
    "“",
    "a\n",
    "the end of a line that goes on\n",
    "버스 이백 대를 전기 버스로 바꾸고\n",
    "plan.Voters ",
    "a.A",
    "했다.3",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_in_step_with_the_text_whatever_it_holds(unit: str) -> None:
    small, large = unit * (15_000 // len(unit)), unit * (120_000 // len(unit))

    # The best of several: the machine is shared. A quadratic splitter takes 64 times as long, not 8.
    assert _seconds(large, times=2) < 24 * _seconds(small, times=4) + 0.05


@pytest.mark.slow
def test_ten_megabytes_of_prose_take_seconds() -> None:
    text = "그는 “올해는 다르다. 더 하겠다”고 말했다. Dr. Smith paid $3.5m in the U.S. on Jan. 5. " * 150_000

    assert len(text) > 10_000_000
    assert _seconds(text, times=1) < 60


def _seconds(text: str, times: int) -> float:
    seconds = []
    for _ in range(times):
        start = time.process_time()
        split(text, longest=1000)
        seconds.append(time.process_time() - start)
    return min(seconds)
