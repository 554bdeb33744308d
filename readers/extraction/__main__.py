"""`python -m readers.extraction FILE...`: what is found in files, for people. Exit status 1 if one gave no text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from readers.extraction import Extraction, ExtractionError, extract

_SHOWN_CHARS = 200


def main(arguments: list[str] | None = None) -> int:
    """Prints a block for each file."""
    parser = argparse.ArgumentParser(prog="python -m readers.extraction", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument(
        "--text", action="store_true", help="print the whole text with its tables, no figures"
    )
    parser.add_argument(
        "--html", choices=("auto", "main", "whole"), default="auto", help="what of a web page is read"
    )
    options = parser.parse_args(arguments)
    n_failed = 0
    for name in options.files:
        try:
            found = extract(Path(name), html=options.html)
        except (ExtractionError, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            n_failed += 1
            continue
        if options.text:
            print("\n".join(each.whole() for _, each in found.documents()))
        else:
            print("\n".join(_lines(name, found, "")))
    return 1 if n_failed else 0


def _lines(name: str, found: Extraction, indent: str) -> Iterator[str]:
    figures = found.figures
    yield f"{indent}{name}: {figures.media_type}, read by {figures.parser} in {figures.seconds:.3f} s"
    indent += "  "
    if found.title:
        yield f"{indent}title: {found.title}"
    if found.text:
        parts = found.parts
        yield (
            f"{indent}{figures.n_chars} characters, language {found.language or 'unknown'}, "
            f"{figures.n_pages} pages, {len(parts.sections)} sections, {len(parts.tables)} tables "
            f"({figures.n_tables_left_out} apart from the text, {figures.chars_in_tables} characters)"
        )
        shown = " ".join(found.text[:_SHOWN_CHARS].split())
        yield f"{indent}text: {shown}{'...' if figures.n_chars > _SHOWN_CHARS else ''}"
    if found.records:
        yield f"{indent}{len(found.records)} records, {figures.n_chars} characters"
    for warned in found.warnings:
        yield f"{indent}warning {warned}"
    for member in found.members:
        if member.extraction is None:
            yield f"{indent}{member.name}: {member.error}"
        else:
            yield from _lines(member.name, member.extraction, indent)


if __name__ == "__main__":
    sys.exit(main())
