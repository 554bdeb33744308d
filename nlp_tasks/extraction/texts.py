"""What becomes documents of a file: its text, those of its members, and the records of its members; and their keys."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlp_tasks.extraction import ExtractionTextRow
from nlp_tasks.extraction.structure import storable
from nlp_tasks.kind import NewText
from readers.extraction import Extraction
from readers.extraction.records import fragment
from readers.metadata import Cleaning
from readers.records import Record, shown

#: Of a key; a longer one ends in a digest.
_KEY_CHARS = 512


@dataclass(frozen=True, slots=True)
class TextSource:
    """A text, or a file of records, at any depth of containers."""

    #: Its path inside the file; empty for the file itself.
    member: str
    found: Extraction


@dataclass(frozen=True, slots=True)
class Text:
    """What becomes one document."""

    member: str
    found: Extraction
    #: One of `found`; None for its text.
    record: Record | None = None

    def as_row(self, rank: int, key: str) -> ExtractionTextRow:
        """Its figures. Those of pages and tables are of a text only."""
        found, figures = self.found, self.found.figures
        return ExtractionTextRow(
            rank=rank,
            text_key=key,
            title=storable(found.title) if found.title else None,
            language=found.language,
            media_type=figures.media_type,
            parser=figures.parser,
            n_pages=figures.n_pages,
            n_chars=figures.n_chars if self.record is None else len(self.record.text),
            n_tables_left_out=figures.n_tables_left_out,
        )

    def as_document(self, key: str, source: str) -> NewText:
        """A record keeps its label and its other fields; a text has what the file says of itself."""
        if self.record is not None:
            return NewText(key, self.record.text, source, self.record.meta, label=self.record.label)
        text, spans = storable(self.found.text), tuple(self.found.not_prose())
        return NewText(key, text, source, _facts(self.found), spans)


@dataclass(frozen=True, slots=True)
class Failed:
    """A member that has no text, or a warning."""

    member: str | None
    code: str
    detail: str


class Keys:
    """The documents' keys: the file's, and for a member `file!member`; each once, however members are called."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._seen: Counter[str] = Counter()

    def of(self, member: str) -> str:
        """The key of the next document; `member` is its path, or a record's fragment."""
        if not member or member.startswith("#"):
            key = f"{self._key}{member}"
        else:
            key = f"{self._key}!{shown(storable(member)).strip()}"
        if len(key) > _KEY_CHARS - 10:
            digest = hashlib.sha256(key.encode()).hexdigest()[:16]
            key = f"{key[: _KEY_CHARS - 40]}~{digest}"
        self._seen[key] += 1
        return key if self._seen[key] == 1 else f"{key}~{self._seen[key]}"


def sources_of(found: Extraction, member: str = "") -> Iterator[TextSource]:
    """Everything in a file that has text."""
    if found.text or found.records:
        yield TextSource(member, found)
    for inner in found.members:
        if inner.extraction is not None:
            yield from sources_of(inner.extraction, _path(member, inner.name))


def texts_of(source: TextSource) -> Iterator[Text]:
    """The documents that one of them becomes."""
    if source.found.text:
        yield Text(source.member, source.found)
    for record in source.found.records:
        yield Text(f"{source.member}{fragment(record.key)}", source.found, record)


def failed_of(found: Extraction, member: str = "") -> Iterator[Failed]:
    """Every member that has no text, and why."""
    for inner in found.members:
        path = _path(member, inner.name)
        if inner.error is not None:
            yield Failed(shown(storable(path), 200), inner.error.code, inner.error.detail)
        elif inner.extraction is not None:
            yield from failed_of(inner.extraction, path)


def _path(member: str, name: str) -> str:
    return f"{member}!{name}" if member else name


def _facts(found: Extraction) -> dict[str, Any]:
    """What is known of a text, as metadata of its document."""
    figures = found.figures
    facts = {
        "title": found.title,
        "author": figures.author,
        "created": figures.created,
        "language": found.language,
        "media_type": figures.media_type,
        "pages": figures.n_pages or None,
    }
    return Cleaning().clean(facts, "")
