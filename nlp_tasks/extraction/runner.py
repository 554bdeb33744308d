"""Files in; figures, warnings and texts out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlp_tasks.errors import DocumentError
from nlp_tasks.extraction import (
    ExtractionRow,
    ExtractionTextRow,
    ExtractionWarningRow,
    ExtractParameters,
)
from nlp_tasks.extraction.recent import Recent
from nlp_tasks.extraction.stored_file import StoredFile
from nlp_tasks.kind import Document, NewText, Result, Row, Setup
from readers.extraction import EXTRACTOR_VERSION, Extraction, ExtractionError, Limits, extract
from readers.metadata import Cleaning
from readers.records import shown
from readers.remote.fetching import Bounds

_MIB = 1024 * 1024
#: Of a key; a longer one ends in a digest.
_KEY_CHARS = 512
#: At most this many failed members, or warnings, of a container are listed.
_LISTED = 1_000
#: Of the warnings that stand beside the figures.
_WARNING_CHARS = 1_000


class Extractor:
    """The stage of the kind `extract`."""

    batch_documents = 1
    batch_chars = 1_000_000_000

    def __init__(self, setup: Setup) -> None:
        asked: ExtractParameters = setup.parameters
        self._beat = setup.beat
        self._html = asked.html
        self._remote = setup.remote
        self._recent = Recent()
        self._with_tables = asked.tables == "inside"
        size = asked.megabytes * _MIB
        self._bounds = Bounds(size, asked.seconds)
        self._limits = replace(
            Limits(),
            bytes_in=size,
            bytes_out=size,
            seconds=asked.seconds,
            pages=asked.pages,
            chars=asked.chars,
        )

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """The rows and texts of each file, or a DocumentError. StorageError if its folder is not there."""
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> Result:
        try:
            file = StoredFile.from_text(document.text)
            with file.opened(self._beat, self._remote, self._bounds) as path:
                found = self._recent.get(file) or self._extracted(path, document.key)
        except DocumentError as error:
            return error
        if isinstance(found, DocumentError):
            return found
        self._recent.put(file, found)
        return self._as_result(document.key, file, found)

    def _extracted(self, path: Path, key: str) -> Extraction | DocumentError:
        found: Extraction | DocumentError
        beat = _Beat(self._beat)
        try:
            found = extract(path, self._limits, key, html=self._html, beat=beat)
        except ExtractionError as error:
            found = DocumentError(error.code, error.detail)
        if beat.raised is not None:
            raise beat.raised
        return found

    def _as_result(self, key: str, file: StoredFile, found: Extraction) -> Result:
        texts = list(_texts(found, ""))
        failed = list(_failed(found, ""))
        if not texts:
            return _nothing(failed)
        keys = _Keys(key)
        named = [(keys.of(text.member), text.found) for text in texts]
        warned = [
            _Warned(text.member or None, w.code, w.detail) for text in texts for w in text.found.warnings
        ]
        if not found.text:
            warned = [_Warned(None, w.code, w.detail) for w in found.warnings] + warned
        warned += failed
        rows: list[Row | NewText] = [_figures(found, [text.found for text in texts], warned)]
        rows += [_text_row(rank, *each) for rank, each in enumerate(named, start=1)]
        rows += [
            ExtractionWarningRow(rank, each.member, each.code, each.detail)
            for rank, each in enumerate(warned[:_LISTED], start=1)
        ]
        where = shown(file.path)
        rows += [
            NewText(each, _storable(self._text(one)), f"{where}{each.removeprefix(key)}", meta=_facts(one))
            for each, one in named
        ]
        return rows

    def _text(self, found: Extraction) -> str:
        return found.whole() if self._with_tables else found.text


class _Beat:
    """Remembers what a beat raised (the lease is lost, the worker is to stop): a parser may take it for an error of the
    file."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self.raised: Exception | None = None

    def __call__(self) -> None:
        try:
            self._beat()
        except Exception as error:
            self.raised = error
            raise


@dataclass(frozen=True, slots=True)
class _Text:
    #: Its path inside the file; empty for the file's own text.
    member: str
    found: Extraction


@dataclass(frozen=True, slots=True)
class _Warned:
    member: str | None
    code: str
    detail: str


class _Keys:
    """The documents' keys: the file's, and for a member `file!member`; each once, however members are called."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._seen: Counter[str] = Counter()

    def of(self, member: str) -> str:
        key = self._key if not member else f"{self._key}!{shown(_storable(member)).strip()}"
        if len(key) > _KEY_CHARS - 10:
            digest = hashlib.sha256(key.encode()).hexdigest()[:16]
            key = f"{key[: _KEY_CHARS - 40]}~{digest}"
        self._seen[key] += 1
        return key if self._seen[key] == 1 else f"{key}~{self._seen[key]}"


def _texts(found: Extraction, member: str) -> Iterator[_Text]:
    """Every text of a file, at any depth of containers."""
    if found.text:
        yield _Text(member, found)
    for inner in found.members:
        if inner.extraction is not None:
            yield from _texts(inner.extraction, f"{member}!{inner.name}" if member else inner.name)


def _failed(found: Extraction, member: str) -> Iterator[_Warned]:
    """Every member that has no text, and why."""
    for inner in found.members:
        path = f"{member}!{inner.name}" if member else inner.name
        if inner.error is not None:
            yield _Warned(shown(_storable(path), 200), inner.error.code, inner.error.detail)
        elif inner.extraction is not None:
            yield from _failed(inner.extraction, path)


def _nothing(failed: Sequence[_Warned]) -> DocumentError:
    """The error of a container that holds no text at all: the one that most members have."""
    if not failed:
        return DocumentError("EMPTY", "it is an archive without documents")
    [(code, _)] = Counter(each.code for each in failed).most_common(1)
    first = next(each for each in failed if each.code == code)
    n = len(failed)
    them = "its one document" if n == 1 else f"any of its {n:,} documents"
    return DocumentError(code, f"no text comes of {them}; {first.member}: {first.detail}")


def _figures(found: Extraction, texts: Sequence[Extraction], warned: Sequence[_Warned]) -> ExtractionRow:
    languages = {text.language for text in texts}
    figures = [text.figures for text in texts]
    n_chars = sum(each.n_chars for each in figures)
    said = "; ".join(f"{w.member}: {w.code}" if w.member else f"{w.code}: {w.detail}" for w in warned[:20])
    return ExtractionRow(
        title=_storable(found.title) if found.title else None,
        language=languages.pop() if len(languages) == 1 else None,
        media_type=found.figures.media_type,
        parser=found.figures.parser,
        extractor=EXTRACTOR_VERSION,
        n_documents=len(texts),
        n_pages=sum(each.n_pages for each in figures),
        n_chars=n_chars,
        share_non_letters=sum(each.share_non_letters * each.n_chars for each in figures) / max(1, n_chars),
        n_replaced=sum(each.n_replaced for each in figures),
        n_tables_left_out=sum(each.n_tables_left_out for each in figures),
        n_chars_left_out=sum(each.chars_in_tables + each.chars_left_out for each in figures),
        n_warnings=len(warned),
        warnings=_storable(said)[:_WARNING_CHARS] or None,
    )


def _text_row(rank: int, key: str, found: Extraction) -> ExtractionTextRow:
    figures = found.figures
    return ExtractionTextRow(
        rank=rank,
        text_key=key,
        title=_storable(found.title) if found.title else None,
        language=found.language,
        media_type=figures.media_type,
        parser=figures.parser,
        n_pages=figures.n_pages,
        n_chars=figures.n_chars,
        n_tables_left_out=figures.n_tables_left_out,
    )


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


def _storable(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
