"""What files say of themselves: title, author, date. And what stands beside the text: readings, hidden sheets."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import UTC, datetime

import pytest

from readers.extraction import Extraction, extract
from tests.readers.extraction import builders

WHEN = "2026-01-05T09:30:00"


def _with(archive: bytes, **parts: str) -> bytes:
    """The archive with other parts, whose names have _ for /."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        kept = {name: opened.read(name) for name in opened.namelist()}
    return builders.zipped(kept | {name.replace("__", "/"): text for name, text in parts.items()})


def _page(head: str, lang: str = "ko") -> bytes:
    text = f"<!doctype html><html lang={lang}><head>{head}</head><body><p>Some words.</p></body></html>"
    return text.encode()


def _odt() -> bytes:
    meta = (
        '<o:document-meta xmlns:o="o" xmlns:m="m" xmlns:dc="d"><o:meta><m:initial-creator>김철수</m:initial-creator>'
        f"<dc:creator>Editor</dc:creator><dc:title>A title</dc:title><m:creation-date>{WHEN}.123456789"
        "</m:creation-date></o:meta></o:document-meta>"
    )
    body = '<o:document-content xmlns:o="o" xmlns:t="t"><t:p>Some words.</t:p></o:document-content>'
    return builders.zipped(
        {"mimetype": "application/vnd.oasis.opendocument.text", "meta.xml": meta, "content.xml": body}
    )


def _hwp() -> bytes:
    """With the properties 2 (title), 4 (author) and 12 (created), of which HWP counts the bytes, not the characters."""

    def text(value: str) -> bytes:
        data = (value + "\0").encode("utf-16-le")
        return struct.pack("<II", 31, len(data)) + data + b"\0" * (-len(data) % 4)

    moment = datetime.fromisoformat(WHEN).replace(tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)
    values = {
        2: text("A title"),
        4: text("김철수"),
        12: struct.pack("<IQ", 64, int(moment.total_seconds()) * 10_000_000),
    }
    at, index, data = 8 + 8 * len(values), b"", b""
    for number, value in values.items():
        index += struct.pack("<II", number, at + len(data))
        data += value
    section = struct.pack("<II", at + len(data), len(values)) + index + data
    head = struct.pack("<HHI16xI16sI", 0xFFFE, 0, 0, 1, b"\1" * 16, 48)
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010000, 0)
    streams = {
        "FileHeader": header,
        "BodyText/Section0": builders.hwp_section("Some words."),
        "\x05HwpSummaryInformation": head + section,
    }
    return builders.ole(streams)


_HPF = (
    '<opf:package xmlns:opf="o"><opf:metadata><opf:title>A title</opf:title><opf:meta name="creator" content="text">'
    f'김철수</opf:meta><opf:meta name="subject" content="text"/><opf:meta name="CreatedDate" content="text">{WHEN}Z'
    '</opf:meta><opf:meta name="date" content="text">2026년 1월</opf:meta></opf:metadata></opf:package>'
)
_OPF = (
    '<package xmlns:dc="d"><metadata><dc:title>A title</dc:title><dc:title>A subtitle</dc:title><dc:creator>김철수'
    f"</dc:creator><dc:creator>Another</dc:creator><dc:date>{WHEN}</dc:date></metadata><manifest>"
    '<item id="c0" href="text/c0.xhtml"/></manifest><spine><itemref idref="c0"/></spine></package>'
)
_RTF = (
    rb"{\rtf1\ansi{\fonttbl{\f0 A;}}{\info{\title A title}{\author \u44608?\u52384?\u49688?}"
    rb"{\creatim\yr2026\mo1\dy5\hr9\min30}{\revtim\yr2026\mo2\dy6}}Some words.\par}"
)
_META = '<title>A title</title><meta name="author" content="김철수">'
FILES = {
    "html": _page(f'{_META}<meta property="article:published_time" content="{WHEN}+09:00">'),
    "html, another order": _page(f'<META CONTENT="{WHEN}" NAME="DC.date">{_META}'),
    "html with navigation": _page(f'{_META}<meta name="date" content="{WHEN}">').replace(
        b"<body>", b"<body><nav>Home</nav><main>" + b"<p>A long paragraph of the page, with words.</p>" * 20
    ),
    "epub": _with(builders.epub("Some words."), **{"OEBPS__book.opf": _OPF}),
    "odt": _odt(),
    "rtf": _RTF,
    "hwp": _hwp(),
    "hwpx": _with(builders.hwpx("Some words."), **{"Contents__content.hpf": _HPF}),
}


@pytest.mark.parametrize("kind", FILES)
def test_title_author_and_date(kind: str) -> None:
    found = extract(FILES[kind])
    assert (found.title, found.figures.author) == ("A title", "김철수")
    assert (found.figures.created or "").startswith(WHEN)
    assert "Some words." in found.text or kind == "html with navigation"
    assert "김철수" not in found.text


