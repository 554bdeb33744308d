"""Each format, from a file that the test makes, to its text and structure."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from readers.extraction import Extraction, Limits, extract, pdf_lines
from tests.readers.extraction import builders as make

ROWS = [["구분", "2025", "2026"], ["매출액", "100", "120"], ["영업이익", "10", "15"]]
TABLE = tuple(map(tuple, ROWS))

EML = (
    "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?b?{subject}?=\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain; charset=ks_c_5601-1987\r\n'
    "Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n--x\r\nContent-Type: application/octet-stream\r\n"
    'Content-Disposition: attachment; filename="a.docx"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attached}\r\n--x--\r\n'
)


def mail(attached: bytes) -> bytes:
    encoded = [
        base64.b64encode(data).decode() for data in ("제목".encode(), make.KOREAN.encode("cp949"), attached)
    ]
    return EML.format(subject=encoded[0], body=encoded[1], attached=encoded[2]).encode()


HTML = f"<html lang=ko><head><title>제목</title><style>p{{}}</style></head><body><h2>머리</h2><p>{make.KOREAN}</p></body></html>"
RTF = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset129 Batang;}}{\info{\title T}}\f0 \outlinelevel0 "
RTF += r"\'b0\'a1\'b3\'aa\par\pard \u54620?\u44544?\par\trowd\intbl a\cell b\cell\row\trowd\intbl c\cell d\cell\row\pard end\par}"

#: A file of each format, and words of its text.
SOUND: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "pdf": (lambda: make.pdf(make.pdf_text("First page of the file."), make.pdf_text("Second page.")), "application/pdf", "Second page."),
    "hwp": (lambda: make.hwp(make.hwp_section(make.KOREAN)), "application/x-hwp", make.KOREAN),
    "hwpx": (lambda: make.hwpx(make.KOREAN), "application/hwp+zip", make.KOREAN),
    "docx": (lambda: make.docx(make.KOREAN), "wordprocessingml", make.KOREAN),
    "pptx": (lambda: make.pptx(("첫 장", make.KOREAN)), "presentationml", make.KOREAN),
    "xlsx": (lambda: make.xlsx('<row><c t="s"><v>0</v></c></row>', [make.KOREAN]), "spreadsheetml", make.KOREAN),
    "epub": (lambda: make.epub(make.KOREAN), "epub", make.KOREAN),
    "html": (lambda: HTML.encode("cp949"), "text/html", make.KOREAN),
    "eml": (lambda: mail(make.docx(make.ENGLISH)), "rfc822", make.KOREAN),
    "md": (lambda: f"# 제목\n\n{make.KOREAN}\n\n- **a**\n- [b](http://x)\n".encode(), "text/markdown", make.KOREAN),
    "rtf": (lambda: RTF.encode(), "application/rtf", "가나"),
    "txt": (lambda: make.KOREAN.encode("cp949"), "text/plain", make.KOREAN),
    "gz": (lambda: gzip.compress(make.KOREAN.encode()), "text/plain", make.KOREAN),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_a_format_is_known_by_its_content_and_gives_its_text(name: str, tmp_path: Path) -> None:
    build, media_type, words = SOUND[name]
    path = tmp_path / "file.without-meaning"
    path.write_bytes(build())

    from_path, from_bytes = extract(path), extract(build(), Limits(), "other.pdf")

    assert words in from_path.text
    assert media_type in from_path.figures.media_type
    assert (from_path.text, from_path.parts) == (from_bytes.text, from_bytes.parts)
    assert from_path.figures.n_chars == len(from_path.text)
    assert from_path.warnings == ()


def offsets_hold(found: Extraction) -> None:
    for section in found.parts.sections:
        assert found.text[section.start_char :].startswith(section.title)


def test_headings_are_sections_and_tables_stand_apart() -> None:
    for data in (
        make.docx(make.KOREAN, heading="1. 개요", table=ROWS),
        make.hwpx(make.KOREAN, heading="1. 개요", table=ROWS),
        make.hwp(make.hwp_section(make.KOREAN, heading="1. 개요", table=ROWS)),
        f"<html><body><h1>1. 개요</h1><p>{make.KOREAN}</p><table>{_html_rows()}</table></body></html>".encode(),
        f"# 1. 개요\n\n{make.KOREAN}\n\n{_markdown_rows()}\n**a**\n".encode(),
    ):
        found = extract(data)
        offsets_hold(found)
        assert [section.title for section in found.parts.sections] == ["1. 개요"]
        assert [table.rows for table in found.parts.tables] == [TABLE]
        assert "매출액" not in found.text
        assert "매출액\t100\t120" in found.whole()
        assert found.figures.n_tables_left_out == 1
        assert found.language == "ko"


def _html_rows() -> str:
    return "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}" for row in ROWS
    )  # no closing tags, as people write


def _markdown_rows() -> str:
    lines = [f"| {' | '.join(row)} |" for row in ROWS]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


def test_a_file_of_tables_only_has_their_rows_as_its_text() -> None:
    found = extract(make.docx(table=ROWS))

    assert found.text.split("\n")[1] == "매출액\t100\t120"
    assert [warned.code for warned in found.warnings] == ["TABLES_ONLY"]
    assert found.parts.tables[0].in_text
    assert found.whole() == found.text


def test_a_table_for_looks_is_prose() -> None:
    bullets = "".join(f"<table><tr><td>•</td><td>Item {n} of the list</td></tr></table>" for n in range(3))
    long = f"<table><tr><td><p>{make.ENGLISH * 4}</p><p>{make.ENGLISH * 4}</p></td><td>x</td></tr><tr><td>a</td><td>b</td></tr></table>"

    found = extract(f"<html><body>{bullets}{long}</body></html>".encode())

    assert found.text.startswith("• Item 0 of the list\n• Item 1")
    assert make.ENGLISH in found.text
    assert found.parts.tables == ()


def test_slides_and_pages_have_their_offsets() -> None:
    found = extract(make.pptx(("첫 장", "하나"), ("둘째 장", "둘"), table=ROWS))
    assert [found.text[page.start_char :].split("\n")[0] for page in found.parts.pages] == [
        "첫 장",
        "둘째 장",
    ]
    offsets_hold(found)

    pages = extract(make.pdf(make.pdf_text("One."), make.pdf_text("Two."), make.pdf_text("Three.")))
    assert [pages.text[page.start_char :].split("\n")[0] for page in pages.parts.pages] == [
        "One.",
        "Two.",
        "Three.",
    ]
    assert pages.figures.chars_by_page == (4, 4, 6)


def test_lines_of_a_pdf_are_joined_to_paragraphs() -> None:
    lines = ["This is the first line of a paragraph that goes on in", "the next line and ends there, after some more words.",
             "Another paragraph starts here and is as long as others", "are. It ends."]  # fmt: skip
    found = extract(make.pdf(make.pdf_text(*lines)))
    assert "goes on in the next line" in found.text
    assert "as others are." in found.text


def test_cells_of_a_sheet_are_shown_as_people_see_them() -> None:
    cells = '<row><c r="A1" t="s"><v>0</v></c><c r="C1" s="1"><v>45000</v></c></row><row><c r="B2"><f>1+1</f><v>2.5</v></c>'
    cells += '<c r="C2" t="b"><v>1</v></c><c r="D2" t="inlineStr"><is><t>안</t></is></c></row>'
    found = extract(make.xlsx(cells, ["이름"]))
    assert found.parts.tables[0].rows == (("이름", "", "2023-03-15"), ("", "2.5", "TRUE", "안"))
    assert found.text == "매출\n이름\t\t2023-03-15\n\t2.5\tTRUE\t안"


def test_text_that_is_no_text_of_a_word_document_is_left_out() -> None:
    body = (
        '<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText><w:t>kept</w:t></w:r></w:p>'
        '<w:p><w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent>'
        "</mc:Choice><mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )  # fmt: skip
    assert extract(make.docx("first", body=body)).text == "first\nkept\nbox"


def test_rtf_keeps_korean_tables_and_title() -> None:
    found = extract(RTF.encode())
    assert found.text == "가나\n한글\nend"
    assert found.parts.tables[0].rows == (("a", "b"), ("c", "d"))
    assert found.title == "T"
    assert found.parts.sections[0].title == "가나"


def test_a_mail_has_its_attachments_as_members() -> None:
    found = extract(mail(make.docx(make.ENGLISH)))
    assert found.title == "제목"
    assert found.text.startswith("From: a@example.com\nTo: b@example.com\nSubject: 제목")
    assert [(member.name, member.extraction and member.extraction.text) for member in found.members] == [
        ("a.docx", make.ENGLISH)
    ]


def test_mails_of_a_mailbox_are_members() -> None:
    one = b"From x Mon Jan  1 00:00:00 2026\nFrom: a@b.c\nSubject: One\n\nText one.\n>From here on.\n\n"
    found = extract(one + one.replace(b"One", b"Two"))
    assert found.figures.media_type == "application/mbox"
    texts = [member.extraction.text for member in found.members if member.extraction]
    assert [text.split("\n")[1] for text in texts] == ["Subject: One", "Subject: Two"]
    assert texts[0].endswith("From here on.")


def test_documents_in_archives_have_a_path() -> None:
    inner = make.zipped({"b.txt": make.ENGLISH, "c.docx": make.docx(make.KOREAN)})
    for archive in (make.zipped({"d/a.txt": "Text of a.", "in.zip": inner}), make.tarred({"d/a.txt": b"Text of a.", "in.zip": inner}),
                    make.tarred({"d/a.txt": b"Text of a.", "in.zip": inner}, "w:gz"), make.tarred({"d/a.txt": b"Text of a.", "in.zip": inner}, "w:xz"),
                    make.tarred({"d/a.txt": b"Text of a.", "in.zip": inner}, "w:bz2")):  # fmt: skip
        found = extract(archive)
        assert [name for name, _ in found.documents("x")] == [
            "x/d/a.txt",
            "x/in.zip/b.txt",
            "x/in.zip/c.docx",
        ]


def test_names_in_old_korean_archives_are_read() -> None:
    name = "보고서.txt"
    data = make.zipped({"xxxxxxxx12": "Some text."}).replace(
        b"xxxxxxxx12", name.encode("cp949").ljust(10, b"_")[:10]
    )
    assert extract(data).members[0].name == name.encode("cp949").ljust(10, b"_")[:10].decode("cp949")


DART = '<?xml version="1.0" encoding="utf-8"?>\n<DOCUMENT><DOCUMENT-NAME ACODE="11011">{name}</DOCUMENT-NAME><COMPANY-NAME>회사</COMPANY-NAME><BODY>'
DART += "<SECTION-1><TITLE>I. 개요</TITLE><P>당기<주1>의 매출 & 이익은 <당기순이익>을 포함합니다.</P><SECTION-2><TITLE>1. 현황</TITLE><P>{text}</P></SECTION-2>"
DART += "<TABLE><TR><TH>구분</TH><TE>값</TE></TR><TR><TD>매출</TD><TU>10</TU></TR></TABLE><PGBRK></PGBRK></SECTION-1></BODY></DOCUMENT>"


def test_a_dart_report_is_read_in_its_real_encoding_though_it_is_not_well_formed() -> None:
    found = extract(DART.format(name="사업보고서", text=make.KOREAN).encode("cp949"))
    assert found.title == "회사 사업보고서"
    assert "당기<주1>의 매출 & 이익은 <당기순이익>을 포함합니다." in found.text
    assert [(section.title, section.level) for section in found.parts.sections] == [
        ("I. 개요", 1),
        ("1. 현황", 2),
    ]
    assert found.parts.tables[0].rows == (("구분", "값"), ("매출", "10"))


def test_of_a_dart_filing_the_business_report_is_the_text_not_the_audit_report() -> None:
    audit = DART.format(name="감사보고서", text="감사 의견").encode("cp949")
    report = DART.format(name="사업보고서", text="사업 내용").encode("cp949")
    found = extract(make.zipped({"20260101000001_00760.xml": audit, "20260101000001.xml": report}))
    assert "사업 내용" in found.text
    assert "감사 의견" not in found.text
    assert [member.name for member in found.members] == ["20260101000001_00760.xml"]


EDGAR = """<SEC-DOCUMENT>0000.txt : 20260101
<SEC-HEADER>
COMPANY DATA:
    COMPANY CONFORMED NAME:     ACME INC
