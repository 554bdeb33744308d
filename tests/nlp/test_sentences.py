"""Hard cases for the sentence splitter. A bar stands where a sentence ends and another begins."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_tasks.sentences import split

KOREAN = [
    "나는 학교에 갔다. ¦그는 집에 있었다.",
    '그는 "나는 간다. 너는 와라."라고 말했다. ¦우리는 웃었다.',
    '그는 "나는 간다. 너는 와라." 라고 말했다. ¦우리는 웃었다.',
    '"정말 좋은 날이다." ¦그는 하늘을 보았다.',
    "김 대표는 “올해는 다르다. 더 노력하겠다”고 말했다. ¦주가는 올랐다.",
    "김 대표는 “올해는 다르다.”며 자신감을 보였다. ¦주가는 올랐다.",
    "매출은 3.14% 늘었다. ¦이익은 1.5배가 됐다.",
    "그는 1999. 3. 1. 서울에서 태어났다. ¦지금은 부산에 산다.",
    "이 법은 2020. 1. 5. 공포되었다.",
    "1. 서론을 쓴다. ¦2. 본론을 쓴다.",
    "가. 목적을 밝힌다. ¦나. 대상을 정한다. ¦다. 기간을 둔다.",
    "1) 첫째 항목이다. ¦2) 둘째 항목이다.",
    "(1) 첫째 항목이다. ¦(2) 둘째 항목이다.",
    "제1조 (목적)\n¦이 법은 국민의 권리를 정한다. ¦다만, 예외는 따로 정한다.",
    "안녕하세요 ¦저는 김철수입니다 ¦만나서 반갑습니다",
    "오늘 회의를 했음\n¦내일 다시 하기로 함\n¦자료는 보냈음",
    "영화 정말 재미있어요\n¦또 보고 싶네요\n¦추천합니다",
    "진짜 좋아요ㅋㅋ ¦다음에 또 올게요^^ ¦안녕",
    "이게 뭐야? ¦정말 놀랐다! ¦다시 보자.",
    "이게 뭐야?!! ¦정말 놀랐다...",
    "그런데... 나는 아직 모르겠다. ¦너는 아니?",
    "나는 몰랐다... ¦그는 알았다.",
    "나는 밥을 먹었다.¦그리고 잠을 잤다.",
    "네이버(naver.com)와 카카오.다음은 다르다.",
    "서울시 www.seoul.go.kr 에서 신청한다. ¦문의는 a.b@korea.kr 로 한다.",
    "어머니다 라는 말을 들었다. ¦우리 어머니다 싶었다.",
    "대한민국의 국토는 남북으로 길다(면적은 100,210㎢이다. 북한을 포함하면 다르다). ¦산이 많다.",
    "문장이 끝났다.[1] ¦다음 문장이다.[2][3] ¦끝이다.",
    "그는 ‘왜 그럴까. 모르겠다.’라고 생각했다. ¦답은 없었다.",
    "그는 '왜 그럴까. 모르겠다.'라고 생각했다. ¦답은 없었다.",
    "안내문\u2028¦내일은 쉽니다.\u2028¦모레 엽니다.",
    "첫 줄이다.\r\n¦둘째 줄이다.\r\n¦셋째 줄이다.",
    "# 제목\n\n¦본문이 시작된다. ¦둘째 문장이다.",
    "역 특징.\n¦역 구조.\n¦현재 역에는 승강장이 있다.",
    "① 국가는 노력한다. ¦② 국민은 참여한다. ¦다만, 예외가 있다.",
    "- 첫째 항목\n¦- 둘째 항목\n¦- 셋째 항목",
    "LG전자는 TV를 팔았다. ¦SK는 반도체를 팔았다.",
    "그는 M&A를 했다. ¦A사는 B사를 샀다.",
    "“가자!” ¦그가 외쳤다.",
    "“가자!”라고 그가 외쳤다.",
    '"정말 갈 거야?" 하고 그가 물었다. ¦나는 끄덕였다.',
    "회사는 (주)한국이다. ¦대표는 홍길동이다.",
    "값은 1,000원이다。¦수량은 2개다。",
    "나는 갔다! ¦너도 갔니? ¦그래.",
    "물건은 잘 받았습니다 ¦그런데 색이 달라요 ¦교환해 주세요",
    "제품이 좋습니다만 비쌉니다. ¦그래도 삽니다.",
    "그가 왔다고 했다. ¦나는 못 봤다.",
    "총 3명(김 모. 이 모. 박 모.)이 참석했다. ¦회의는 길었다.",
    "날짜: 2024.05.01.\n¦장소: 서울.",
    "Samsung Electronics는 매출이 늘었다. ¦Apple은 줄었다.",
    "그 회사는 Samsung Co., Ltd. 라고 한다. ¦본사는 수원이다.",
    "이 소설은 J. K. 롤링이 썼다. ¦인기가 많다.",
]
ENGLISH = [
    "Hello world. ¦My name is Jonas.",
    "Dr. Smith met Mr. Jones on Jan. 5 in Washington. ¦They talked.",
    "He lives in the U.S. and works for the U.N. now. ¦She does not.",
    "He moved to the U.S. ¦The move was hard.",
    "Apple Inc. said profits rose 3.5%. ¦Shares of Google Inc. fell.",
    "We sold it to Acme Corp. ¦They paid $1.13bn.",
    "See Fig. 3 and Eq. 2 for details. ¦The proof (see Sec. 4. It is long) is omitted.",
    "Smith et al. (2003) show this. ¦We follow Brown et al. and others.",
    "It works, e.g. for dates, i.e. for Jan. 3. ¦It fails elsewhere.",
    '"Is it true?" he asked. ¦She nodded.',
    'He said: "I will go. You will stay." ¦Then he left.',
    '"I am happy." ¦The chairman smiled.',
    'She turned to him, "This is great." she said.',
    '"We won. ¦We really won." ¦The crowd cheered.',
    "He arrived at 5 p.m. on Monday. ¦It rained at 6 a.m. ¦The game began.",
    "Version 2.0.1 is out. ¦Get it at www.example.com. ¦It is free.",
    "1. The first item. ¦2. The second item.",
    "a. The first item. ¦b. The second item.",
    "• The first item\n¦• The second item",
    "I can see Mt. Fuji from here. ¦St. Paul is far.",
    "He works as Asst. Prof. at MIT.",
    "J. K. Rowling wrote it. ¦George R. R. Martin did not.",
    "He came in 1999. ¦The war was over.",
    "What?! ¦You did it! ¦Really...",
    "I never meant that.... ¦She left the store.",
    "Well... maybe it is so. ¦Or not.",
    "The results are good. [1] ¦They hold.",
    "INTRODUCTION\n¦This paper is about parsing. ¦It is short.",
    "This line was wrapped by a mail program because it is a long one, and\nit goes on here. ¦Then it ends.",
    "A line that ends here.\n¦another line that starts small.",
    "i went home. ¦it was cold. ¦i slept.",
    "Yeah , we did it . ¦So it 's fine . ¦Mm - hmm ?",
    "Grad C: Yeah , I know .\n¦PhD D: It didn't move .",
    "The No. 1 seed lost. ¦No. 2 won.",
    "The cost was $5.50. ¦It rose to $6.",
    "She said 'no'. ¦They didn't. ¦The dogs' bowls weren't full.",
    "He has a Ph.D. in physics. ¦She has an M.D. from Yale.",
    "The report ended badly.¦The next one began.",
    'He asked "why?" and left. ¦Nobody knew.',
    "Yes. ¦No. ¦Maybe.",
    "Prices fell (by 5%.) ¦They rose later.",
]


@pytest.mark.parametrize("marked", KOREAN + ENGLISH)
def test_sentences_end_where_a_reader_ends_them(marked: str) -> None:
    text = marked.replace("¦", "")

    found = [text[start:end] for start, end in split(text)]

    assert found == [sentence.strip() for sentence in marked.split("¦")]


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
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_in_step_with_the_text_whatever_it_holds(unit: str) -> None:
    small, large = unit * (30_000 // len(unit)), unit * (240_000 // len(unit))

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
