"""Keywords, from documents to rows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from nlp_tasks.errors import DocumentError
from nlp_tasks.keywords import KEYWORDS, KeywordRow, KeywordsParameters
from nlp_tasks.keywords.parts_of_speech import Part, part
from nlp_tasks.keywords.phrases import english, korean, phrases
from nlp_tasks.kind import Document, Setup

ENGLISH = (
    "The central bank raised interest rates again on Tuesday. Higher interest rates make loans dearer, the central "
    "bank said. Shops fear that interest rates will keep customers away. The central bank meets next month."
)
KOREAN = (
    "한국은행이 기준금리를 올렸다. 기준금리가 오르면 대출 이자가 는다. 한국은행은 물가 상승을 막으려고 "
    "기준금리를 올린다고 했다. 물가 상승은 가계의 구매력을 줄인다. 사람들은 한국은행의 다음 결정을 기다린다."
)


def keywords(*texts: str, **parameters: Any) -> list[Sequence[Any] | DocumentError]:
    runner = KEYWORDS.stages[0].open(Setup(KeywordsParameters(**parameters)))
    return list(runner.run([Document(n, f"doc-{n}", text) for n, text in enumerate(texts)]))


def terms(text: str, **parameters: Any) -> list[str]:
    (rows,) = keywords(text, **parameters)
    assert not isinstance(rows, DocumentError)
    return [row.term for row in rows]


def test_terms_of_several_words_take_the_place_of_their_parts() -> None:
    found = terms(ENGLISH)

    assert set(found[:2]) == {"interest rates", "central bank"}
    assert not {"interest", "rates", "central", "bank"} & set(found)


def test_stop_words_and_adverbs_are_no_keywords() -> None:
    assert not {"the", "again", "said", "will", "next"} & {term.lower() for term in terms(ENGLISH, top=100)}
    assert terms("Apparently the family supply grew slowly, and the family supply fell.") == ["family supply"]


def test_korean_nouns_are_keywords_and_particles_are_not() -> None:
    found = terms(KOREAN)

    assert {"한국은행", "물가 상승"} <= set(found[:4])
    assert any("금리" in term for term in found[:3])
    assert "사람" not in found
    assert not [term for term in found if term.endswith(("이", "를", "은", "의"))]


def test_a_suffix_belongs_to_its_noun() -> None:
    assert "경쟁력" in {word.name for word in korean("회사의 경쟁력이 높다.")}


def test_words_have_exact_places_in_either_language() -> None:
    text = "삼성전자의 GDP와 Bank’s “반도체 공장”을 본다. R&amp;D\x00 끝"

    words = [word for run in phrases(text) for word in run]

    assert [text[word.start : word.end].lower() for word in words] == [word.name for word in words]
    assert "gdp" in {word.name for word in words}
    assert "amp" not in {word.name for word in english(text)}


@pytest.mark.parametrize(
    "noise", ["ㅋㅋㅋㅋ", "ㅠㅠ", "ㅡㅡ", "ㅎㅎ", "ㅇㅈ", "ㅋㅋ큐ㅠ", "😀👍🏽", "!!!!", "ﾋﾋ"]
)
def test_runs_of_jamo_and_signs_are_no_words(noise: str) -> None:
    found = terms(f"배우 연기 최고{noise} 결말은 아쉽다{noise} {noise} 그래도 음악은 추천 {noise}")

    assert {"배우", "연기", "결말", "음악"} <= set(found)
    assert not [term for term in found if not all("가" <= char <= "힣" or char == " " for char in term)]
    assert not [term for term in found if "큐" in term]


@pytest.mark.parametrize(
    "noise",
    [
        "https://www.example.co.kr/port/stat?id=33",
        "reporter@example.co.kr",
        "www.example.com/bridge?utm_source=tw",
        "@harbour_kim",
        "port_final.pdf",
        "IMG_2034.jpg",
        "2026-03-05",
        "010-1234-5678",
        "3rd 10am 5km",
        "&nbsp;&amp;",
        "<br/><div class='ad'>",
        "|---|====|",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_is_no_word_is_no_keyword(noise: str) -> None:
    clean = "The harbour bridge needs steel. Ships wait at the harbour bridge."
    korean_text = "부두의 하역 속도가 빨라졌다. 해운사는 운임을 내린다."

    assert terms(f"{clean} {noise} Masons repair it. {noise}") == terms(f"{clean} Masons repair it.")
    found = terms(f"{korean_text} {noise} {korean_text}")
    assert {"부두", "운임"} <= set(found)
    assert not [term for term in found if term.isascii()]


def test_a_hashtag_is_its_word_and_a_name_with_a_dot_is_one_word() -> None:
    assert {"서울", "harbour"} <= set(terms("#서울 다녀왔다. #harbour today"))
    assert {"Node.js", "ASP.NET"} <= set(terms("We moved it from Node.js to ASP.NET in May."))


def test_chinese_keywords_are_terms_not_clauses() -> None:
    text = "北京市政府周一宣布新的交通计划。计划将增加一百辆电动公交车。市民对此表示欢迎。专家认为充电站仍然不足。"

    found = terms(text)

    assert {"北京市政府", "交通计划", "电动公交车", "市民", "专家", "充电站"} <= set(found)
    assert all(2 <= len(term) <= 8 for term in found)
    assert (
        "人工智能"
        in terms("人工智能技术正在改变教育。学校使用人工智能批改作业。人工智能公司表示数据是安全的。")[:2]
    )


def test_japanese_keywords_are_the_words_between_particles() -> None:
    text = "東京都は月曜日に新しい交通計画を発表した。電気バスを百台増やす。充電所が足りないという声もある。"

    found = terms(text)

    assert {"東京都", "交通計画", "電気バス", "充電所"} <= set(found)
    assert not [term for term in found if any("ぁ" <= char <= "ん" for char in term)]


def test_korean_text_with_hanja_has_both() -> None:
    assert {"政府", "豫算案", "물가"} <= set(terms("政府는 豫算案을 냈다. 국민은 물가를 걱정한다."))


def test_a_term_is_as_the_document_writes_it_most_often() -> None:
    text = "NASA launched Orion. nasa Nasa NASA said NASA: Orion flew."

    assert "NASA" in terms(text)


def test_a_single_word_limit_leaves_single_words() -> None:
    assert all(" " not in term for term in terms(ENGLISH, max_words=1))


def test_ranks_count_from_one_and_scores_fall_from_one() -> None:
    (rows,) = keywords(ENGLISH, top=4)

    assert not isinstance(rows, DocumentError)
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    scores = [row.score for row in rows]
    assert scores[0] == 1.0
    assert scores == sorted(scores, reverse=True)


def test_what_is_found_does_not_depend_on_the_batch() -> None:
    texts = [ENGLISH, KOREAN, "Bridge.", "the and of", KOREAN + ENGLISH * 3]

    for text, together in zip(texts, keywords(*texts), strict=True):
        (alone,) = keywords(text)
        assert not isinstance(together, DocumentError)
        assert not isinstance(alone, DocumentError)
        assert [row.term for row in together] == [row.term for row in alone]
        assert [row.score for row in together] == pytest.approx([row.score for row in alone], abs=1e-5)


def test_a_document_of_stop_words_has_no_keywords_and_a_blank_one_is_an_error() -> None:
    nothing, blank = keywords("it was the and of", " \n ")

    assert nothing == []
    assert isinstance(blank, DocumentError)
    assert blank.code == "EMPTY_TEXT"


def test_two_small_letters_are_a_keyword_only_of_a_text_without_other_words() -> None:
    assert terms("ai and ui") == ["ai", "ui"]
    assert terms("the model has km of ai") == ["model"]


def test_one_word_is_its_own_keyword() -> None:
    assert keywords("Bridge.") == [[KeywordRow(1, "Bridge", 1.0)]]


def test_a_long_document_takes_time_in_proportion() -> None:
    assert terms(f"{ENGLISH} {KOREAN} " * 300)[0] in ("interest rates", "central bank", "한국은행")


@pytest.mark.parametrize("wrong", [{"top": 0}, {"top": 101}, {"max_words": 0}, {"max_words": 6}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        KeywordsParameters(**wrong)


def test_the_kind_is_light_to_import() -> None:
    code = "import sys, nlp_tasks.keywords; sys.exit(bool({'torch', 'numpy', 'mecab'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "whole", "slices"),
    [
        (
            "시냅스뇌질환연구단은 새 단백질을 찾았다. 시냅스뇌질환연구단이 쓴 논문이다.",
            "시냅스뇌질환연구단",
            ("시냅스뇌질환", "뇌질환연구", "질환연구단", "연구단"),
        ),
        (
            "종합대외무역경쟁법을 고쳤다. 의회는 종합대외무역경쟁법에 찬성했다.",
            "종합대외무역경쟁법",
            ("대외무역", "무역경쟁", "무역경쟁법"),
        ),
    ],
)
def test_a_written_compound_is_one_keyword_and_not_its_slices(
    text: str, whole: str, slices: tuple[str, ...]
) -> None:
    found = terms(text, top=20)

    assert whole in found
    assert not set(slices) & set(found)


def test_no_keyword_contains_another_one() -> None:
    text = (
        "크리스퍼 유전자 가위는 유전자를 자른다. 유전자 가위는 약이 된다. 크리스퍼 유전자 가위 기술이 퍼졌다. "
        "Vieira met Patrick Vieira's father. Patrick Vieira scored. Vieira left. Vieira won."
    )

    found = terms(text, top=30)

    words = [tuple(term.lower().split()) for term in found]
    assert not [(a, b) for a in words for b in words if a != b and set(a) < set(b)]
    assert {"크리스퍼 유전자 가위", "유전자 가위"} & set(found)


def test_singular_and_plural_are_one_keyword() -> None:
    found = terms(
        "Farms near the river flood. A farm burned. The farms sell a policy. Policies of farms differ."
    )

    assert len([term for term in found if term.lower().startswith("farm")]) == 1
    assert len([term for term in found if term.lower().startswith("polic")]) == 1


@pytest.mark.parametrize(
    "filler",
    [
        "announced",
        "Friday",
        "month",
        "km",
        "giving",
        "admitted",
        "local",
        "private",
        "year",
        "dlrs",
        "percent",
    ],
)
def test_fillers_verbs_lone_adjectives_and_units_are_no_keywords(filler: str) -> None:
    text = f"The harbour needs cranes, {filler} and steel. The {filler} harbour {filler} cranes. It was {filler}."

    found = {term.lower() for term in terms(text, top=30)}

    assert filler.lower() not in found
    assert any("harbour" in term for term in found)


#: Sentences of our own; the words in capitals are nouns, those in <> adjectives before them, and the rest is neither.
TAGGED = """
the <municipal> COUNCIL announced a <new> TUNNEL under the RIVER
ENGINEERS tested the <electric> FERRY and found two LEAKS
she wanted to close the BAKERY because the OVEN had broken
a <small> TEAM of GEOLOGISTS was drilling the GLACIER
the MINISTER admitted that the REFORM would help <rural> SCHOOLS
our MODEL learns the <syntactic> STRUCTURE of SENTENCES from <unlabeled> DATA
the COURT rejected an APPEAL by the ORCHARD OWNERS
they were building a <wooden> BRIDGE for CYCLISTS
INFLATION rose while the <central> BANK kept RATES
the CLUSTERING ALGORITHM groups <similar> WORDS
"""


def test_english_parts_of_speech_are_mostly_right() -> None:
    right = n = 0
    for line in TAGGED.split("\n"):
        words = line.split()
        plain = [word.strip("<>").lower() for word in words]
        for at, word in enumerate(words):
            before, after = plain[at - 1] if at else "", plain[at + 1] if at + 1 < len(plain) else ""
            wanted = (
                Part.NOUN
                if word.isupper() and word != "A"
                else Part.ADJECTIVE
                if word[0] == "<"
                else Part.NEITHER
            )
            right += part(plain[at], before, after, is_name=False) is wanted
            n += 1
    assert right / n >= 0.9


def test_a_name_that_was_taken_apart_is_not_shown_in_pieces() -> None:
    found = terms("갈륨나이트라이드로 만든 소자가 나왔다. 갈륨나이트라이드 소자는 열에 강하다.", top=20)

    assert not {"이트 라이드", "이트라이드", "라이드"} & set(found)


@pytest.mark.parametrize(
    "noun", ["forest", "interest", "protest", "salary", "library", "politician", "rental"]
)
def test_a_noun_that_ends_like_an_adjective_is_a_keyword(noun: str) -> None:
    text = f"The {noun} was large. Nobody had seen such a {noun} before. A bigger {noun} is hard to find."

    assert noun in terms(text)


def test_comparatives_and_korean_adjectives_are_no_keywords() -> None:
    english_terms = terms("Flights are cheaper. The airline offers cheaper flights. Nothing is cheaper.")
    korean_terms = terms("이 방식은 가능한 방식이다. 이용이 가능한 장치는 장치마다 가능한 자세가 다르다.")

    assert "Flights" in english_terms
    assert "장치" in korean_terms
    assert "cheaper" not in english_terms
    assert "가능" not in korean_terms


def test_a_first_name_is_no_keyword_without_its_surname() -> None:
    text = (
        "The race in Torrin was won by Ada Quillfeather. Quillfeather trains in Torrin. The fans of Quillfeather met "
        "Bruno Tamsin in Torrin. The prize went to Quillfeather."
    )

    found = terms(text, top=30)

    assert not {"Ada", "Bruno", "Tamsin"} & set(found)
    assert {"Quillfeather", "Bruno Tamsin"} <= set(found)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("Carol: The {vocalsound} remote.\nBob: A button {vocalsound} oh.\n" * 3, {"vocalsound", "carol", "oh"}),
        ("파동의 속도는 formula_18이다. 파동의 매질이 formula_2이면 속도가 변한다.", {"formula"}),
        ("The wj of a parser and wi are vectors. Parsers see wi and wj on the 2 nd day.", {"wi", "wj", "nd"}),
        ("법 제12조제3항에 따라 저수지를 판다. 저수지는 제4조의2제1항에 따른다.", {"조제", "조의", "항"}),
        ("영국사(寧國寺)의 석탑(石塔)은 낡았다. 영국사는 산에 있다.", {"寧國寺", "石塔"}),
        ("The orchestra has eight violins. Eight players of the orchestra left with the violins.", {"eight"}),
    ],
)  # fmt: skip
def test_what_nobody_says_is_no_keyword(text: str, never: set[str]) -> None:
    found = {term.lower() for term in terms(text, top=30)}

    assert found
    assert not found & never


def test_a_particle_is_not_shown_with_an_unknown_noun() -> None:
    assert [word.name for word in korean("시정촌은 넓다. 마을 가을")][:2] == ["시정", "촌"]
    assert {"마을", "가을"} <= {word.name for word in korean("마을 가을")}


@pytest.mark.parametrize(
    ("text", "filler", "subject"),
    [
        (
            "The company sold yachts. The company builds yachts. A company of yachts failed.",
            "company",
            "yachts",
        ),
        (
            "정미소의 운영은 어렵다. 운영 끝에 정미소가 닫혔다. 정미소 사람들은 운영에 지쳤다.",
            "운영",
            "정미소",
        ),
    ],
)
def test_a_word_that_fits_any_document_comes_after_the_subject(text: str, filler: str, subject: str) -> None:
    found = terms(text)

    assert found[0].lower() == subject
    assert terms(f"{filler} {filler}") == [filler], "it is shown if there is nothing else"


def test_a_korean_name_is_shown_whole_as_it_is_introduced() -> None:
    text = (
        "에디 클라크(Eddie Clarke, 1950년 10월 5일)는 기타 연주자이다. 클라크는 기타를 배웠다. 클라크의 기타는 빨랐다. "
        "사람들은 클라크를 좋아했다."
    )

    found = terms(text, top=20)

    assert "에디 클라크" in found[:2]
    assert not {"에디", "클라크", "Eddie", "Clarke", "Eddie Clarke"} & set(found)


def test_the_gloss_of_a_word_is_no_keyword_and_an_abbreviation_that_is_used_is_one() -> None:
    found = terms(
        "국내총생산(GDP)이 늘었다. 국내총생산(GDP)은 크다. GDP 통계가 나왔다. GDP가 다시 늘었다.", top=20
    )

    assert "GDP" in found
    assert "Хэрулэн" not in terms("헤롤렝(Хэрулэн)은 도시이다. 도시는 크다.", top=20)


@pytest.mark.parametrize(
    ("text", "subject"),
    [("The glacier fell. The orchard grew. " * 3, "glacier"), ("빙하가 녹는다. 과수원이 넓다. " * 3, "빙하")],
)
def test_what_a_text_begins_with_comes_before_what_is_as_frequent(text: str, subject: str) -> None:
    assert terms(text)[0] == subject


def test_no_keyword_has_most_of_its_words_in_better_ones() -> None:
    text = (
        "World cup qualifiers begin. The world cup qualifiers were long. Cup qualifiers schedule: the cup qualifiers "
        "schedule is full. A qualifiers schedule dispute grew; the qualifiers schedule dispute ended."
    )

    found = [set(term.lower().split()) for term in terms(text, top=30)]

    for place, words in enumerate(found):
        assert len(words & set().union(*found[:place])) <= 0.6 * len(words)


def test_a_word_that_is_hardly_ever_alone_is_shown_as_the_term_of_its_first_place() -> None:
    text = (
        "대한민국 여자 축구 국가대표팀은 대한민국을 대표하는 여자 축구 국가대표팀이다. 여자 축구는 여자 월드컵에 "
        "나갔다. 여자 월드컵 본선에는 네 번, 여자 아시안컵에는 열세 번 나갔다. 여자 아시안컵에서 준우승을 했다. "
        "남자 축구도 있다."
    )

    found = terms(text)

    assert "여자" not in found
    assert found[0].startswith("여자 축구")
    # A surname is a term of its own, though it stands in several names of it.
    names = "Then Tony Blair spoke, and Tony Blair left. Yet Cherie Blair stayed, Cherie Blair won, and Blair lost."
    assert terms(names)[0] == "Blair"


@pytest.mark.parametrize("ending", ["ing", "tion", "ments"])
def test_the_end_of_a_word_that_was_hyphenated_is_no_keyword(ending: str) -> None:
    text = f"The pars {ending} of sentences, fast pars {ending} of text, and slow pars {ending} of speech."

    assert not any(ending in term.split() for term in terms(text))
    assert "ING" in terms("The bank ING grew. The bank ING lends. Customers of ING pay ING in euros.")


@pytest.mark.parametrize("between", [" ", "\n"])
def test_a_heading_is_no_part_of_the_sentence_after_it(between: str) -> None:
    text = (
        f"1 Introduction{between}Semantic parsing maps text. Introduction{between}Semantic parsing is a task."
    )

    assert terms(text)[0] == "Semantic parsing"
    assert not any("introduction" in term.lower() for term in terms(text))
    assert "introduction" in terms(
        "The introduction of the euro was late. After its introduction, prices rose."
    )
