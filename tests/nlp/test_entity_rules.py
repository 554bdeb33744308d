"""Rules that find entities: 200 written cases, what overlaps, and time."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from nlp_tasks.entities.rules import LABELS, chosen
from nlp_tasks.entities.rules.find import find

CASES = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "entity_rules.tsv").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_there_are_cases_for_every_label() -> None:
    assert len(CASES) >= 200
    assert {case[2] for case in CASES} - {""} == set(LABELS)


@pytest.mark.parametrize(("text", "part", "label", "normal"), CASES, ids=[case[0] for case in CASES])
def test_a_rule_finds_what_is_there_and_nothing_else(text: str, part: str, label: str, normal: str) -> None:
    found = find(text)

    if part == "-":
        assert found == []
        return
    match = next((each for each in found if each.label == label), None)
    assert match is not None, found
    assert (text[match.start : match.end], match.normal or "") == (part, normal)


def test_what_a_rule_finds_is_the_same_inside_a_long_text() -> None:
    lines = [case[0] for case in CASES]
    text = "\n".join(lines)
    start = 0
    alone = []
    for line in lines:
        alone += [(start + m.start, start + m.end, m.label, m.normal) for m in find(line)]
        start += len(line) + 1
    # Words that say what a number is may be in the line before.
    said = {"ACCOUNT", "PASSPORT", "BUSINESS_NUMBER", "RESIDENT_NUMBER", "CORPORATE_NUMBER"}

    together = [(m.start, m.end, m.label, m.normal) for m in find(text)]

    assert [each for each in together if each[2] not in said] == [
        each for each in alone if each[2] not in said
    ]


def test_no_two_overlap_and_a_rule_that_is_not_wanted_keeps_its_place() -> None:
    text = "계좌 123-45-678901 2026-11-26 010-1234-5678 $5 3%"

    every = find(text)

    assert all(left.end <= right.start for left, right in pairwise(every))
    assert {each.label for each in find(text, chosen("date"))} == {"DATE"}
    # The digits of a phone number are no account, although an account is asked for and no phone number.
    assert [text[m.start : m.end] for m in find(text, chosen("account"))] == ["123-45-678901"]


def test_names_of_rules_are_checked() -> None:
    assert chosen("date, MONEY") == {"DATE", "MONEY"}
    assert chosen("all") == set(LABELS)
    assert chosen("none") == chosen("") == frozenset()
    assert {"EMAIL", "CARD"} <= chosen("pii, date")
    with pytest.raises(ValueError, match="did you mean phone"):
        chosen("phon")


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1,",
        "1-",
        "만",
        "천억",
        "a.",
        "a@",
        "2026. ",
        "+1 ",
        "$1",
        "1:",
        "http://a(",
        "일이삼",
        " 0",
        "4111 ",
        "Q1",
        "가",
    ],
)
def test_time_is_linear(unit: str) -> None:
    def seconds(n: int) -> float:
        text = unit * n
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            find(text)
            best = min(best, time.process_time() - started)
        return best

    short = max(seconds(2_000), 0.002)

    # 8 times the text; quadratic time would be 64 times.
    assert seconds(16_000) < 30 * short


@pytest.mark.parametrize(
    ("text", "part", "normal"),
    [
        ("the sum of $150\nmillion in cash", "$150\nmillion", "150000000 USD"),
        ("about 20\nmillion euros", "20\nmillion euros", "20000000 EUR"),
        ("no later than 6:00\np.m. on", "6:00\np.m.", "18:00"),
    ],
)
def test_a_unit_on_the_next_line_counts(text: str, part: str, normal: str) -> None:
    (match,) = find(text)

    assert (text[match.start : match.end], match.normal) == (part, normal)
