"""Ranges of amounts: both ends are found, each with its value, and the unit of the second holds for the first."""

from __future__ import annotations

import pytest

from nlp_tasks.entities.rules.find import find

MONEY = [
    # A number of several parts before the second.
    ("1조 2천억~2조원", [("1조 2천억", "1200000000000 KRW"), ("2조원", "2000000000000 KRW")]),
    ("1억 5천만 ~ 2억 원", [("1억 5천만", "150000000 KRW"), ("2억 원", "200000000 KRW")]),
    ("2,500만∼3,000만 달러", [("2,500만", "25000000 USD"), ("3,000만 달러", "30000000 USD")]),
    # The unit of the second alone.
    ("3~5만 원", [("3", "30000 KRW"), ("5만 원", "50000 KRW")]),
    ("약3~5만원", [("3", "30000 KRW"), ("5만원", "50000 KRW")]),
    ("3천~5천만원", [("3천", "30000000 KRW"), ("5천만원", "50000000 KRW")]),
    ("1.5~2조원", [("1.5", "1500000000000 KRW"), ("2조원", "2000000000000 KRW")]),
    # The first has a smaller unit of its own, or is written out.
    ("5천~1만원", [("5천", "5000 KRW"), ("1만원", "10000 KRW")]),
    ("5,000~1만원", [("5,000", "5000 KRW"), ("1만원", "10000 KRW")]),
    ("900~1천원", [("900", "900 KRW"), ("1천원", "1000 KRW")]),
    # Other words and signs between them.
    ("20-30만원", [("20", "200000 KRW"), ("30만원", "300000 KRW")]),
    ("100만-200만원", [("100만", "1000000 KRW"), ("200만원", "2000000 KRW")]),
    ("3만에서 5만원", [("3만", "30000 KRW"), ("5만원", "50000 KRW")]),
    ("10억 내지 20억 원", [("10억", "1000000000 KRW"), ("20억 원", "2000000000 KRW")]),
    ("3만 원~5만 원", [("3만 원", "30000 KRW"), ("5만 원", "50000 KRW")]),
    ("30만~50만원지원", [("30만", "300000 KRW"), ("50만원", "500000 KRW")]),
    # Symbols.
    ("$1-2 million", [("$1", "1000000 USD"), ("2 million", "2000000 USD")]),
    ("$10 to 15 million", [("$10", "10000000 USD"), ("15 million", "15000000 USD")]),
    ("$10 to $15 million", [("$10", "10000000 USD"), ("$15 million", "15000000 USD")]),
    ("from $15 to $10 million", [("$15", "15000000 USD"), ("$10 million", "10000000 USD")]),
    ("$900 to $1 million", [("$900", "900 USD"), ("$1 million", "1000000 USD")]),
    ("$800,000-$1 million", [("$800,000", "800000 USD"), ("$1 million", "1000000 USD")]),
    ("€5m-6m", [("€5m", "5000000 EUR"), ("6m", "6000000 EUR")]),
    ("US$1.5–2bn", [("US$1.5", "1500000000 USD"), ("2bn", "2000000000 USD")]),
    ("$1 million to 2 million", [("$1 million", "1000000 USD"), ("2 million", "2000000 USD")]),
    ("between $10 and 15 million", [("$10", "10000000 USD"), ("15 million", "15000000 USD")]),
    ("between $10 and $15 million", [("$10", "10000000 USD"), ("$15 million", "15000000 USD")]),
    ("$5-10 a head", [("$5", "5 USD"), ("10", "10 USD")]),
    ("₩3~5만", [("₩3", "30000 KRW"), ("5만", "50000 KRW")]),
    ("$1억~2억", [("$1억", "100000000 USD"), ("2억", "200000000 USD")]),
    # Words.
    ("3-5 million dollars", [("3", "3000000 USD"), ("5 million dollars", "5000000 USD")]),
    ("3 to 5 million euros", [("3", "3000000 EUR"), ("5 million euros", "5000000 EUR")]),
    ("Between 10 and 20 dollars", [("10", "10 USD"), ("20 dollars", "20 USD")]),
    ("900 thousand to 1 million dollars", [("900 thousand", "900000 USD"), ("1 million dollars", "1000000 USD")]),
    ("100-200 USD", [("100", "100 USD"), ("200 USD", "200 USD")]),
    # No ranges.
    ("제3조~5만원", [("5만원", "50000 KRW")]),
    ("010-30만원", [("30만원", "300000 KRW")]),
    ("rooms 10 and 20 dollars", [("20 dollars", "20 USD")]),
    ("$5 to 10 people", [("$5", "5 USD")]),
    ("$5-10% off", [("$5", "5 USD")]),
    ("$5-7-9", [("$5", "5 USD")]),
    ("$20-30day", [("$20", "20 USD")]),
    ("in 2019 to 20 dollars", [("20 dollars", "20 USD")]),
    ("A-3-5 million dollars", [("5 million dollars", "5000000 USD")]),
]  # fmt: skip

PERCENT = [
    ("7-30%", [("7", "7"), ("30%", "30")]),
    ("7~30%", [("7", "7"), ("30%", "30")]),
    ("약7 ~ 30퍼센트", [("7", "7"), ("30퍼센트", "30")]),
    ("1.5–2.5%", [("1.5", "1.5"), ("2.5%", "2.5")]),
    ("-5~-3%", [("-5", "-5"), ("-3%", "-3")]),
    ("-1~2%", [("-1", "-1"), ("2%", "2")]),
    ("1%-2%", [("1%", "1"), ("2%", "2")]),
    ("1%~2%", [("1%", "1"), ("2%", "2")]),
    ("3에서 5%로", [("3", "3"), ("5%", "5")]),
    ("10 내지 20%", [("10", "10"), ("20%", "20")]),
    ("10 to 15 percent", [("10", "10"), ("15 percent", "15")]),
    ("between 10 and 15%", [("10", "10"), ("15%", "15")]),
    ("10 and 15%", [("15%", "15")]),
    ("in 2019 to 5%", [("5%", "5")]),
    ("2020~5%", [("5%", "5")]),
    ("3/4-5%", [("5%", "5")]),
    ("B-7-30%", [("30%", "30")]),
]


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [("MONEY", *each) for each in MONEY] + [("PERCENT", *each) for each in PERCENT],
)
@pytest.mark.parametrize("around", ["{}", "값은 {}", "{}, then", "1,234 {}"])
def test_both_ends_are_found(label: str, text: str, expected: list[tuple[str, str]], around: str) -> None:
    whole = around.format(text)
    found = [each for each in find(whole) if each.label == label]
    assert [(whole[each.start : each.end], each.normal) for each in found] == expected


@pytest.mark.parametrize("link", ["~", "-", " to ", " and ", "에서 "])
def test_a_long_number_has_no_end_of_its_own(link: str) -> None:
    whole = f"between {'1' * 60}{link}30% and {'1' * 60}{link}5만원"
    found = find(whole)
    assert [whole[each.start : each.end] for each in found] == ["30%", "5만원"]
