"""The files that `bench-extract` reads: made by LibreOffice and python-hwpx from a known text; damaged ones."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.readers.extraction import builders

_ENGLISH = (
    "The committee met on the {n}th floor and agreed on a plan for the coming year, although two members objected.",
    "Sales of the division rose to {n} million, mostly because the new plant at the river opened earlier than planned.",
    "What the auditors asked for was a list of all {n} contracts; the office sent it within the week.",
    "“Nobody expected it,” said the head of department {n}, “but the figures are right.”",
)
_KOREAN = (
    "위원회는 {n}층 회의실에 모여 내년도 계획에 합의하였으나, 위원 두 명은 반대 의견을 남겼다.",
    "사업부의 매출은 {n}억 원으로 늘었으며, 이는 강변의 새 공장이 예정보다 일찍 가동된 덕분이다.",
    "감사인이 요청한 것은 계약 {n}건의 목록이었고, 담당 부서는 일주일 안에 이를 제출하였다.",
    "“아무도 예상하지 못했습니다”라고 제{n}부서의 책임자가 말했다. “하지만 숫자는 정확합니다.”",
)
#: Target format, and the source that LibreOffice turns into it.
_CONVERSIONS = (
    ("pdf", "fodt"), ("docx", "fodt"), ("odt", "fodt"), ("rtf", "fodt"), ("epub", "fodt"), ("html", "fodt"),
    ("pptx", "fodp"), ("xlsx", "fods"),
)  # fmt: skip
_NS = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" office:version="1.2"'
)


@dataclass(frozen=True, slots=True)
class Known:
    """A file, and the paragraphs that a person reads in it, in order."""

    path: Path
    paragraphs: tuple[str, ...]

    @property
    def format(self) -> str:
        return self.path.suffix[1:]


def made(folder: Path, n_paragraphs: int, hwpx_python: Path | None) -> tuple[list[Known], list[str]]:
    """The files of every format in both languages, and what is missing to make others."""
    known: list[Known] = []
    missing: list[str] = []
    soffice = shutil.which("soffice")
    if soffice is None:
        missing.append("LibreOffice (Debian: libreoffice) for PDF, DOCX, ODT, RTF, EPUB, HTML, PPTX, XLSX")
    for language, sentences in (("en", _ENGLISH), ("ko", _KOREAN)):
        paragraphs = _paragraphs(sentences, n_paragraphs)
        if soffice is not None:
            known += _by_libreoffice(soffice, folder, language, paragraphs)
        if hwpx_python is not None and (found := _hwpx(hwpx_python, folder, language, paragraphs)):
            known.append(found)
        else:
            missing.append("python-hwpx for HWPX")
    return known, missing


def _paragraphs(sentences: tuple[str, ...], n: int) -> tuple[str, ...]:
    """Each one different from all others."""
    return tuple(
        " ".join(sentences[(i + k) % len(sentences)].format(n=100 + i * 3 + k) for k in range(2))
        for i in range(n)
    )


def _by_libreoffice(soffice: str, folder: Path, language: str, paragraphs: tuple[str, ...]) -> list[Known]:
    writers = {"fodt": _writer, "fodp": _impress, "fods": _calc}
    known = []
    for target, source in _CONVERSIONS:
        path = folder / f"{language}-{target}.{source}"
        path.write_text(writers[source](paragraphs), encoding="utf-8")
        command = [
            soffice, "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to", target,
            "--outdir", str(folder), str(path),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        path.unlink()
        known.append(Known(path.with_suffix(f".{target}"), paragraphs))
    return known


def _writer(paragraphs: tuple[str, ...]) -> str:
    body = "".join(f"<text:p>{escape(each)}</text:p>" for each in paragraphs)
    return _flat("text", f"<office:text>{body}</office:text>")


def _impress(paragraphs: tuple[str, ...]) -> str:
    pages = "".join(
        f'<draw:page draw:name="p{number}"><draw:frame svg:width="24cm" svg:height="8cm" svg:x="1cm" svg:y="1cm">'
        f"<draw:text-box><text:p>{escape(each)}</text:p></draw:text-box></draw:frame></draw:page>"
        for number, each in enumerate(paragraphs)
    )
    return _flat("presentation", f"<office:presentation>{pages}</office:presentation>")


def _calc(paragraphs: tuple[str, ...]) -> str:
    rows = "".join(
        '<table:table-row><table:table-cell office:value-type="string">'
        f"<text:p>{escape(each)}</text:p></table:table-cell></table:table-row>"
        for each in paragraphs
    )
    return _flat(
        "spreadsheet",
        f'<office:spreadsheet><table:table table:name="A">{rows}</table:table></office:spreadsheet>',
    )


def _flat(kind: str, body: str) -> str:
    mimetype = f'office:mimetype="application/vnd.oasis.opendocument.{kind}"'
    head = f'<?xml version="1.0" encoding="UTF-8"?><office:document {_NS} {mimetype}>'
    return f"{head}<office:body>{body}</office:body></office:document>"


_WRITE_HWPX = """
import sys, json
from hwpx import HwpxDocument
document = HwpxDocument.new()
for paragraph in json.load(sys.stdin):
    document.add_paragraph(paragraph)
