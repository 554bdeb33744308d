"""Encodings: what is not as it was said to be is named by byte, with the way out; text ends up in NFC."""

from __future__ import annotations

import unicodedata

import pytest

from scheduler.readers import ReadOptions

KOREAN = "안녕하세요. 오늘은 날씨가 좋습니다."
SAVE = "save the file as UTF-8, or name its encoding with --encoding"
AS_CP949 = "it looks like CP949: add --encoding cp949"
NO_FLAG = "add UTF-8 files without --encoding"


def jsonl(*texts: str) -> str:
    return "".join(f'{{"id": "{n}", "text": "{text}"}}\n' for n, text in enumerate(texts, 1))


BAD_UTF8 = {
    "truncated": (KOREAN.encode()[:-2], f"byte 47 of the file (0xeb) is not UTF-8; {SAVE}"),
    "overlong": (b"a\xc0\x80b", f"byte 2 of the file (0xc0) is not UTF-8; {SAVE}"),
    "surrogates": (b"a\xed\xa0\x80", f"byte 2 of the file (0xed) is not UTF-8; {SAVE}"),
    "latin-1": ("café au lait".encode("latin-1"), f"byte 4 of the file (0xe9) is not UTF-8; {SAVE}"),
    "cp949": (KOREAN.encode("cp949"), f"byte 1 of the file (0xbe) is not UTF-8; {AS_CP949}"),
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
        f"a.jsonl:2: INVALID_ENCODING: byte 22 of the line (0xbe) is not UTF-8; {AS_CP949} (key 2)"
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv"])
def test_a_file_wholly_in_cp949_is_one_report(reading, name):
    rows = jsonl("앞의 문서", KOREAN) if name == "a.jsonl" else f"id,text\n1,앞의 문서\n2,{KOREAN}\n"
    rows = rows.replace(",", "\t") if name == "a.tsv" else rows
    outcome = reading(name, rows.encode("cp949"))
    assert outcome.reports == [f"{name}: INVALID_ENCODING: the file looks like CP949: add --encoding cp949"]
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
        "is --encoding right for this file? (key 2)"
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
def test_utf16_without_a_mark_is_recognised_and_read_when_named(reading, name, encoding):
    text = KOREAN if name == "a.txt" else jsonl(KOREAN)
    outcome = reading(name, text.encode(encoding))
    assert [report.removesuffix(" (key a.txt)") for report in outcome.reports] == [
        f"{name}: INVALID_ENCODING: it looks like UTF-16 without a byte order mark: add --encoding {encoding}"
    ]
    assert list(reading(name, encoding=encoding).texts.values()) == [KOREAN]


def test_half_a_character_of_utf16_costs_only_its_line(reading):
    text = jsonl("가") + '{"id": "2", "text": "\ud83d"}\n' + '{"id": "3", "text": "나"}'
    outcome = reading("a.jsonl", b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))
    assert outcome.keys == ["1", "3"]
    assert outcome.reports == [
        f"a.jsonl:2: INVALID_ENCODING: byte 22 of the line (0xed) is not UTF-8; {SAVE} (key 2)"
    ]
    outcome = reading("a.txt", b"\xff\xfe" + "가나".encode("utf-16-le")[:-1])
    assert outcome.reports == [
        f"a.txt: INVALID_ENCODING: byte 4 of the file (0xff) is not UTF-8; {SAVE} (key a.txt)"
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
