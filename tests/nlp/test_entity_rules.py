"""Rules that find entities: 200 written cases, what overlaps, and time."""

from __future__ import annotations

import hashlib
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest

from nlp_tasks import heartbeat
from nlp_tasks.entities import ENTITIES
from nlp_tasks.entities.rules import LABELS, chosen, dates
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
        "1~3월",
        "2011-",
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


def test_random_strings_of_what_ranges_are_made_of_give_exact_places() -> None:
    numbers = "1 3 12 31 00 2011 2019 99 1588 1566 2000 ² ３ ٣ ½"
    signs = "$ - – ~ ～ . , / : ( %"
    korean = "5월 월 일 년 시 분기 원 만 억 (월) 부터 까지 에서 오전 오후 제 조 간 전화 번으로 여 수"
    english = "pm p.m. March MAY Nov. to and between from million percent st th Q1"
    parts = [*f"{numbers} {signs} {korean} {english}".split(), " ", " ", "\n", "\u00a0"]
    chance = random.Random(7)
    for _ in range(500):
        text = "".join(chance.choice(parts) for _ in range(chance.randint(1, 25)))

        found = find(text)

        assert all(left.end <= right.start for left, right in pairwise(found)), text
        assert all(0 <= m.start < m.end <= len(text) for m in found), text
        written = [text[m.start : m.end] for m in found]
        assert written == [each.strip() for each in written], text


def test_a_rule_sends_heartbeats_while_it_reads_a_long_line() -> None:
    """Of one that finds nothing, too."""
    for unit in ("2011-", "1~3월"):
        beats: list[int] = []
        with heartbeat.heard_by(lambda: beats.append(1)):  # noqa: B023 (called in the loop)
            list(dates.dates(unit * 100))
        assert len(beats) >= 10, unit


def test_rules_that_find_other_things_have_a_new_epoch() -> None:
    """Where this fails: raise `ENTITIES.epoch`, so that no older result stands, and write the new pair here."""
    text = (
        "2017년 9월~11월, 5월 1~3일, 2011~2015년, March 3-5, 2020, 오후 3~5시에 1588-2000, 02-123-4567으로 전화. "
        "100에서 20% 줄었다. 80~100만원, $1-2 million, 7-30%, 2월 30일, 3/4/2026, a@b.kr, 900101-1234568."
    )
    found = "\n".join(repr(match) for match in find(text))

    assert (ENTITIES.epoch, hashlib.sha256(found.encode()).hexdigest()[:8]) == (4, "21562a64")