document.save_to_path(sys.argv[1])
"""


def _hwpx(python: Path, folder: Path, language: str, paragraphs: tuple[str, ...]) -> Known | None:
    path = folder / f"{language}-hwpx.hwpx"
    command = [str(python), "-c", _WRITE_HWPX, str(path)]
    done = subprocess.run(command, input=json.dumps(paragraphs), capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return Known(path, paragraphs)


def damaged(sound: list[Path]) -> dict[str, bytes]:
    """60 files that hold no text which can be had, or not all of it."""
    line = builders.pdf_text("A line of a page.")
    page = builders.pdf(*[line] * 3)
    zeros = builders.gzip_of_zeros(2**30)
    files: dict[str, bytes] = {}
    nested: bytes = b"The innermost text."
    for level in range(40):
        nested = builders.zipped({f"{level}.zip": nested})
    docx = builders.docx("A paragraph.")
    files |= {
        "empty.pdf": b"", "blank.txt": b" \n" * 100, "nul.bin": b"\0" * 5000, "scan.pdf": builders.scanned_pdf(3),
        "password.pdf": builders.encrypted_pdf(), "no-map.pdf": builders.pdf_without_unicode_map(),
        "no-pages.pdf": page.replace(b"/Count 3", b"/Count 0").replace(b"/Kids", b"/Kinds"), "pdf.docx": page[:60],
        "zip.pdf": builders.zipped({}), "gigabyte.gz": zeros,
        "gigabyte.zip": builders.zip_of_packed("a.txt", zeros, 2**30),
        "nested.zip": nested, "bomb.docx": builders.zip_of_packed("word/document.xml", zeros, 2**30),
        "entities.html.docx": builders.zipped({"word/document.xml": _ENTITIES}),
        "deep.docx": builders.docx(body="<w:p>" * 100_000), "stream.pdf": _pdf_bomb(), "loop.pdf": _pdf_loop(),
        "elf": b"\x7fELF" + bytes(range(256)) * 20, "image.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
        "random.hwp": builders.ole({"FileHeader": b"HWP Document File".ljust(256, b"\0")}),
        "drm.hwp": builders.hwp(builders.hwp_section("A"), flags=3), "mojibake.txt": _MOJIBAKE,
        "cut.docx.gz": gzip.compress(docx)[:-20], "crc.docx": _broken(docx),
        "no-text.docx": builders.docx(), "many.zip": _many(), "cid.txt": b"(cid:12)(cid:13) " * 100,
        "deep.html": b"<html><body>" + b"<div>" * 200_000, "blank.html": b"<html><body><p> </p></body></html>",
        "cut.eml": b"From: a@b.c\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n",
    }  # fmt: skip
    for path in sound:
        data = path.read_bytes()
        files[f"cut-{path.name}"] = data[: len(data) // 2]
        files[f"holes-{path.name}"] = data[:200] + b"\0" * (len(data) - 300) + data[-100:]
    return dict(list(files.items())[:60])


_MOJIBAKE = "한국어 문서입니다. ".encode("cp949").decode("latin-1").encode() * 50
_ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "&a;"}">' for n in range(12))
    + "]><x>&a11;</x>"
)


def _broken(data: bytes) -> bytes:
    """With its middle changed, so that checksums fail."""
    middle = len(data) // 2
    return data[: middle - 20] + bytes(40) + data[middle + 20 :]


def _pdf_bomb() -> bytes:
    content = zlib.compress(b"\0" * 2**30, 9)
    return builders._pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
            builders.stream_object(content, "/Filter /FlateDecode"),
        ],
        "",
    )


def _pdf_loop() -> bytes:
    return builders._pdf_file(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"], ""
    )


def _many() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(60_000):
            archive.writestr(f"{number}.bin", b"")
    return stream.getvalue()
