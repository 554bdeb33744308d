"""Makes small files of each format, sound ones and parts of damaged ones, with nothing but the standard library."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

KOREAN = "한국어 문서의 첫 문단입니다. 두 번째 문장도 있습니다."
ENGLISH = "The first paragraph of the document is here, and it says what the others do not."

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PR = "http://schemas.openxmlformats.org/package/2006/relationships"
_HP = "http://www.hancom.co.kr/hwpml/2011/paragraph"

Rows = Sequence[Sequence[str]]


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(parts: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A TAR archive, compressed with the mode "w:gz" and the like."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def pdf(*pages: str, resources: str = "", objects: Sequence[bytes] = (), trailer: str = "") -> bytes:
    """A PDF: a page for each content stream. `objects` are numbered from 3 + 2 for each page."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    font = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Producer (builders) >>",
    ]
    for index, content in enumerate(pages):
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * index} 0 R "
            f"/Resources << {resources or font} >> >>".encode()
        )
        bodies.append(stream_object(content.encode("latin-1")))
    return _pdf_file([*bodies, *objects], trailer)


def stream_object(data: bytes, entries: str = "") -> bytes:
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _pdf_file(bodies: Sequence[bytes], trailer: str) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R /Info 3 0 R {trailer} >>\n".encode()
    return bytes(out) + f"startxref\n{start}\n%%EOF\n".encode()


def pdf_text(*lines: str) -> str:
    """The content of a page that shows these lines."""
    shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
    return f"BT /F1 11 Tf 50 740 Td {shown}ET"


def scanned_pdf(n_pages: int = 1) -> bytes:
    """Pages that are one picture each."""
    image = stream_object(b"\x80" * 64, "/Type /XObject /Subtype /Image /Width 8 /Height 8 /BitsPerComponent 8 /ColorSpace /DeviceGray")  # fmt: skip
    number = 4 + 2 * n_pages
    content = "q 500 0 0 700 50 50 cm /Im1 Do Q"
    return pdf(*[content] * n_pages, resources=f"/XObject << /Im1 {number} 0 R >>", objects=[image])


def encrypted_pdf() -> bytes:
    """One that says it is encrypted, with a password that nobody knows."""
    o, u = "41" * 32, "42" * 32
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -44 /O <{o}> /U <{u}> >> /ID [<{'43' * 16}> <{'43' * 16}>]"
    return pdf(pdf_text(ENGLISH), trailer=encrypt)


def pdf_without_unicode_map() -> bytes:
    """A PDF whose font shows glyphs by number and does not say which characters they are."""
    font = (
        "/Font << /F1 << /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Nothing /Encoding /Identity-H "
        "/DescendantFonts [<< /Type /Font /Subtype /CIDFontType2 /BaseFont /ABCDEF+Nothing "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
        "/FontDescriptor << /Type /FontDescriptor /FontName /ABCDEF+Nothing /Flags 4 /FontBBox [0 0 1000 1000] "
        "/ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >> /DW 1000 >>] >> >>"
    )
    codes = "".join(f"{code:04X}" for code in range(0x0E00, 0x0E40))
    return pdf(f"BT /F1 11 Tf 50 740 Td <{codes}> Tj ET", resources=font)


def _paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def docx(
    *paragraphs: str, heading: str = "", table: Rows = (), body: str = "", characters: int | None = None
) -> bytes:
    """A Word document."""
    rows = "".join(
        f"<w:tr>{''.join(f'<w:tc>{_paragraph(cell)}</w:tc>' for cell in row)}</w:tr>" for row in table
    )
    content = (_paragraph(heading, "1") if heading else "") + "".join(map(_paragraph, paragraphs))
    content += f"<w:tbl>{rows}</w:tbl>" if rows else ""
    parts = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f'<w:document xmlns:w="{_W}"><w:body>{content}{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{_W}"><w:style w:styleId="1"><w:name w:val="heading 1"/></w:style>'
        "</w:styles>",
    }
    if characters is not None:
        parts["docProps/app.xml"] = f"<Properties><Characters>{characters}</Characters></Properties>"
    return zipped(parts)


def _relationships(kind: str, *targets: str) -> str:
    each = "".join(
        f'<Relationship Id="rId{number}" Type="{_R}/{kind}" Target="{target}"/>'
        for number, target in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PR}">{each}</Relationships>'


