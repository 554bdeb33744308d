"""Encodings: what is not as it was said to be is named by byte, with the way out; text ends up in NFC."""

from __future__ import annotations

import unicodedata

import pytest

from readers import ReadOptions

KOREAN = "안녕하세요. 오늘은 날씨가 좋습니다."
SAVE = "save the file as UTF-8"
WESTERN = "convert the file to UTF-8, or give its encoding, as in --encoding cp1252"
REST = "the rest of the file is UTF-8: convert the line to that, or leave it out"
NO_FLAG = "leave --encoding out"


def jsonl(*texts: str) -> str:
    return "".join(f'{{"id": "{n}", "text": "{text}"}}\n' for n, text in enumerate(texts, 1))


BAD_UTF8 = {
    "truncated": (KOREAN.encode()[:-2], f"byte 47 of the file (0xeb) is not UTF-8; {SAVE}"),
    "overlong": (b"a\xc0\x80b", f"byte 2 of the file (0xc0) is not UTF-8; {WESTERN}"),
    "surrogates": (b"a\xed\xa0\x80", f"byte 2 of the file (0xed) is not UTF-8; {WESTERN}"),
    "latin-1": ("café au lait".encode("latin-1"), f"byte 4 of the file (0xe9) is not UTF-8; {WESTERN}"),
}


@pytest.mark.parametrize(("data", "detail"), BAD_UTF8.values(), ids=BAD_UTF8)
def test_what_is_not_utf8_is_named_by_byte(reading, data, detail):
    outcome = reading("a.txt", data)
    assert outcome.reports == [f"a.txt: INVALID_ENCODING: {detail} (key a.txt)"]


def test_a_line_in_another_encoding_costs_only_itself(reading):
    good, bad = jsonl("앞").encode(), jsonl("", KOREAN).splitlines()[1].encode("cp949")
    outcome = reading("a.jsonl", good + bad + b"\n" + good.replace(b"1", b"3"))
    assert outcome.keys == ["1", "3"]
    assert outcome.reports == [
        f"a.jsonl:2: INVALID_ENCODING: byte 22 of the line (0xbe) is not UTF-8; {REST} (key 2)"
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv"])
def test_a_file_wholly_in_cp949_is_read_and_said(reading, name):
    rows = jsonl("앞의 문서", KOREAN) if name == "a.jsonl" else f"id,text\n1,앞의 문서\n2,{KOREAN}\n"
    rows = rows.replace(",", "\t") if name == "a.tsv" else rows
    outcome = reading(name, rows.encode("cp949"))
    assert (outcome.reports, outcome.notices) == ([], [f"{name}: read as CP949"])
    assert list(outcome.texts.values()) == ["앞의 문서", KOREAN]
    assert list(reading(name, encoding="cp949").texts.values()) == ["앞의 문서", KOREAN]


@pytest.mark.parametrize("encoding", ["cp949", "CP949", "ms949", "uhc", "euc-kr", "EUC_KR", "ks_c_5601-1987"])
def test_euc_kr_is_read_as_cp949(reading, encoding):
    text = "똠방각하 펲시 뷁"  # syllables that EUC-KR proper does not have
    assert reading("a.txt", text.encode("cp949"), encoding=encoding).texts == {"a.txt": text}


def test_what_is_not_cp949_is_named_by_byte(reading):
    data = jsonl("앞").encode("cp949") + b'{"id": "2", "text": "\xff"}\n' + b'{"id": "3", "text": "x"}\n'
    outcome = reading("a.jsonl", data, encoding="cp949")
    assert outcome.keys == ["1", "3"]
    assert outcome.reports == [
        "a.jsonl:2: INVALID_ENCODING: byte 22 of the line (0xff) is not CP949; "
        "fix the line, or leave --encoding out to detect the encoding (key 2)"
    ]


def test_utf8_that_could_pass_for_cp949_is_not_taken_for_it(reading):
    assert "좋다!!".encode().decode("cp949") == "醫뗫떎!!"
    outcome = reading("a.txt", "좋다!!".encode(), encoding="cp949")
    assert outcome.reports == [
        f"a.txt: INVALID_ENCODING: the file is UTF-8, not CP949; {NO_FLAG} (key a.txt)"
    ]
    outcome = reading("a.txt", KOREAN.encode(), encoding="cp949")
    assert outcome.reports == [
        f"a.txt: INVALID_ENCODING: byte 1 of the file (0xec) is not CP949; {NO_FLAG} (key a.txt)"
    ]


def test_cp949_that_could_pass_for_utf8_is_read_as_asked(reading):
    assert "짱!".encode("cp949").decode("utf-8") == "¯!"
    assert reading("a.txt", "짱!".encode("cp949"), encoding="cp949").texts == {"a.txt": "짱!"}


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.tsv"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("asked", ["utf-8", "cp949"])
def test_a_byte_order_mark_decides_and_goes(reading, name, encoding, asked):
    content = {"a.txt": KOREAN, "a.jsonl": jsonl(KOREAN), "a.csv": f"id,text\n1,{KOREAN}\n"}
    text = content.get(name, f"id\ttext\n1\t{KOREAN}\n")
    outcome = reading(name, text.encode(encoding), encoding=asked)
    assert outcome.texts == {"a.txt" if name == "a.txt" else "1": KOREAN}


def test_a_mark_in_the_middle_of_joined_files_goes(reading):
    parts = ["\ufeff" + line + "\n" for line in jsonl("가", "나").splitlines()]
    assert reading("a.jsonl", "".join(parts).encode()).texts == {"1": "가", "2": "나"}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_utf16_without_a_mark_is_read(reading, name, encoding):
    text = KOREAN if name == "a.txt" else jsonl(KOREAN)
    outcome = reading(name, text.encode(encoding))
    assert list(outcome.texts.values()) == [KOREAN]
    assert (outcome.reports, outcome.notices) == ([], [f"{name}: read as {encoding.upper()}"])
    assert list(reading(name, encoding=encoding).texts.values()) == [KOREAN]


def test_half_a_character_of_utf16_costs_only_its_line(reading):
    text = jsonl("가") + '{"id": "2", "text": "\ud83d"}\n' + '{"id": "3", "text": "나"}'
    outcome = reading("a.jsonl", b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))
    assert outcome.keys == ["1", "3"]
    assert outcome.reports == [
        f"a.jsonl:2: INVALID_ENCODING: byte 22 of the line (0xed) is not UTF-8; {REST} (key 2)"
    ]
    outcome = reading("a.txt", b"\xff\xfe" + "가나".encode("utf-16-le")[:-1])
    assert outcome.reports == [
        "a.txt: INVALID_ENCODING: byte 4 of the file (0xff) is not UTF-8; "
        "the rest of the file is UTF-8: convert the file to that, or leave it out (key a.txt)"
    ]


