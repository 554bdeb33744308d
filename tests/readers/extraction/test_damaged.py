"""Damaged and hostile files: each ends as the error that it should, never as a quiet empty text."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from readers.extraction import ExtractionError, Limits, extract
from readers.extraction.read import PARSER_FAILED
from tests.readers.extraction import builders as make
from tests.readers.extraction.test_formats import DART, EDGAR, RTF, SOUND

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MIB = 1024 * 1024
PDF = make.pdf(make.pdf_text(make.ENGLISH), make.pdf_text(make.ENGLISH))
DOCX = make.docx(make.KOREAN)
HWP = make.hwp(make.hwp_section(make.KOREAN))


def document_xml(xml: str) -> bytes:
    return make.zipped({"word/document.xml": xml})


def nested_zips(n: int) -> bytes:
    data = make.ENGLISH.encode()
    for number in range(n):
        data = make.zipped({f"{number}.zip" if number else "a.txt": data})
    return data


def password_zip() -> bytes:
    """The flag of encryption is set in both headers."""
    data = bytearray(make.zipped({"a.txt": make.ENGLISH}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def laughs() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE d [<!ENTITY l0 "lol">{entities}]><w:document xmlns:w="{_W}"><w:p><w:t>&l9;</w:t></w:p></w:document>'


def external() -> str:
    return f'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><w:document xmlns:w="{_W}"><w:p><w:t>&x;</w:t></w:p></w:document>'


def deep_xml(n: int) -> str:
    return (
        f'<w:document xmlns:w="{_W}">'
        + "<w:tbl><w:tr><w:tc>" * n
        + "</w:tc></w:tr></w:tbl>" * n
        + "</w:document>"
    )


#: A file, and the error that it is.
DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "EMPTY"),
    "blanks": (lambda: b" \n\t \r\n" * 100, "EMPTY"),
    "NUL bytes": (lambda: b"\0" * 5000, "EMPTY"),
    "byte order mark only": (lambda: b"\xef\xbb\xbf", "EMPTY"),
    "random bytes": (lambda: bytes((n * 7919 + n // 3) % 256 for n in range(5000)), "UNSUPPORTED"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "UNSUPPORTED"),
    "jpeg named pdf": (lambda: b"\xff\xd8\xff\xe0" + b"\0" * 100, "UNSUPPORTED"),
    "program": (lambda: b"\x7fELF" + b"\0" * 100, "UNSUPPORTED"),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + b"\0" * 100, "UNSUPPORTED"),
    "rar": (lambda: b"Rar!\x1a\x07\x00" + b"\0" * 100, "UNSUPPORTED"),
    "parquet": (lambda: b"PAR1" + b"\0" * 100 + b"PAR1", "UNSUPPORTED"),
    "hwp 3": (lambda: b"HWP Document File V3.00 \x1a\1\2\3\4\5" + b"\0" * 100, "UNSUPPORTED"),
    "pdf of its head": (lambda: PDF[:20], "CORRUPT"),
    "pdf without pages": (lambda: make.pdf(), "CORRUPT"),
    "pdf of junk": (lambda: b"%PDF-1.7\n" + b"\x01\x02" * 2000, "CORRUPT"),
    "pdf with a password": (make.encrypted_pdf, "ENCRYPTED"),
    "pdf scanned": (lambda: make.scanned_pdf(3), "SCANNED_NO_TEXT"),
    "pdf of blank pages": (lambda: make.pdf("", ""), "EMPTY"),
    "pdf without a Unicode map": (make.pdf_without_unicode_map, "GARBLED"),
    "docx cut": (lambda: DOCX[: len(DOCX) // 2], "CORRUPT"),
    "docx of one byte less": (lambda: DOCX[:-1], "CORRUPT"),
    "docx without text": (lambda: make.docx(), "EMPTY"),
    "docx with a password": (lambda: make.ole({"EncryptedPackage": b"x" * 5000, "EncryptionInfo": b"y" * 200}), "ENCRYPTED"),
    "docx not well-formed": (lambda: document_xml(f'<w:document xmlns:w="{_W}"><w:p>'), "CORRUPT"),
    "docx of a billion laughs": (lambda: document_xml(laughs()), "CORRUPT"),
    "docx that names a file of the system": (lambda: document_xml(external()), "CORRUPT"),
    "docx of deep tables": (lambda: document_xml(deep_xml(5000)), "TOO_LARGE"),
    "docx part damaged": (lambda: _damaged_part(DOCX, b"word/document.xml"), "CORRUPT"),
    "doc": (lambda: make.ole({"WordDocument": b"x" * 5000}), "UNSUPPORTED"),
    "ole unknown": (lambda: make.ole({"Something": b"x" * 5000}), "UNSUPPORTED"),
    "ole cut": (lambda: HWP[:700], "CORRUPT"),
    "hwp with a password": (lambda: make.hwp(make.hwp_section("x"), flags=3), "ENCRYPTED"),
    "hwp without text": (lambda: make.hwp(make.hwp_section("")), "EMPTY"),
    "hwp whose text is lost": (lambda: make.hwp(make.hwp_section(""), preview=make.KOREAN), "CORRUPT"),
    "hwp section damaged": (lambda: make.hwp(b"", packed=b"\xff\xfe" * 3000), "CORRUPT"),
    "hwp record cut": (lambda: make.hwp(make.hwp_section(make.KOREAN)[:-10]), "CORRUPT"),
    "hwp bomb": (lambda: make.hwp(b"", packed=make.gzip_of_zeros(200 * _MIB)[10:-8]), "TOO_LARGE"),
    "hwpx with a password": (lambda: make.hwpx("x", manifest="<odf:encryption-data/>"), "ENCRYPTED"),
    "hwpx without sections": (lambda: make.zipped({"mimetype": "application/hwp+zip", "a": "b"}), "CORRUPT"),
    "hwpx whose text is lost": (lambda: make.hwpx(preview=make.KOREAN), "CORRUPT"),
    "epub protected": (lambda: make.epub("x", encryption="<EncryptedData></EncryptedData>"), "ENCRYPTED"),
    "epub without a book": (lambda: make.zipped({"META-INF/container.xml": "<container/>"}), "CORRUPT"),
    "xlsx without cells": (lambda: make.xlsx(""), "EMPTY"),
    "pptx without a slide's part": (lambda: _without(make.pptx(("a", "b")), "ppt/slides/slide1.xml"), "CORRUPT"),
    "zip without files": (lambda: make.zipped({}), "EMPTY"),
    "zip cut": (lambda: make.zipped({"a.txt": make.ENGLISH})[:60], "CORRUPT"),
    "gzip cut": (lambda: gzip.compress(make.ENGLISH.encode())[:-12], "CORRUPT"),
    "gzip damaged": (lambda: gzip.compress(b"\1\2" * 9)[:15] + b"\xff" * 20, "CORRUPT"),
    "gzip of nothing": (lambda: gzip.compress(b""), "EMPTY"),
    "gzip bomb": (lambda: make.gzip_of_zeros(200 * _MIB), "TOO_LARGE"),
    "gzip in gzip in gzip": (lambda: _gzips(20), "TOO_LARGE"),
    "tar cut": (lambda: make.tarred({"a.txt": b"x" * 5000})[:1500], "CORRUPT"),
    "html of scripts": (lambda: b"<html><head><title>t</title></head><body><script>var a = 1</script></body></html>", "EMPTY"),
    "html that hides all": (lambda: b"<html><body><div style='display:none'>x</div></body></html>", "EMPTY"),
    "utf-8 read as Windows-1252": (lambda: make.KOREAN.encode().decode("cp1252", "replace").encode(), "GARBLED"),
    "cp949 read as Latin-1": (lambda: (make.KOREAN * 3).encode("cp949").decode("latin-1").encode(), "GARBLED"),
    "glyph numbers": (lambda: b"(cid:12)(cid:33) (cid:7)" * 50, "GARBLED"),
    "replacement characters": (lambda: ("a" + "\ufffd" * 3).encode() * 100, "UNSUPPORTED"),
    "private characters": (lambda: "\ue000\ue001\ue002 a".encode() * 100, "GARBLED"),
    "edgar header only": (lambda: b"<SEC-DOCUMENT>x\n<SEC-HEADER>\n</SEC-HEADER>\n</SEC-DOCUMENT>", "CORRUPT"),
    "mail encrypted": (lambda: b"From: a@b\nTo: c@d\nContent-Type: multipart/encrypted; boundary=x\n\n--x--\n", "ENCRYPTED"),
    "rtf of nothing": (lambda: b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}}", "EMPTY"),
    "rtf of deep groups": (lambda: b"{\\rtf1" + b"{" * 100_000, "TOO_LARGE"),
    "warc without a header": (lambda: b"WARC/1.0\r\nWARC-Type: response\r\n", "CORRUPT"),
}  # fmt: skip


def _without(package: bytes, part: str) -> bytes:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return make.zipped({name: archive.read(name) for name in archive.namelist() if name != part})


def _damaged_part(package: bytes, name: bytes) -> bytes:
    """The first bytes of a part's compressed data are others."""
    at = package.index(name) + len(name)
    return package[:at] + b"\xff" * 10 + package[at + 10 :]


