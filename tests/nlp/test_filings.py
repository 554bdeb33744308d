"""Summaries of companies' filings: what stands on the cover, in the contents and in asides is left out."""

from __future__ import annotations

from nlp_tasks import sentences
from nlp_tasks.summarization.extractive.filings import body_start, is_aside
from nlp_tasks.summarization.extractive.prose_filter import prose

COVER = (
    "UNITED STATES\nSECURITIES AND EXCHANGE COMMISSION\nWashington, D.C. 20549\nFORM 10-K\n"
    "☒ ANNUAL REPORT PURSUANT TO SECTION 13 OF THE SECURITIES EXCHANGE ACT\n"
    "Indicate by check mark whether the registrant has filed all reports required to be filed. Yes ☒ No ☐\n"
    "The aggregate market value of the stock held by others was a great sum of dollars on that day.\n"
)
CONTENTS = "TABLE OF CONTENTS\nItem 1. Business 3\nItem 1A. Risk Factors 9\nItem 2. Properties 20\n"
BODY = (
    "PART I\nItem 1. Business\nAcme Corporation makes and sells anvils to mines in twelve countries. "
    "For more on our segments, see Note 16 to the statements. Its anvils are cast in two works in Ohio.\n"
    "Do you agree? Yes ☒ No ☐\nItem 1A. Risk Factors\nThe price of iron may rise and harm what Acme earns.\n"
)
KOREAN = (
    "사업보고서\n금융위원회 귀중\n대표이사가 이 보고서를 확인하였습니다.\nI. 회사의 개요 3\nII. 사업의 내용 9\n"
    "I. 회사의 개요\n회사는 모루를 만들어 열두 나라의 광산에 판다.\n"
)


def kept(text: str) -> list[str]:
    spans = sentences.split(text)
    return [text[start:end] for start, end in (spans[index] for index in prose(text, spans))]


def test_a_filing_is_summarized_from_its_first_chapter_on() -> None:
    assert kept(COVER + CONTENTS + BODY) == [
        "Acme Corporation makes and sells anvils to mines in twelve countries.",
        "Its anvils are cast in two works in Ohio.",
        "The price of iron may rise and harm what Acme earns.",
    ]


def test_a_korean_report_is_summarized_from_its_first_chapter_on() -> None:
    assert kept(KOREAN) == ["회사는 모루를 만들어 열두 나라의 광산에 판다."]


def test_a_filing_without_chapters_begins_after_its_last_box() -> None:
    start = body_start(COVER + "Acme makes anvils. It sells them.")

    assert "The aggregate market value" in COVER[start:]


def test_other_texts_begin_at_their_beginning() -> None:
    for text in (BODY, "The Securities and Exchange Commission fined Acme. Acme will pay.", "", CONTENTS):
        assert body_start(text) == 0
    assert "see Note 16" in " ".join(kept(BODY))


def test_what_a_filing_says_of_itself_is_an_aside() -> None:
    asides = (
        "The terms “we” and “our” mean Acme.",
        "As used herein, “Acme” means Acme Corporation.",
        "Forecasts in this report are forward-looking statements within the meaning of the Act.",
        "Information on sales is contained in Item 8 of Part II.",
        "See Note 12, Segments, for further detail.",
    )
    assert [is_aside(sentence, 0, len(sentence)) for sentence in asides] == [True] * len(asides)
    plain = "We see growth in notes and items of every part."
    assert not is_aside(plain, 0, len(plain))


def test_the_whole_of_a_filing_is_used_when_nothing_of_its_body_is_prose() -> None:
    assert kept(COVER + "PART I\nItem 1. Business\nNone\n")
