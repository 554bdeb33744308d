"""Files as people have them, where they are available: each with the outcome and the words that it must have."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from readers.extraction import ExtractionError, extract

ROOT = Path(__file__).parents[3]
SHARED = next(
    (path / "shared" / "data" for path in ROOT.parents if (path / "shared" / "data").is_dir()),
    ROOT / "shared/data",
)
FILES = SHARED / "files_real"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the shared files are not here")

#: Pages and words of PDFs.
PDFS = {
    "002-trivial-libre-office-writer.pdf": (1, "Stet clita kasd gubergren, no sea takimata sanctus est Lorem ipsum dolor sit amet."),
    "google-doc-document.pdf": (1, "Beautiful is better than ugly."),
    "habibi.pdf": (1, "habibi"),
    "minimal-document.pdf": (1, "invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua."),
    "multicolumn.pdf": (3, "This is a sample document with two columns filled"),
    "pdflatex-4-pages.pdf": (4, "If you read this text, you will get no information. Really?"),
    "pdflatex-forms.pdf": (1, "Submit"),
    "pdflatex-outline.pdf": (4, "4 Foo"),
    "with-attachment.pdf": (1, "Lorem ipsum dolor sit amet, consetetur sadipscing elitr,"),
}  # fmt: skip


@pytest.mark.parametrize("name", PDFS)
def test_a_pdf_has_its_pages_and_words(name: str) -> None:
    n_pages, words = PDFS[name]
    found = extract(FILES / name)
    assert found.figures.n_pages == n_pages
    assert words in found.text
    assert all(n > 0 for n in found.figures.chars_by_page)


@pytest.mark.parametrize("name", PDFS)
def test_paragraphs_lose_no_character_of_what_pdfium_reads(name: str) -> None:
    pypdfium2 = pytest.importorskip("pypdfium2")
    document = pypdfium2.PdfDocument(FILES / name)
    raw = "".join(page.get_textpage().get_text_range() for page in document)
    lost, added = letters(raw), letters(extract(FILES / name).text)
    assert lost - added == added - lost == Counter()


def letters(text: str) -> Counter[str]:
    return Counter(re.sub(r"[\s\x02\ufffe]", "", text))


def test_an_outline_and_an_attachment_are_found() -> None:
    sections = extract(FILES / "pdflatex-outline.pdf").parts.sections
    assert [section.title for section in sections] == ["Foo", "Bar", "Baz"] * 3
    assert [member.name for member in extract(FILES / "with-attachment.pdf").members] == ["image.png"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("libreoffice-writer-password.pdf", "ENCRYPTED"),
        ("grayscale-image.pdf", "SCANNED_NO_TEXT"),
        ("bookmark.hwp", "EMPTY"),
        ("outline.hwp", "EMPTY"),
    ],
)
def test_a_file_without_readable_text_is_an_error(name: str, code: str) -> None:
    with pytest.raises(ExtractionError) as caught:
        extract(FILES / name)
    assert caught.value.code == code


def test_fonts_without_a_unicode_map_are_warned_of() -> None:
    assert [warned.code for warned in extract(FILES / "habibi.pdf").warnings] == ["GARBLED_IN_PART"]


@pytest.mark.parametrize("name", ["annual_report.hwp", "draw_text.hwp", "hello_world.hwp", "work_report.hwp"])
def test_a_hwp_has_the_words_of_its_preview(name: str) -> None:
    olefile = pytest.importorskip("olefile")
    with olefile.OleFileIO(FILES / name) as ole:
        preview = ole.openstream("PrvText").read().decode("utf-16-le")
    found = extract(FILES / name)
    expected, there = (Counter(re.findall(r"\w+", text)) for text in (preview, found.whole()))
    # The preview is cut after this many characters, inside a word.
    assert (expected - there).total() <= (len(preview) > 1000)
    assert found.warnings == ()


def test_tables_of_a_hwp_stand_apart() -> None:
    tables = extract(FILES / "work_report.hwp").parts.tables
    assert len(tables) == 2
    assert all(len(table.rows) > 1 for table in tables)


@pytest.mark.parametrize("path", sorted(FILES.glob("*8K*.htm")), ids=lambda path: path.name[-24:])
def test_pages_of_edgar_are_prose_without_tags(path: Path) -> None:
    found = extract(path)
    assert found.text.startswith(("UNITED STATES", "Table of Contents\nUNITED STATES"))
    assert "SanDisk Corporation" in found.text
    assert not re.search(r"</?\w+[^>]*>|&\w+;|&#\d+;|DIV|style=", found.whole())
    assert found.language == "en"


def test_a_web_archive_and_a_damaged_one_yield_their_pages() -> None:
    whole, damaged = extract(FILES / "example.warc.gz"), extract(FILES / "example-trunc.warc")
    for found in (whole, damaged):
        assert [member.name for member in found.members] == ["http://example.com/"]
        page = found.members[0].extraction
        assert page is not None
        assert page.title == "Example Domain"
    assert whole.warnings == ()
    assert [warned.code for warned in damaged.warnings] == ["RECORD_LENGTH"]


def test_a_dart_report_is_whole_and_its_tables_stand_apart() -> None:
    data = gzip.decompress((SHARED / "ko_longdoc_dart/samsung_20220816001711.euckr.xml.gz").read_bytes())
    found = extract(data)
    assert found.title == "삼성전자주식회사 반기보고서"
    assert found.language == "ko"
    assert "당사는 1969년 1월 13일에 삼성전자공업주식회사로 설립되었으며" in found.text
    assert "I. 회사의 개요" in [section.title for section in found.parts.sections]
    assert found.figures.chars_in_tables > len(found.text)
    assert found.figures.n_replaced == 0
    plain = re.sub(
        r"<(SUMMARY|DOCUMENT-NAME|COMPANY-NAME|FORMULA-VERSION)[ >].*?</\1>",
        "",
        data.decode("cp949"),
        flags=re.DOTALL,
    )
    plain = re.sub(r"</?[A-Z][A-Z0-9-]*(\s[^<>]*)?/?>|<[?!][^>]*>", " ", plain)
    entities = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
    for entity, char in entities.items():
        plain = plain.replace(entity, char)
    lost = letters(plain) - letters(found.whole())
    assert lost.total() <= 0.005 * len(plain)


def test_all_of_them_in_one_archive_have_the_same_outcomes(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(FILES.iterdir()):
            archive.write(file, file.name)

    for member in extract(path).members:
        try:
            alone = extract(FILES / member.name).text
        except ExtractionError as error:
            assert member.error is not None
            assert member.error.code == error.code
        else:
            assert member.extraction is not None
            assert member.extraction.text == alone
