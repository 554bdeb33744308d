"""Small files of several formats, written by hand: no library that reads them has made them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence


def pdf(*pages: str, encrypted: bool = False) -> bytes:
    """A PDF with a line of Latin text on each page."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, text in enumerate(pages):
        lines = "".join(f"({_escaped(line)}) Tj 0 -14 Td " for line in text.splitlines())
        stream = f"BT /F1 11 Tf 40 760 Td {lines}ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    trailer = ""
    if encrypted:
        # A password that nobody knows: whatever key is tried does not match these 32 bytes.
        zeros = "00" * 32
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /O <{zeros}> /U <{zeros}> /P -4 >>")
        trailer = f"/Encrypt {len(objects)} 0 R /ID [<{'00' * 16}> <{'00' * 16}>] "
    return _numbered(objects, trailer)


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _numbered(objects: Sequence[str], trailer: str) -> bytes:
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1"))
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    size = len(objects) + 1
    out.write(f"trailer\n<< {trailer}/Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    """A ZIP archive; `__` in a name stands for a dot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


def docx(*paragraphs: str) -> bytes:
    """A Word document."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{paragraph}</w:t></w:r></w:p>" for paragraph in paragraphs)
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    return _package(
        {
            "[Content_Types].xml": f'<Types xmlns="{types}"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
            "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="r1" Target="word/document.xml" Type="http://schemas.openxmlformats.org/'
            'officeDocument/2006/relationships/officeDocument"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
        }
    )


def hwpx(*paragraphs: str) -> bytes:
    """A document of Hancom Office, as OWPML (KS X 6101)."""
    hp, hs = "http://www.hancom.co.kr/hwpml/2011/paragraph", "http://www.hancom.co.kr/hwpml/2011/section"
    body = "".join(f"<hp:p><hp:run><hp:t>{paragraph}</hp:t></hp:run></hp:p>" for paragraph in paragraphs)
    opf = "http://www.idpf.org/2007/opf/"
    return _package(
        {
            "mimetype": "application/hwp+zip",
            "Contents/content.hpf": f'<opf:package xmlns:opf="{opf}"><opf:manifest><opf:item id="section0" '
            'href="Contents/section0.xml" media-type="application/xml"/></opf:manifest><opf:spine>'
            '<opf:itemref idref="section0"/></opf:spine></opf:package>',
            "Contents/section0.xml": f'<hs:sec xmlns:hs="{hs}" xmlns:hp="{hp}">{body}</hs:sec>',
        }
    )


def _package(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            prefix = "" if name == "mimetype" else '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            archive.writestr(name, prefix + text)
    return out.getvalue()


def html(title: str, *paragraphs: str) -> bytes:
    """A web page."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"<!doctype html><html><head><title>{title}</title></head><body>{body}</body></html>".encode()