def test_hangul_from_macos_is_composed_in_texts_keys_labels_and_names(reading):
    nfd = unicodedata.normalize("NFD", "한글")
    assert nfd != "한글"
    (record,) = reading("a.csv", f"id,text,label\n{nfd},{nfd},{nfd}\n".encode()).records
    assert (record.key, record.text, record.label) == ("한글", "한글", "한글")
    assert reading(f"{nfd}.txt", b"x").keys == ["한글.txt"]
    assert reading("b.csv", f"{nfd}\nx\n".encode(), text_field="한글").texts == {"b.csv#2": "x"}


@pytest.mark.parametrize(
    "char", ["\ufffe", "\uffff", "\U0001ffff", "\u200b", "\u202e", "\ufeff", "\u0085", "\u2028"]
)
def test_odd_but_valid_characters_stay_in_texts(reading, char):
    assert reading("a.txt", f"a{char}b".encode()).texts == {"a.txt": f"a{char}b"}


NOT_KOREAN = {
    "Shift JIS": ("これは日本語の文書です。かなと漢字を含みます。", "cp932"),
    "EUC-JP": ("これは日本語の文書です。かなと漢字を含みます。", "euc_jp"),
    "GBK": ("这是一个中文文件，里面有很多汉字和标点符号。", "gbk"),
    "Big5": ("這是一個中文文件，裡面有很多漢字和標點符號。", "big5"),
    "cp1252": ("Größe, façade, élève, ÀÁÂÃ, naïve", "cp1252"),
    "KOI8-R": ("Это русский текст о погоде", "koi8_r"),
    "cp1251": ("Это русский текст о погоде", "cp1251"),
    "cp874": ("ภาษาไทยเป็นภาษาที่มีระดับเสียง", "cp874"),
}


