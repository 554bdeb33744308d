"""Which sentences a summary may open with, repeat, or leave: leaning ones, near-duplicates, damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Setup
from nlp_tasks.summarization import SUMMARIZE, SummarizeParameters, SummarySentenceRow
from nlp_tasks.summarization.extractive.candidates import described
from nlp_tasks.summarization.extractive.debris import worth
from nlp_tasks.summarization.extractive.leaning import leans
from nlp_tasks.text import has_hangul

GOLD = Path(__file__).with_name("leaning.tsv")
#: What the rules must reach on each language of the gold set.
PRECISION, RECALL = 0.95, 0.9

DAM = (
    "The dam on the upper Orla will be raised by nine metres. But critics of the dam say the valley will flood. "
    "Engineers of the Orla authority measured the water behind the dam for ten years. "
    "This means that the dam, the valley and the Orla authority need a new plan for the water. "
    "Farmers in the valley grow barley and sell it to two breweries."
)


def sentences(text: str, **parameters: Any) -> list[str]:
    """The sentences of the summary of one text."""
    runner = SUMMARIZE.stages[0].open(Setup(SummarizeParameters(**parameters)))
    (rows,) = runner.run([Document(1, "doc", text)])
    assert not isinstance(rows, DocumentError)
    return [text[row.start_char : row.end_char] for row in rows if isinstance(row, SummarySentenceRow)]


def gold() -> list[tuple[bool, str]]:
    lines = GOLD.read_text(encoding="utf-8").splitlines()[1:]
    return [(mark == "1", sentence) for mark, _, sentence in (line.partition("\t") for line in lines)]


@pytest.mark.parametrize("korean", [True, False])
def test_leaning_sentences_are_told_from_others(korean: bool) -> None:
    judged = [(mark, sentence) for mark, sentence in gold() if has_hangul(sentence) == korean]
    assert len(judged) == 100

    found = [mark for mark, sentence in judged if leans(sentence)]

    assert sum(found) / len(found) >= PRECISION
    assert sum(found) / sum(mark for mark, _ in judged) >= RECALL


@pytest.mark.parametrize("length", [{"sentences": 1}, {"sentences": 3}, {"max_chars": 200}, {"ratio": 0.5}])
@pytest.mark.parametrize("method", ["textrank", "lexrank", "centroid"])
@pytest.mark.parametrize("position", [0.0, 1.25])
def test_a_summary_does_not_open_with_a_leaning_sentence(
    method: str, length: dict[str, float], position: float
) -> None:
    for text in (DAM, DAM.partition(". ")[2]):
        assert not leans(sentences(text, method=method, position=position, **length)[0])


def test_a_leaning_sentence_is_taken_with_the_one_before_it() -> None:
    text = (
        "Salt marshes on the coast of Fenland store more carbon than forests. "
        "This carbon of the salt marshes on the coast stays in the mud for centuries. "
        "A bus joins two villages. Tea is served at four."
    )

    assert sentences(text, sentences=2) == [
        "Salt marshes on the coast of Fenland store more carbon than forests.",
        "This carbon of the salt marshes on the coast stays in the mud for centuries.",
    ]


def test_a_text_of_leaning_sentences_only_has_a_summary_all_the_same() -> None:
    assert len(sentences("But he left. However, she stayed. And they never met again.", sentences=2)) == 2


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (
            "The ferry company Norlink will close its office in the harbour of Tarn at the end of March.",
            "At the end of March, ferry company Norlink closes the office in Tarn harbour, a spokesman said.",
        ),
        (
            "한빛전자는 내년 상반기에 청주 공장에서 차세대 전지를 생산한다고 밝혔다.",
            "한빛전자가 차세대 전지를 내년 상반기 청주 공장에서 생산하기로 했다.",
        ),
    ],
)
def test_what_was_said_in_other_words_is_not_said_again(first: str, again: str) -> None:
    others = (
        "비가 오면 시장은 문을 닫는다. 시장 상인은 서른 명이다."
        if has_hangul(first)
        else "Rain fell. Two markets closed early."
    )
    text = f"{first} {others} {again}"

    for length in ({"sentences": 3}, {"max_chars": 400}):
        kept = sentences(text, **length)
        assert first in kept
        assert again not in kept
    assert again in sentences(text, sentences=4, diversity=0.0)


@pytest.mark.parametrize(
    "sentence",
    [
        "확장 거리 공간 formula_18의 위상은 열린 공들을 기저로 한다.",
        "PhD B: I 'm on {disfmarker} I 'm on two and I should be on .",
        "펠리페의 세례명은 전통에 따라 지었는데, 펠리페 후안 파블로()이다.",
        "[[1932년]], 두 역 사이가 처음으로 전철이 되었다.",
        "(Banko et al., 2007) The system reads the whole corpus in one pass.",
        "We are given a source sentence f = f1 , ... , fj , ... , fJ , which is translated.",
        "The loss is \\frac{1}{n} of the sum over the batch.",
        "The treaty (signed in 1904 was never ratified by the senate.",
        ", which the court rejected in the spring of the same year.",
        "Ana Ruiz (Toledo), Piet Bakker (Delft), Jo Lund (Oslo), Kim Ode (Bergen), Al Moe (Ribe), Ib Dal (Vik), Bo Ek.",
        "Tom &amp; Partners bought the mill from the town.",
    ],
)
def test_damaged_sentences_are_worth_little(sentence: str) -> None:
    assert worth(sentence) < 0.5


@pytest.mark.parametrize(
    "sentence",
    [
        "The reasons are as follows:",
        "신청에 필요한 서류는 다음과 같다.",
        "The rules of the game are the following.",
        "제1조 (시행일) 이 규칙은 공포한 날부터 시행한다.",
        "이 법은 공포 후 6개월이 경과한 날부터 시행한다.",
        "See Section 3 for the detailed task definition and Section 4 for information about the conversion.",
    ],
)
def test_a_sentence_that_announces_others_is_worth_less(sentence: str) -> None:
    assert 0 < worth(sentence) < 1


@pytest.mark.parametrize(
    "sentence",
    [
        "The port of Oslo (Norway) will ban diesel lorries from 2027.",
        "부산항의 컨테이너 물동량이 석 달 내리 3.5% 늘었다.",
        "A plan B for Q3 was agreed, Ms X said.",
        "서울시는 청년 교통비 지원을 7월 1일부터 시행한다.",
        "GPT_large는 새 모델의 이름이다.",
        '「도시교통정비 촉진법」(이하 "법"이라 한다)에서 위임된 사항을 정한다.',
    ],
)
def test_whole_sentences_keep_their_worth(sentence: str) -> None:
    assert worth(sentence) == 1.0


def test_the_name_of_a_speaker_says_nothing() -> None:
    text = (
        "Project Manager: Okay .\nUser Interface: Mm .\nProject Manager: Right , yeah .\n"
        "Project Manager: The remote control gets a rubber case with large buttons .\nUser Interface: Mm .\n"
        "User Interface: Large buttons help older people to use the remote control ."
    )

    kept = sentences(text, sentences=2)

    assert [each.partition(": ")[2].split()[0] for each in kept] == ["The", "Large"]


def test_damaged_sentences_do_not_win() -> None:
    text = (
        "거리 공간 formula_1의 점과 거리 함수 formula_2는 위상 공간을 이룬다. 거리 공간의 위상은 거리 함수가 정한다. "
        "거리 공간 formula_3의 거리 함수는 위상 공간의 점 사이에 있다."
    )

    assert sentences(text, sentences=1) == ["거리 공간의 위상은 거리 함수가 정한다."]


@pytest.mark.parametrize("again", ["네, 맞습니다.", "The mayor resigned."])
@pytest.mark.parametrize("length", [{"sentences": 4}, {"max_chars": 300}])
def test_a_short_sentence_is_not_said_twice(again: str, length: dict[str, float]) -> None:
    others = (
        "시장은 오늘 새 다리를 열었다. 다리는 강을 건넌다."
        if has_hangul(again)
        else "A bridge opened in Tarn today. The bridge crosses the river."
    )

    assert sentences(f"{again} {others} {again}", **length).count(again) == 1


@pytest.mark.parametrize(
    ("leaning", "free"),
    [
        ("1998년에 은퇴하고 농사를 지었다.", "박정우는 1998년에 은퇴하고 농사를 지었다."),
        (
            "2001년에 은퇴한 뒤 학교를 세웠는데, 이는 섬에서 처음이었다.",
            "박정우는 은퇴한 뒤 학교를 세웠는데, 이는 처음이었다.",
        ),
        ("꽃을 먹을 수 있어서 참꽃이라고도 부른다.", "섬 사람들이 진달래를 참꽃이라고도 부른다."),
        ("전국 대회를 시작으로 네 번의 본선에 나갔다.", "대회를 없애야 한다고 생각합니다."),
        ("Kim: And the lamp broke.", "Kim: The lamp broke."),
    ],
)
def test_a_sentence_without_its_subject_does_not_open_a_summary(leaning: str, free: str) -> None:
    found = described([free, leaning, free])

    assert list(found.leans) == [False, True, False]


def test_statements_without_any_subject_before_them_lean_on_nothing() -> None:
    minutes = ["정기 회의를 개최했다.", "내년 예산을 심의했다.", "새 회장을 뽑았다."]

    assert list(described(minutes).leans) == [False] * 3
    assert list(described([*minutes, "회의는 네 시에 끝났다.", "저녁을 먹었다."]).leans) == [False] * 4 + [
        True
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "다음은 섬의 새에 대한 목록이다.",
        "② 그 밖에 등록에 필요한 사항은 대통령령으로 정한다.",
        "This lease may be executed in counterparts.",
        "Um so the, uh, the lamp is um red.",
        'The mayor said "we will build it.',
        "2\\. 저수지의 관리",
        "plus interest and other penalties under the lease.",
        "and the lamp, which has a red shade,",
    ],
)
def test_boilerplate_stutter_and_halves_are_worth_less(bad: str) -> None:
    good = [
        "The mayor opened the bridge.",
        "Boats pass below it.",
        "It cost nine crowns.",
        "Nobody paid.",
        "He left.",
    ]

    assert described([*good, bad]).worth[-1] < 1
    assert set(described(good).worth) == {1.0}


def test_small_letters_are_no_fault_where_all_sentences_begin_so() -> None:
    assert set(described(["the mayor left.", "boats pass below.", "iPhone sales rose."]).worth) == {1.0}