def _gzips(n: int) -> bytes:
    data = make.ENGLISH.encode()
    for _ in range(n):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_the_error_that_it_should_be(name: str) -> None:
    build, code = DAMAGED[name]
    with pytest.raises(ExtractionError) as caught:
        extract(build())
    assert caught.value.code == code, caught.value.detail
    assert len(caught.value.detail) > 10
    assert not caught.value.detail.startswith(PARSER_FAILED)


def test_neighbours_of_damaged_files_are_read() -> None:
    parts: dict[str, bytes] = {}
    for number, (build, _) in enumerate(DAMAGED.values()):
        parts[f"{number}.bin"] = build()
        parts[f"{number}.txt"] = f"The neighbour {number} is read.".encode()

    for archive in (make.zipped(parts), make.tarred(parts, "w:gz")):
        found = extract(archive)
        outcome = {member.name: member for member in found.members}
        assert len(outcome) == len(parts)
        for number, (name, (_, code)) in enumerate(DAMAGED.items()):
            error, neighbour = outcome[f"{number}.bin"].error, outcome[f"{number}.txt"].extraction
            assert error is not None, name
            # A gzip in a TAR archive is one container deeper; its error is the same. Parquet is read in archives only.
            assert error.code == (code if name != "parquet" else "CORRUPT"), (name, str(error))
            assert neighbour is not None
            assert neighbour.text == f"The neighbour {number} is read."