</SEC-HEADER>
<DOCUMENT>
<TYPE>8-K
<SEQUENCE>1
<FILENAME>a.htm
<TEXT>
<HTML><BODY><DIV style="font-size: 8pt">Item 1.01 Entry into an agreement&nbsp;&#8212; signed.</DIV><div style="display:none">hidden</div></BODY></HTML>
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-99
<SEQUENCE>2
<FILENAME>b.txt
<TEXT>
A plain exhibit with two lines
of text.
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
"""


def test_an_edgar_submission_is_its_main_document_with_exhibits_as_members() -> None:
    found = extract(EDGAR.encode())
    assert found.text == "Item 1.01 Entry into an agreement — signed."
    assert found.title == "ACME INC 8-K"
    assert [(member.name, member.extraction and member.extraction.text) for member in found.members] == [
        ("EX-99 b.txt", "A plain exhibit with two lines\nof text.")
    ]


PAGE = """<html><head><title>News</title></head><body><nav><a href=/>Home</a> <a href=/m>Members area</a></nav>
<article><h1>The headline of the news</h1>{text}</article><footer>Copyright and imprint of the page</footer></body></html>"""


def test_of_a_page_with_navigation_the_main_content_is_read_and_the_rest_counted() -> None:
    pytest.importorskip("trafilatura")
    text = "".join(
        f"<p>{make.ENGLISH} Number {n} of the paragraphs says more about it.</p>" for n in range(8)
    )
    page = PAGE.format(text=text).encode()

    main, whole = extract(page), extract(page, html="whole")

    assert "Members area" not in main.text
    assert "Number 7" in main.text
    assert main.figures.chars_left_out > 0
    assert "Members area" in whole.text
    assert whole.figures.chars_left_out == 0


def test_pages_of_a_web_archive_are_members() -> None:
    page = HTML.encode()
    chunked = f"{len(page):x}\r\n".encode() + page + b"\r\n0\r\n\r\n"
    found = extract(
        make.warc(
            ("http://a/", make.http(page)),
            ("http://b/", make.http(gzip.compress(page), "Content-Encoding: gzip")),
            ("http://c/", make.http(chunked, "Transfer-Encoding: chunked")),
        )
    )
    assert [(member.name, member.extraction is not None) for member in found.members] == [
        ("http://a/", True), ("http://b/", True), ("http://c/", True)
    ]  # fmt: skip


def test_a_footnote_stands_after_its_paragraph() -> None:
    note = "<hp:ctrl><hp:footNote><hp:subList><hp:p><hp:run><hp:t>각주입니다.</hp:t></hp:run></hp:p></hp:subList></hp:footNote></hp:ctrl>"
    parts = {
        "mimetype": "application/hwp+zip",
        "Contents/section0.xml": '<hs:sec xmlns:hs="s" xmlns:hp="p"><hp:p><hp:run><hp:t>앞 문장과</hp:t>'
        f"{note}<hp:t> 뒤 문장.</hp:t></hp:run></hp:p></hs:sec>",
    }
    assert extract(make.zipped(parts)).text == "앞 문장과 뒤 문장.\n각주입니다."


def test_headers_of_korean_mails_are_read() -> None:
    subject = base64.b64encode("회의 자료".encode("euc-kr")).decode()
    data = (
        f"From: =?ks_c_5601-1987?B?{base64.b64encode('김'.encode('cp949')).decode()}?= <a@b.kr>\r\nSubject: =?euc-kr?B?{subject}?=\r\n"
        "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=euc-kr\r\n\r\n"
    ).encode()
    data += f"<p>{make.KOREAN}</p>\r\n--x\r\n".encode("euc-kr")
    data += f'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="=?euc-kr?B?{subject}?="\r\n\r\nabc\r\n--x--\r\n'.encode()

    found = extract(data)

    assert found.title == "회의 자료"
    assert found.text.split("\n") == ["From: 김 <a@b.kr>", "Subject: 회의 자료", make.KOREAN]
    assert [member.name for member in found.members] == ["회의 자료"]


def test_a_hyphen_at_a_line_end_stays_where_the_word_has_one() -> None:
    page = "a few forward-looking words stand here\nand the forward\ufffelooking ones are con\ufffetinued, AI\ufffepowered"
    assert "".join(pdf_lines.paragraphs(page, set())).endswith(
        "the forward-looking ones are continued, AI-powered"
    )


def test_notes_and_text_boxes_of_rtf_follow_their_paragraph_and_deleted_text_is_left_out() -> None:
    """As LibreOffice and Word write them: with and without the mark of what other programs may skip."""
    rtf = (
        rb"{\rtf1\ansi {\header {\shp{\*\shpinst{\shptxt In the header.\par}}}}"
        rb"Before{\*\footnote \chftn First note.} after.\par "
        rb"Word{\footnote\pard Second note.\par Its end.}s.{\deleted  Deleted.}\par "
        rb"Anchor{\shp{\*\shpinst{\sp{\sn name}{\sv value}}{\shptxt In a box.\par}}{\shprslt In a box.}} here.\par "
        rb"{\*\unknown Not shown.}A\nestcell{}B\nestcell{} End.}"
    )
    assert extract(rtf).text.split("\n") == [
        "Before after.", "First note.", "Words.", "Second note.", "Its end.", "Anchor here.", "In a box.", "A B End.",
    ]  # fmt: skip


def test_a_mail_that_says_ascii_and_is_not_is_read_in_its_real_encoding() -> None:
    head = (
        "From: a@b.c\nTo: d@e.f\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n"
    )
    head += "Content-Transfer-Encoding: 8bit\n\n"
    for body, encoding in (
        ("한글로 쓴 본문입니다. 잘 읽히나요?", "cp949"),
        ("Déjà vu in a café, “quoted”.", "cp1252"),
    ):
        assert extract((head + body).encode(encoding)).text.endswith(body)
