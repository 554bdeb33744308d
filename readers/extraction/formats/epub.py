"""EPUB: the chapters of a book in reading order, each a page."""

from __future__ import annotations

from urllib.parse import unquote

from readers.extraction import dates, xml
from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.formats import html
from readers.extraction.package import Package, relative
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
#: Scrambling of fonts only: the text can be read.
_FONTS = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")


def read(source: Source, out: Writer, context: Context) -> None:
    """ENCRYPTED for a book with DRM."""
    with Package(source, context.budget) as package:
        if _ENCRYPTION in package:
            _refuse_drm(package.read(_ENCRYPTION))
        root = _root(package, context)
        book = xml.Elements("item", "itemref", "title", "language", "creator", "date")
        xml.parse(package.blocks(root), book, context.budget, root)
        items = {attributes.get("id"): attributes for name, attributes in book.found if name == "item"}
        spine = [attributes.get("idref") for name, attributes in book.found if name == "itemref"]
        for idref in spine:
            target = unquote(items.get(idref, {}).get("href", "").partition("#")[0])
            _chapter(package, relative(root, target), out, context)
        out.title = clean(book.texts.get("title", "")) or None
        out.language = book.texts.get("language", "").strip()[:2].lower() or None
        out.author = clean(book.texts.get("creator", "")) or None
        out.created = dates.of_iso(book.texts.get("date", ""))


def _refuse_drm(encryption: bytes) -> None:
    n_fonts = sum(encryption.count(b'Algorithm="' + name) for name in _FONTS)
    if encryption.count(b"EncryptedData>") // 2 > n_fonts or b"EncryptedKey" in encryption:
        raise ExtractionError("ENCRYPTED", "the book is protected (DRM): a copy without it is needed")


def _root(package: Package, context: Context) -> str:
    elements = xml.Elements("rootfile")
    xml.parse(package.blocks(_CONTAINER), elements, context.budget, _CONTAINER)
    if not elements.found:
        raise ExtractionError("CORRUPT", f"{_CONTAINER} names no book")
    return elements.found[0][1].get("full-path", "")


def _chapter(package: Package, name: str, out: Writer, context: Context) -> None:
    out.page()
    try:
        html.whole(decode(package.read(name)), out, context.budget)
    except ExtractionError as error:
        if error.code != "CORRUPT":
            raise
        out.warn("CHAPTER_DAMAGED", f"{name}: {error.detail}")