@pytest.mark.parametrize("head", [
    '<meta name="author" content="https://example.com/people/kim"><meta name="date" content="yesterday">',
    '<meta name="author" content=" "><meta name="date">',
])  # fmt: skip
def test_what_is_no_author_and_no_date_is_none(head: str) -> None:
    found = extract(_page(head))
    assert (found.title, found.figures.author, found.figures.created) == (None, None, None)


def test_damaged_properties_do_no_harm() -> None:
    broken = _hwp().replace(struct.pack("<HH", 0xFFFE, 0) + b"\0" * 4, b"\xff" * 8)
    assert extract(broken).text == "Some words."
    rtf = rb"{\rtf1{\info{\creatim\yr99999\mo77}}Some words.}"
    assert extract(rtf).figures.created is None


# --- readings beside characters: they stand in the middle of words ------------------------------------------------

_FIELD = (
    r"{\field{\*\fldinst { EQ \\* jc3 \\* "
    + '"Font:Noto" '
    + r"\\* hps12 \\o\\al(\\s\\up 10(\u12363\'3f\u12435\'3f),"
    r"\u28450\'3f\u23383\'3f)}}{\fldrslt {}}}"
)
READINGS = {
    "rtf": (r"{\rtf1\ansi\uc1 A " + _FIELD + r"{\field{\*\fldinst HYPERLINK x}{\fldrslt B}} C.\par}").encode(),
    "docx": builders.docx(
        body="<w:p><w:r><w:t>A </w:t></w:r><w:r><w:ruby><w:rt><w:r><w:t>かん</w:t></w:r></w:rt><w:rubyBase><w:r>"
        "<w:t>漢字</w:t></w:r></w:rubyBase></w:ruby></w:r><w:r><w:t>B C.</w:t></w:r></w:p>"
    ),
    "odt": builders.zipped({
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": '<o:c xmlns:o="o" xmlns:t="t"><t:p>A <t:ruby><t:ruby-base>漢字</t:ruby-base><t:ruby-text>かん'
        "</t:ruby-text></t:ruby>B C.</t:p></o:c>",
    }),
    "hwpx": _with(builders.hwpx("x"), **{
        "Contents__section0.xml": '<s xmlns:hp="hp"><hp:p><hp:run><hp:t>A </hp:t><hp:dutmal><hp:mainText>漢字</hp:mainText>'
        "<hp:subText>かん</hp:subText></hp:dutmal><hp:t>B C.</hp:t></hp:run></hp:p></s>",
    }),
    "html": "<html><body><p>A <ruby>漢字<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>B C.</p></body></html>".encode(),
    "html without ends": "<html><body><p>A <ruby>漢<rt>かん<rb>字<rt>じ</ruby>B C.</p></body></html>".encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", READINGS)
def test_readings_are_left_out_and_what_they_explain_is_kept(kind: str) -> None:
    assert extract(READINGS[kind]).text == "A 漢字B C."


def test_a_reading_that_never_ends_hides_no_more_than_its_paragraph() -> None:
    page = "<html><body><p>A <ruby>漢<rt>かん</p><p>B.</p><div>C <ruby>字<rt>じ</div>D</body></html>"
    assert "B." in (text := extract(page.encode()).text)
    assert "D" in text


# --- hidden sheets ------------------------------------------------------------------------------------------------


def _workbook(*states: str) -> bytes:
    """A sheet for each: what it shows is its number."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheets = "".join(
        f'<sheet name="S{n}" sheetId="{n}" state="{state}" r:id="rId{n}"/>'
        for n, state in enumerate(states, 1)
    )
    names = [f"worksheets/sheet{n}.xml" for n in range(1, len(states) + 1)]
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{builders._R}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": builders._relationships("worksheet", *names),
    }
    for n, name in enumerate(names, 1):
        row = f'<row><c t="str" r="A1"><v>cell {n}</v></c></row>'
        parts[f"xl/{name}"] = f'<worksheet xmlns="{space}"><sheetData>{row}</sheetData></worksheet>'
    return builders.zipped(parts)


def _hidden(found: Extraction) -> list[str]:
    return [each.detail for each in found.warnings if each.code == "HIDDEN_SHEETS"]


def test_hidden_sheets_are_left_out_counted_and_said() -> None:
    found = extract(_workbook("visible", "hidden", "veryHidden", "visible"))
    assert found.text == "S1\ncell 1\nS4\ncell 4"
    assert _hidden(found) == ["2 hidden sheets were left out (S2, S3): 12 characters"]
    assert (found.figures.chars_left_out, found.figures.n_pages) == (12, 2)
    assert _hidden(extract(_workbook("visible"))) == []


def test_of_a_workbook_that_shows_nothing_the_hidden_sheets_are_the_text() -> None:
    found = extract(_workbook("hidden", "hidden"))
    assert found.text == "S1\ncell 1\nS2\ncell 2"
    assert _hidden(found) == ["all sheets with text are hidden (S1, S2): they are the text"]