def pptx(*slides: tuple[str, str], table: Rows = ()) -> bytes:
    """A presentation of slides (title, text); the table is on the last one."""
    names = [f"slides/slide{number}.xml" for number in range(len(slides), 0, -1)]  # not in their order
    ids = "".join(
        f'<p:sldId r:id="rId{number}" id="{255 + number}"/>' for number in range(1, len(slides) + 1)
    )
    parts = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{_P}" xmlns:r="{_R}"><p:sldIdLst>{ids}</p:sldIdLst>'
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relationships("slide", *names),
    }
    for name, (title, text) in zip(names, slides, strict=True):
        rows = "".join(
            "<a:tr>" + "".join(f"<a:tc><a:txBody><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>" for cell in row)
            + "</a:tr>" for row in (table if (title, text) == slides[-1] else ())
        )  # fmt: skip
        parts[f"ppt/{name}"] = (
            f'<p:sld xmlns:p="{_P}" xmlns:a="{_A}"><p:sp><p:nvPr><p:ph type="title"/></p:nvPr><a:p><a:r><a:t>{title}'
            f"</a:t></a:r></a:p></p:sp><p:sp><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sp>"
            f"<p:graphicFrame><a:tbl>{rows}</a:tbl></p:graphicFrame></p:sld>"
        )
    return zipped(parts)


