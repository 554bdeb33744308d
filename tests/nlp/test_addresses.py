"""Links, addresses, file names and identifiers: what is masked and what is a word."""

from __future__ import annotations

import time

import pytest

from nlp_tasks.addresses import is_mostly, masked


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("표는 https://stat.example.co.kr/a?b=1&c=2#d에서 본다.", "표는 에서 본다."),
        ("See www.example.com/path. Then go.", "See . Then go."),
        ("Mail a.b+c@mail.example.org, or me@corp.io!", "Mail , or !"),
        ("naver.com과 news.example.co.kr/x는 다르다", "과 는 다르다"),
        ("파일은 보고서_최종.pdf와 ./out/run-2.tar.gz이다", "파일은 와 이다"),
        ("Open IMG_2034.JPG or docs/read.me.md now", "Open or now"),
        ("@mayor_kim said #서울 #busan is C#", "said 서울 busan is C#"),
        ("key 550e8400-e29b-41d4-a716-446655440000 or d41d8cd98f00b204e9800998ecf8427e", "key or"),
    ],
)
def test_addresses_are_masked(text: str, left: str) -> None:
    assert len(masked(text)) == len(text)
    assert masked(text).split() == left.split() or masked(text, "").split() == left.split()


@pytest.mark.parametrize(
    "text",
    [
        "Node.js, ASP.NET, Booking.com and Vue.js",
        "e.g. the U.S. grew 3.14% by 5 p.m. on v1.2.3",
        "카카오.다음과 서울.부산",
        "COVID-19, F-35, internationalization",
        "Met on Monday.Members voted.",
    ],
)
def test_words_with_dots_and_signs_stay(text: str) -> None:
    assert masked(text) == text


def test_a_sentence_that_points_to_a_page_is_mostly_an_address() -> None:
    assert is_mostly("자세한 통계는 https://www.example.co.kr/port/stat?id=33 에서 볼 수 있다.")
    assert is_mostly("See https://example.com/a/b/c/d.")
    assert not is_mostly("Shares of Booking.com rose after the firm said that profits had doubled.")
    assert not is_mostly(
        "The ministry, at https://www.example.go.kr/board/view?id=20260305&page=1&category=press-release-long, "
        "said that the harbour would stay closed until the bridge is repaired."
    )


@pytest.mark.parametrize(
    "unit", ["a", "a.", "a@", "a/", "1a", "@a", "#", "-", "./", "http://", "www.", "x.pdf"]
)
def test_time_is_linear_whatever_the_text(unit: str) -> None:
    def seconds(n: int) -> float:
        text = unit * (n // len(unit))
        start = time.process_time()
        masked(text)
        return time.process_time() - start

    assert seconds(160_000) < 24 * min(seconds(20_000) for _ in range(3)) + 0.05
