"""Extractive summaries, from documents to rows."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.summarization import METHODS, SUMMARIZE, SummarizeParameters, SummaryRow, SummarySentenceRow
from workers import kinds

KOREAN = (
    "서울시가 한강에 새 다리를 놓는다. 새 다리는 한강 남쪽과 북쪽을 잇는다. 어제는 비가 왔다. "
    "시는 한강 다리 공사에 3,000억 원을 쓴다. 공사는 내년에 시작한다. 주민들은 새 다리를 반긴다. "
    "고양이가 담장 위에서 잔다. 한강의 새 다리는 2030년에 열린다."
)
ENGLISH = (
    "The city will build a new bridge over the river next year. The new bridge joins the north and the south. "
    "It rained yesterday. The city will spend $300m on the bridge over the river. A cat sleeps on a wall. "
    "People who live near the river welcome the new bridge. The bridge opens to traffic in 2030."
)
FILING = (
    "# 사업보고서\n\n제1장 회사의 개요\n회사는 반도체를 만들어 세계에 판다. 회사의 반도체 매출은 크게 늘었다.\n\n"
    "구분 | 2023년 | 2024년\n매출 | 1,200 | 1,500\n이익 | 100 | 180\n\n"
    "제2장 전망\n회사는 내년에도 반도체 매출이 늘 것으로 본다. 새 공장은 반도체를 더 많이 만든다."
)


def summarize(*texts: str, **parameters: Any) -> list[Result]:
    runner = SUMMARIZE.stages[0].open(Setup(SummarizeParameters(**parameters)))
    return list(runner.run([Document(n, f"doc-{n}", text) for n, text in enumerate(texts)]))


def sentences(text: str, **parameters: Any) -> list[str]:
    """The sentences of the summary of one text, by their offsets."""
    (result,) = summarize(text, **parameters)
    assert not isinstance(result, DocumentError)
    return [text[row.start_char : row.end_char] for row in result if isinstance(row, SummarySentenceRow)]


@pytest.mark.parametrize("text", [KOREAN, ENGLISH])
@pytest.mark.parametrize("method", METHODS)
def test_a_summary_is_three_sentences_in_document_order_with_exact_offsets(text: str, method: str) -> None:
    (rows,) = summarize(text, method=method)

    assert not isinstance(rows, DocumentError)
    summary, *chosen = rows
    assert isinstance(summary, SummaryRow)
    assert [row.position for row in chosen] == [1, 2, 3]  # type: ignore[attr-defined]
    parts = [text[row.start_char : row.end_char] for row in chosen]  # type: ignore[attr-defined]
    assert summary.summary == " ".join(parts)
    assert all(part.endswith(".") for part in parts)
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert (summary.method, summary.n_sentences) == (method, text.count(". ") + 1)
    assert max(row.score for row in chosen) == pytest.approx(1.0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("text", "aside"), [(KOREAN, "고양이"), (ENGLISH, "cat")])
@pytest.mark.parametrize("method", ["textrank", "lexrank", "centroid"])
def test_what_the_document_is_about_is_kept_and_asides_are_not(text: str, aside: str, method: str) -> None:
    kept = " ".join(sentences(text, method=method, position=0))

    assert aside not in kept
    assert "다리" in kept or "bridge" in kept


def test_lead_takes_the_first_sentences() -> None:
    assert sentences(ENGLISH, method="lead", sentences=2) == [
        "The city will build a new bridge over the river next year.",
        "The new bridge joins the north and the south.",
    ]


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b\ufeff\u3000"])
def test_a_blank_document_is_an_error_of_its_own_and_costs_no_other(text: str) -> None:
    results = summarize(KOREAN, text, ENGLISH)

    assert isinstance(results[1], DocumentError)
    assert results[1].code == "EMPTY_TEXT"
    assert [results[0], results[2]] == summarize(KOREAN, ENGLISH)


@pytest.mark.parametrize("text", ["한 문장뿐이다.", "One sentence", "...", "12345"])
def test_a_document_of_one_sentence_is_its_own_summary(text: str) -> None:
    assert sentences(f"  {text}\n") == [text]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_chosen_does_not_depend_on_the_batch(method: str) -> None:
    texts = [KOREAN, ENGLISH, FILING, "짧다.", ENGLISH * 5, KOREAN + ENGLISH]

    together = summarize(*texts, method=method)

    for text, rows in zip(texts, together, strict=True):
        (alone,) = summarize(text, method=method)
        assert _places(alone) == _places(rows)
        assert _scores(alone) == pytest.approx(_scores(rows), abs=1e-5)


def test_sentences_with_links_and_notices_do_not_win() -> None:
    text = (
        "부산항 물동량이 석 달째 늘었다. 자세한 통계는 https://www.example.co.kr/port/stat?id=33 에서 볼 수 있다. "
        "항만공사는 새 부두의 하역 속도가 빨라진 덕이라고 했다. 다른 통계는 "
        "https://data.example.co.kr/port/2026 에 있다. "
        "김아무개 기자 kim@example.co.kr ⓒ 예시신문, 무단 전재 및 재배포 금지"
    )

    for method in METHODS:
        assert sentences(text, method=method, sentences=2) == [
            "부산항 물동량이 석 달째 늘었다.",
            "항만공사는 새 부두의 하역 속도가 빨라진 덕이라고 했다.",
        ]


def test_a_document_of_links_only_has_a_summary_all_the_same() -> None:
    assert len(sentences("See https://example.com/a. See https://example.com/b.", sentences=1)) == 1


def test_of_markup_the_summary_shows_what_a_reader_sees_and_offsets_are_those_of_the_text() -> None:
    text = (
        "<html><head><style>p {color: red}</style></head><body><p>The harbour&nbsp;<b>bridge</b> &amp; the quay\n"
        "were closed on Monday.</p><script>var a = 'bridge bridge.';</script><p>Ships wait for the tide.<br>"
        "The mayor promised repairs.</p></body></html>"
    )

    (rows,) = summarize(text, method="lead", sentences=3)

    assert not isinstance(rows, DocumentError)
    assert isinstance(rows[0], SummaryRow)
    assert rows[0].summary == (
        "The harbour bridge & the quay were closed on Monday. Ships wait for the tide. The mayor promised repairs."
    )
    assert [text[row.start_char : row.end_char] for row in rows[1:]] == [  # type: ignore[attr-defined]
        "The harbour&nbsp;<b>bridge</b> &amp; the quay\nwere closed on Monday.",
        "Ships wait for the tide.",
        "The mayor promised repairs.",
    ]


def test_a_document_of_nothing_but_markup_is_blank() -> None:
    (result,) = summarize("<p>&nbsp;</p><script>x</script>")

    assert isinstance(result, DocumentError)
    assert result.code == "EMPTY_TEXT"


def test_a_wrapped_document_is_summarized_in_whole_sentences() -> None:
    wrapped = "\n".join(textwrap.wrap(KOREAN, 24))

    assert [" ".join(each.split()) for each in sentences(wrapped)] == sentences(KOREAN)


@pytest.mark.parametrize("method", METHODS)
def test_headings_and_tables_are_left_out(method: str) -> None:
    kept = sentences(FILING, method=method, sentences=10)

    assert kept == [
        "회사는 반도체를 만들어 세계에 판다.",
        "회사의 반도체 매출은 크게 늘었다.",
        "회사는 내년에도 반도체 매출이 늘 것으로 본다.",
        "새 공장은 반도체를 더 많이 만든다.",
    ]


def test_a_document_of_headings_only_has_a_summary_all_the_same() -> None:
    assert sentences("# 하나\n# 둘\n# 셋\n# 넷") == ["# 하나", "# 둘", "# 셋"]


def test_a_sentence_is_not_said_twice() -> None:
    twice = ENGLISH + " " + ENGLISH

    kept = sentences(twice, sentences=4, diversity=0.5)

    assert len(set(kept)) == 4


def test_diversity_of_nothing_allows_repetition() -> None:
    kept = sentences(
        "The bridge over the river is new. " * 4 + "A cat sleeps.", sentences=2, diversity=0, position=0
    )

    assert len(set(kept)) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_summary_keeps_to_its_characters(method: str) -> None:
    for limit in (60, 100, 130, 131, 200):
        (rows,) = summarize(ENGLISH, method=method, max_chars=limit)

        assert not isinstance(rows, DocumentError)
        assert isinstance(rows[0], SummaryRow)
        assert limit / 2 < len(rows[0].summary) <= limit
        assert rows[0].summary.endswith(".")


def test_a_limit_of_characters_is_not_one_of_sentences() -> None:
    assert len(sentences(ENGLISH, max_chars=10_000, diversity=0.0)) == 7


def test_a_sentence_longer_than_the_limit_gives_way_to_one_that_fits() -> None:
    (lead,) = sentences(ENGLISH, sentences=1)

    (kept,) = sentences(ENGLISH, max_chars=len(lead) - 1)

    assert len(kept) < len(lead)


def test_if_every_sentence_is_longer_than_the_limit_the_summary_is_the_shortest_one() -> None:
    assert sentences(ENGLISH, max_chars=5) == ["It rained yesterday."]
    assert sentences(ENGLISH, ratio=0.001) == ["It rained yesterday."]


@pytest.mark.parametrize("text", [KOREAN, ENGLISH])
@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
def test_a_ratio_is_a_share_of_the_characters(text: str, ratio: float) -> None:
    (rows,) = summarize(text, ratio=ratio, diversity=0.0)

    assert not isinstance(rows, DocumentError)
    assert isinstance(rows[0], SummaryRow)
    assert ratio - 0.2 < len(rows[0].summary) / len(text) <= ratio


def test_what_a_wrapped_sentence_shows_counts() -> None:
    wrapped = "\n".join(textwrap.wrap(KOREAN, 24)).replace("\n", "\n      ")

    assert [" ".join(each.split()) for each in sentences(wrapped, max_chars=60)] == sentences(
        KOREAN, max_chars=60
    )


@pytest.mark.parametrize(
    "given",
    [
        {"sentences": 5, "max_chars": 300},
        {"sentences": 2, "ratio": 0.1},
        {"ratio": 0.1, "max_chars": 300},
        {"sentences": 5, "ratio": 0.1, "max_chars": 300},
    ],
)
def test_a_request_gives_one_length_and_an_older_job_may_have_more(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=" and ".join(given)):
        kinds.parameters_of(SUMMARIZE, given, None)

    assert kinds.parse_parameters(SUMMARIZE, given) == SummarizeParameters(**given)


@pytest.mark.parametrize("given", [{"sentences": 5}, {"max_chars": 300}, {"ratio": 0.1}, {}])
def test_one_length_alone_is_accepted(given: dict[str, Any]) -> None:
    assert kinds.parameters_of(SUMMARIZE, given, None) == SummarizeParameters(**given)


def test_a_written_summary_has_no_length_in_characters() -> None:
    with pytest.raises(ValueError, match="max_tokens"):
        kinds.parameters_of(SUMMARIZE, {"method": "abstractive", "max_chars": 100}, None)


@pytest.mark.parametrize("method", ["textrank", "lexrank", "centroid"])
def test_a_query_decides_what_the_summary_is_about(method: str) -> None:
    assert sentences(ENGLISH, method=method, query="the sleep of a cat on a wall", sentences=1) == [
        "A cat sleeps on a wall."
    ]
    assert sentences(KOREAN, method=method, query="담장 위의 고양이", sentences=1) == [
        "고양이가 담장 위에서 잔다."
    ]


def test_a_query_that_nothing_answers_leaves_an_ordinary_summary() -> None:
    assert len(sentences(ENGLISH, query="우주")) == 3


def test_running_twice_gives_the_same() -> None:
    assert summarize(KOREAN, ENGLISH, FILING) == summarize(KOREAN, ENGLISH, FILING)


def test_a_thousand_sentences_and_more_take_a_moment() -> None:
    text = "\n".join(f"Sentence {n} speaks of thing {n % 97} and of matter {n % 13}." for n in range(5000))

    (rows,) = summarize(text)

    assert not isinstance(rows, DocumentError)
    assert isinstance(rows[0], SummaryRow)
    assert rows[0].n_sentences == 5000


def test_one_endless_token_is_summarized_too() -> None:
    (rows,) = summarize("a" * 300_000 + "가" * 300_000)

    assert not isinstance(rows, DocumentError)
    assert all(row.end_char - row.start_char <= 1000 for row in rows[1:])  # type: ignore[attr-defined]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(alphabet="가다요 음.\n\t|#\"'a.B1?!…\ud800\x00", max_size=60), max_size=6))
def test_any_text_has_a_summary_or_is_blank(texts: list[str]) -> None:
    for text, rows in zip(texts, summarize(*texts), strict=True):
        if isinstance(rows, DocumentError):
            assert not text.strip()
            continue
        assert 2 <= len(rows) <= 4
        assert all(0 <= row.start_char < row.end_char <= len(text) for row in rows[1:])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"sentences": 0},
        {"ratio": 1.5},
        {"max_chars": -1},
        {"diversity": 1.0},
        {"position": -1.0},
    ],
)
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SummarizeParameters(**wrong)


def test_the_kind_is_light_to_import() -> None:
    code = (
        "import sys, nlp_tasks.summarization; sys.exit(bool({'torch', 'numpy', 'gensim'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _rows(result: Result) -> Sequence[Any]:
    assert not isinstance(result, DocumentError)
    return result[1:]


def _places(result: Result) -> list[tuple[int, int]]:
    return [(row.start_char, row.end_char) for row in _rows(result)]


def _scores(result: Result) -> list[float]:
    return [row.score for row in _rows(result)]