@pytest.mark.parametrize("name", [*SOUND, "dart", "edgar"])
def test_a_sound_file_that_is_cut_anywhere_is_an_error_a_warning_or_text(name: str) -> None:
    """Never another exception, and never an extraction without text or members."""
    more = {"dart": DART.format(name="사업보고서", text=make.KOREAN).encode("cp949"), "edgar": EDGAR.encode()}
    data = more[name] if name in more else SOUND[name][0]()
    for share in range(1, 20):
        try:
            found = extract(data[: len(data) * share // 20])
        except ExtractionError as error:
            assert not error.detail.startswith(PARSER_FAILED)
        else:
            assert found.text or found.members


@pytest.mark.parametrize("name", [*SOUND])
def test_a_sound_file_with_wrong_bytes_is_an_error_or_text(name: str) -> None:
    data = SOUND[name][0]()
    for place in range(0, len(data), max(1, len(data) // 40)):
        try:
            found = extract(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        except ExtractionError as error:
            assert not error.detail.startswith(PARSER_FAILED)
        else:
            assert found.text or found.members


def test_a_chain_of_archives_ends_at_the_limit_of_depth() -> None:
    deep = extract(nested_zips(5))
    assert [text.text for _, text in deep.documents()] == [make.ENGLISH]

    found = extract(nested_zips(30))
    while found.members and found.members[0].extraction:
        found = found.members[0].extraction
    assert found.members[0].error
    assert found.members[0].error.code == "TOO_LARGE"


def test_archives_that_multiply_end_and_leave_their_neighbours() -> None:
    bomb = make.ENGLISH.encode()
    for level in range(5):
        bomb = (
            make.zipped({f"{n}.zip": bomb for n in range(16)})
            if level
            else make.zipped({f"{n}.txt": bomb for n in range(16)})
        )
    archive = make.zipped({"bomb.zip": bomb, "good.txt": "The neighbour is read."})

    started = time.monotonic()
    found = extract(archive, Limits(entries=2000))

    assert time.monotonic() - started < 60
    assert found.members[1].extraction is not None
    assert found.members[1].extraction.text == "The neighbour is read."


def test_an_archive_of_too_many_files_leaves_its_neighbours() -> None:
    many = make.tarred({f"{n}.txt": b"x" for n in range(3000)})
    found = extract(
        make.zipped({"1.tar": many, "2.tar": many, "good.txt": "The neighbour is read."}),
        Limits(entries=1000),
    )
    assert [member.error and member.error.code for member in found.members] == [
        "TOO_LARGE",
        "TOO_LARGE",
        None,
    ]


def test_a_zip_with_a_password_says_so_for_each_file() -> None:
    found = extract(password_zip())
    assert [member.error and member.error.code for member in found.members] == ["ENCRYPTED"]


def test_a_cut_archive_keeps_what_is_whole() -> None:
    data = make.tarred({"a.txt": b"The first file.", "b.txt": b"x" * 5000})
    found = extract(data[:2500])
    assert found.members[0].extraction is not None
    assert [warned.code for warned in found.warnings] == ["TRUNCATED"]

    page = b"<html><body><p>A page of the archive.</p></body></html>"
    data = make.warc(("http://a/", make.http(page)), ("http://b/", make.http(page)))
    found = extract(data[:-30])
    assert [member.name for member in found.members] == ["http://a/"]
    assert [warned.code for warned in found.warnings] == ["TRUNCATED"]


def test_each_limit_is_kept() -> None:
    def code(data: bytes, **limits: float) -> str:
        with pytest.raises(ExtractionError) as caught:
            extract(data, Limits(**limits))  # type: ignore[arg-type]
        return f"{caught.value.code} {caught.value.detail}"

    assert code(PDF, bytes_in=100).startswith("TOO_LARGE")
    assert "2 pages" not in code(PDF, pages=1)
    assert code(DOCX, bytes_out=100).startswith("TOO_LARGE")
    assert code(make.KOREAN.encode(), chars=5).startswith("TOO_LARGE")
    assert code(make.xlsx('<row><c r="XFD1"><v>1</v></c></row>' * 300), chars=100_000).startswith("TOO_LARGE")
    assert code(DOCX, seconds=-1).startswith("TIMEOUT")
    assert code(make.zipped({f"{n}.txt": "x" for n in range(20)}), entries=10).startswith("TOO_LARGE")


def test_less_text_than_the_file_promises_is_a_warning() -> None:
    short = extract(make.docx(make.KOREAN, characters=5000))
    assert [warned.code for warned in short.warnings] == ["SHORTER_THAN_PROMISED"]

    preview = (
        f"{make.KOREAN} 이 문단은 본문에 없고 미리보기에만 있는 긴 문단입니다. 그래서 경고가 나와야 합니다."
    )
    for data in (
        make.hwp(make.hwp_section(make.KOREAN), preview=preview),
        make.hwpx(make.KOREAN, preview=preview),
    ):
        assert [warned.code for warned in extract(data).warnings] == ["SHORTER_THAN_PROMISED"]

    mixed = make.pdf(make.pdf_text(make.ENGLISH), "q 0 0 100 100 re f Q")
    assert [str(warned) for warned in extract(mixed).warnings] == [
        "SCANNED_PAGES: pages that are pictures without text: 2"
    ]


@pytest.mark.parametrize("library", ["pypdfium2", "olefile"])
def test_a_missing_library_is_an_error_that_says_what_to_install(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExtractionError) as caught:
        extract(PDF if library == "pypdfium2" else HWP)
    assert caught.value.code == "UNSUPPORTED"
    assert "pip install 'docmill[files]'" in caught.value.detail


_MEASURED = """
import re, sys
from pathlib import Path
from readers.extraction import ExtractionError, extract
try:
    print([str(member.error) for member in extract(sys.argv[1]).members])
except ExtractionError as error:
    print(error)
# Not ru_maxrss: that of the process which started this one is carried over.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_a_gigabyte_in_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    bomb = make.gzip_of_zeros(1024 * _MIB)
    for name, data in {
        "bomb.gz": bomb,
        "bomb.zip": make.zip_of_packed("a.txt", bomb, 1024 * _MIB),
        "bomb.docx": make.zip_of_packed("word/document.xml", bomb, 1024 * _MIB),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        command = [sys.executable, "-c", _MEASURED, str(path)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        outcome, peak_mib = printed.strip().split("\n")
        assert "TOO_LARGE" in outcome or "CORRUPT" in outcome  # NUL bytes are no XML
        assert int(peak_mib) < 400


#: A piece of hostile text, of which a megabyte must not take more than linear time.
HOSTILE = {
    "less-than signs": "<",
    "open tags": "<a ",
    "open quotes": '<a b="',
    "open comments": "<!--",
    "open scripts": "<script>",
    "open tables": "<table><tr><td>x",
    "nested elements": "<div style='display:none'>",
    "entities": "&amp",
    "markdown links": "[a](",
    "markdown stars": "**a *b _c __d ",
    "headers": "A: b\n",
    "documents": "<DOCUMENT>\n<TYPE>",
    "rtf controls": "\\'41\\u9?{\\b ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    heads = {
        "rtf controls": "{\\rtf1 ",
        "markdown links": "# a\n\n[b](c) **d**\n",
        "markdown stars": "# a\n\n[b](c) **d**\n",
    }
    data = heads.get(name, "<html><body><p>Text.</p>" if "<" in HOSTILE[name] else "") + HOSTILE[name] * (
        1_000_000 // len(HOSTILE[name])
    )
    started = time.monotonic()
    try:
        found = extract(data.encode())
    except ExtractionError as error:
        assert not error.detail.startswith(PARSER_FAILED)
    else:
        assert found.text or found.members
    assert time.monotonic() - started < 30


def test_a_cut_mail_or_report_is_warned_of() -> None:
    dart = DART.format(name="사업보고서", text=make.KOREAN).encode("cp949")
    for data in (SOUND["eml"][0]()[:-200], dart[:-60], RTF.encode()[:-1], EDGAR.encode()[:-40]):
        assert {warned.code for warned in extract(data).warnings} == {"TRUNCATED"}


def test_a_page_that_ends_in_the_middle_is_warned_of() -> None:
    page = "<html><head><title>T</title></head><body><p>Some text of a page.</p>"
    for text, is_warned in (
        (page, True),
        (f"{page}</body></html>", False),
        (f"{page}</BODY>", False),
        ("<html><head><title>T</title><body><p>Some text of a page that closes nothing.", False),
    ):
        codes = [warned.code for warned in extract(text.encode()).warnings]
        assert ("TRUNCATED" in codes) is is_warned, text


def test_a_page_of_tags_alone_is_no_text() -> None:
    """Its markup was taken for prose."""
    for page in ("<html><body>" + "<div>" * 200_000, "<!DOCTYPE html><html><body><p><i>"):
        with pytest.raises(ExtractionError) as raised:
            extract(page.encode())
        assert raised.value.code in ("EMPTY", "TOO_LARGE")
