"""Reads files with one extractor, and prints what came of each as a line of JSON: name, seconds, text or error.

Run as a script by the interpreter that has the extractor; it imports nothing of docmill unless asked for docmill.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

#: Extractor: the suffixes that it reads. extraction_peers.txt has their versions.
PEERS: dict[str, tuple[str, ...]] = {
    "docmill": ("pdf", "docx", "odt", "rtf", "epub", "html", "pptx", "xlsx", "hwpx", "hwp", "htm"),
    "kreuzberg": ("pdf", "docx", "odt", "rtf", "epub", "html", "pptx", "xlsx", "hwpx", "hwp", "htm"),
    "markitdown": ("pdf", "docx", "epub", "html", "pptx", "xlsx", "htm"),
    "pypdf": ("pdf",),
    "python-docx": ("docx",),
}


def _docmill() -> Callable[[str], str]:
    from readers.extraction.isolated import Parser

    parser = Parser()
    return lambda path: "\n".join(each.whole() for _, each in parser.extract(path).documents())


def _kreuzberg() -> Callable[[str], str]:
    library: Any = importlib.import_module("kreuzberg")

    def read(path: str) -> str:
        found = library.extract_file_sync(path)
        return str(found.content)

    return read


def _markitdown() -> Callable[[str], str]:
    library: Any = importlib.import_module("markitdown")
    converter = library.MarkItDown()
    return lambda path: str(converter.convert(path).text_content)


def _pypdf() -> Callable[[str], str]:
    library: Any = importlib.import_module("pypdf")
    return lambda path: "\n".join(page.extract_text() for page in library.PdfReader(path).pages)


def _python_docx() -> Callable[[str], str]:
    library: Any = importlib.import_module("docx")
    return lambda path: "\n".join(paragraph.text for paragraph in library.Document(path).paragraphs)


_OPEN = {
    "docmill": _docmill, "kreuzberg": _kreuzberg, "markitdown": _markitdown, "pypdf": _pypdf,
    "python-docx": _python_docx,
}  # fmt: skip


def main(name: str, paths: list[str], with_text: bool) -> None:
    """Reads the files in order."""
    read = _OPEN[name]()
    for path in paths:
        started = time.perf_counter()
        text, error = None, None
        try:
            text = read(path)
        except Exception as failed:
            error = f"{type(failed).__name__}: {str(failed)[:200]}"
        seconds = time.perf_counter() - started
        print(json.dumps([path, seconds, text if with_text else text and len(text), error]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.read().split("\n"), sys.argv[2] == "text")