@pytest.mark.parametrize(("text", "encoding"), NOT_KOREAN.values(), ids=NOT_KOREAN)
@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_what_is_not_korean_is_not_read_as_cp949(reading, name, text, encoding):
    data = text if name == "a.txt" else f"id,text\n1,{text}\n2,{text}\n"
    outcome = reading(name, data.encode(encoding))
    assert outcome.records == []
    assert {bad.code for bad in outcome.bad} == {"INVALID_ENCODING"}


KOREAN_FILES = {
    "labels": "key,label\n문서1,긍정\n문서2,부정\n",
    "laughs": "id,text\n1,ㅋㅋㅋㅋ\n2,ㅠㅠ\n",
    "rare syllables among others": "id,text\n1,똠양꿍을 먹었다. 맛이 있었다.\n2,펲시콜라를 마셨다고 한다\n",
    "after much ASCII": "id,text\n" + "".join(f"e{n},plain\n" for n in range(50_000)) + f"k,{KOREAN}\n",
    "few Hanja": "id,text\n1,한국(韓國)의 역사를 다룬 책을 읽었다. 아주 재미있는 책이었다고 생각한다.\n",
}


@pytest.mark.parametrize("text", KOREAN_FILES.values(), ids=KOREAN_FILES)
def test_korean_is_found_to_be_cp949(reading, text):
    outcome = reading("a.csv", text.encode("cp949"), text_field="label" if "label" in text else "text")
    assert (outcome.reports, outcome.notices) == ([], ["a.csv: read as CP949"])
    assert all(record.text in text for record in outcome.records)


def test_one_broken_line_of_a_cp949_file_costs_only_itself(reading):
    lines = [f"{n},{KOREAN}".encode("cp949") for n in range(20)]
    lines[7] = b"7,\xff\xff"
    outcome = reading("a.csv", b"\n".join([b"id,text", *lines]))
    assert len(outcome.records) == 19
    assert outcome.reports == [
        "a.csv:9: INVALID_ENCODING: byte 3 of the line (0xff) is not CP949; "
        "the rest of the file is CP949: convert the line to that, or leave it out (key 7)"
    ]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv"])
@pytest.mark.parametrize(
    ("encoding", "text"), [("iso2022_kr", "가나다 abc 라마"), ("iso2022_jp", "日本 abc 語の文")]
)
def test_iso_2022_is_read_and_said(reading, name, encoding, text):
    content = {"a.txt": text, "a.jsonl": jsonl("plain", text)}.get(name, f"id,text\n1,plain\n2,{text}\n")
    outcome = reading(name, content.encode(encoding))
    assert list(outcome.texts.values())[-1] == text
    assert (outcome.reports, outcome.notices) == ([], [f"{name}: read as ISO-2022-{encoding[-2:].upper()}"])
    assert list(reading(name, encoding=encoding.replace("_", "-")).texts.values())[-1] == text


def test_an_escape_that_is_no_iso_2022_is_text(reading):
    assert reading("a.txt", b"\x1b$B not Japanese \xea\xb0\x80").keys == ["a.txt"]
    assert reading("b.txt", b"\x1b[31mred\x1b[0m").notices == []


def test_an_encoding_that_is_asked_for_wins(reading):
    assert reading("a.txt", KOREAN.encode("cp949"), encoding="cp949").notices == []
    assert reading("b.txt", "é".encode("cp1252"), encoding="cp1252").texts == {"b.txt": "é"}
    (report,) = reading("c.txt", KOREAN.encode("cp949"), encoding="utf-8").reports
    assert "it looks like CP949: add --encoding cp949" in report
    (report,) = reading("d.txt", "abc abc".encode("utf-16-le"), encoding="cp949").reports
    assert "it looks like UTF-16-LE, not CP949: leave --encoding out" in report


def test_nul_in_a_text_file_is_refused(reading):
    outcome = reading("a.txt", "가나\0다라".encode())
    assert outcome.reports == [
        "a.txt: NUL: character 3 of the text is NUL, which cannot be stored (key a.txt)"
    ]


@pytest.mark.parametrize("name", ["utf-7", "zip", "rot13", "unicode_escape", "utf-32", "klingon", "", "a\0b"])
def test_encodings_that_cannot_be_read_are_refused_with_the_choices(name):
    with pytest.raises(ValueError, match="choose one of utf-8, cp949, utf-16"):
        ReadOptions(encoding=name)


@pytest.mark.parametrize(
    "options", [{"delimiter": '"'}, {"delimiter": "ab"}, {"text_field": ""}, {"max_line_bytes": 0}]
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValueError):
        ReadOptions(**options)