def xlsx(cells: str, strings: Sequence[str] = (), sheet: str = "매출") -> bytes:
    """A workbook of one sheet, from the XML of its rows. Style 1 is a date."""
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    return zipped(
        {
            "xl/workbook.xml": f'<workbook xmlns="{_S}" xmlns:r="{_R}"><sheets><sheet name="{sheet}" sheetId="1" '
            'r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relationships("worksheet", "worksheets/sheet1.xml"),
            "xl/sharedStrings.xml": f'<sst xmlns="{_S}">{shared}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{_S}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
            "</styleSheet>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_S}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def hwpx(
    *paragraphs: str, table: Rows = (), heading: str = "", preview: str | None = None, manifest: str = ""
) -> bytes:
    """A HWPX document; its sections come in the order 10, 2, 1 when there are more paragraphs than one."""

    def shown(text: str, style: int = 0) -> str:
        return f'<hp:p paraPrIDRef="{style}"><hp:run><hp:t>{escape(text)}</hp:t></hp:run></hp:p>'

    rows = "".join(
        f"<hp:tr>{''.join(f'<hp:tc><hp:subList>{shown(cell)}</hp:subList></hp:tc>' for cell in row)}</hp:tr>"
        for row in table
    )
    content = (shown(heading, 1) if heading else "") + "".join(map(shown, paragraphs))
    content += f'<hp:p paraPrIDRef="0"><hp:run><hp:tbl>{rows}</hp:tbl></hp:run></hp:p>' if rows else ""
    parts = {
        "mimetype": "application/hwp+zip",
        "Contents/header.xml": '<hh:head xmlns:hh="h"><hh:paraPr id="0"><hh:heading type="NONE" level="0"/></hh:paraPr>'
        '<hh:paraPr id="1"><hh:heading type="OUTLINE" level="0"/></hh:paraPr></hh:head>',
        "Contents/section0.xml": f'<hs:sec xmlns:hs="s" xmlns:hp="{_HP}">{content}</hs:sec>',
    }
    if preview is not None:
        parts["Preview/PrvText.txt"] = preview
    if manifest:
        parts["META-INF/manifest.xml"] = manifest
    return zipped(parts)


def _record(tag: int, level: int, data: bytes) -> bytes:
    if len(data) < 0xFFF:
        return struct.pack("<I", tag | level << 10 | len(data) << 20) + data
    return struct.pack("<II", tag | level << 10 | 0xFFF << 20, len(data)) + data


def _hwp_paragraph(text: str, level: int = 0, shape: int = 0) -> bytes:
    header = struct.pack("<IIHBBHHHI", len(text) + 1, 0, shape, 0, 0, 0, 0, 0, 0)
    return _record(66, level, header) + _record(67, level + 1, (text + "\r").encode("utf-16-le"))


def hwp_section(*paragraphs: str, heading: str = "", table: Rows = ()) -> bytes:
    """The records of a section."""
    out = _hwp_paragraph(heading, shape=1) if heading else b""
    out += b"".join(map(_hwp_paragraph, paragraphs))
    if table:
        # The place of the control in its paragraph: an extended character of eight units.
        mark = "\x0b" + "lb" + "\0" * 4 + "\x0b"
        out += _hwp_paragraph(mark)
        out += _record(71, 1, b" lbt" + b"\0" * 42) + _record(77, 2, b"\0" * 22)
        for row, cells in enumerate(table):
            for column, cell in enumerate(cells):
                out += _record(72, 2, struct.pack("<IIHHHH", 1, 0, column, row, 1, 1) + b"\0" * 24)
                out += _hwp_paragraph(cell, level=2)
    return out


def hwp(section: bytes, *, flags: int = 1, preview: str = "", packed: bytes | None = None) -> bytes:
    """A HWP 5 document of one section."""
    shapes = _record(25, 0, b"\0" * 54) + _record(25, 0, struct.pack("<I", 1 << 23) + b"\0" * 50)
    deflated = [_deflated(shapes), packed if packed is not None else _deflated(section)]
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010000, flags)
    streams = {
        "FileHeader": header,
        "DocInfo": deflated[0],
        "BodyText/Section0": deflated[1],
        "PrvText": preview.encode("utf-16-le"),
    }
    return ole({name: data for name, data in streams.items() if data})


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def ole(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (MS-CFB). Streams are filled up to 4096 bytes, so that there is no mini stream."""
    names = ["Root Entry"]
    entries: list[tuple[str, int, bytes]] = []  # name, parent, data
    for path, data in streams.items():
        folder, _, name = path.rpartition("/")
        if folder and folder not in names:
            names.append(folder)
            entries.append((folder, 0, b""))
        names.append(path)
        entries.append((name, names.index(folder) if folder else 0, data.ljust(4096, b"\0")))
    sectors: list[bytes] = []
    fat = [0xFFFFFFFD]  # sector 0 is the FAT's own; more of it is not needed for small files
    n_directory = (len(entries) + 4) // 4
    n_fat = 1 + sum(len(data) for *_, data in entries) // 512 // 128
    fat = [0xFFFFFFFD] * n_fat
    first_directory = n_fat
    fat += [*range(first_directory + 1, first_directory + n_directory), 0xFFFFFFFE]
    starts = []
    for *_, data in entries:
        n_sectors = (len(data) + 511) // 512
        starts.append(len(fat) if data else 0)
        if data:
            fat += [*range(len(fat) + 1, len(fat) + n_sectors), 0xFFFFFFFE]
            sectors.append(data.ljust(512 * n_sectors, b"\0"))
    children: dict[int, list[int]] = {}
    for number, (_, parent, _) in enumerate(entries, 1):
        children.setdefault(parent, []).append(number)
    directory = _directory_entry("Root Entry", 5, children.get(0, []), None, 0xFFFFFFFE, 0)
    for number, (name, parent, data) in enumerate(entries, 1):
        siblings = children[parent]
        after = siblings[siblings.index(number) + 1 :]
        directory += _directory_entry(
            name, 2 if data else 1, children.get(number, []), after[0] if after else None, starts[number - 1], len(data)
        )  # fmt: skip
    directory = directory.ljust(512 * n_directory, b"\0")
    table = b"".join(struct.pack("<I", value) for value in fat).ljust(512 * n_fat, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header += struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, n_fat, first_directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)  # fmt: skip
    header += b"".join(struct.pack("<I", number) for number in range(n_fat)).ljust(436, b"\xff")
    return header + table + directory + b"".join(sectors)


def _directory_entry(
    name: str, kind: int, children: list[int], right: int | None, start: int, size: int
) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    return (
        encoded.ljust(64, b"\0")
        + struct.pack("<HBB", len(encoded), kind, 1)
        + struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF if right is None else right, children[0] if children else 0xFFFFFFFF)
        + b"\0" * 36
        + struct.pack("<IQ", start, size)
    )  # fmt: skip


def epub(*chapters: str, encryption: str = "") -> bytes:
    """A book."""
    items = "".join(f'<item id="c{n}" href="text/c{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": f'<package xmlns:dc="d"><metadata><dc:title>책 제목</dc:title></metadata><manifest>{items}'
        f"</manifest><spine>{spine}</spine></package>",
    }
    parts |= {f"OEBPS/text/c{n}.xhtml": _xhtml(text) for n, text in enumerate(chapters)}
    if encryption:
        parts["META-INF/encryption.xml"] = encryption
    return zipped(parts)


def _xhtml(text: str) -> str:
    return (
        '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head>'
        f"<body><h1>Chapter</h1><p>{text}</p></body></html>"
    )


def warc(*records: tuple[str, bytes]) -> bytes:
    """Answers to requests: (address, HTTP answer)."""
    out = b""
    for address, answer in records:
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {address}\r\nContent-Type: application/http\r\n"
        out += head.encode() + f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer + b"\r\n\r\n"
    return out


def http(body: bytes, *fields: str) -> bytes:
    """An HTTP answer."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/html", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def gzip_of_zeros(n_bytes: int) -> bytes:
    """A gzip bomb, made without holding what it holds."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"\0" * (1024 * 1024)
    out = bytearray()
    for _ in range(n_bytes // len(block)):
        out += packer.compress(block)
    return bytes(out + packer.flush())


def zip_of_packed(name: str, gzipped: bytes, size: int) -> bytes:
    """A ZIP archive of one entry whose deflated bytes are taken from a gzip file."""
    raw, crc = gzipped[10:-8], struct.unpack("<I", gzipped[-8:-4])[0]
    encoded = name.encode()
    fields = (20, 0, 8, 0, 0x21, crc, len(raw), size, len(encoded), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", *fields) + encoded
    central = b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, *fields, 0, 0, 0, 0, 0) + encoded
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(raw), 0)
    return local + raw + central + end


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data)
