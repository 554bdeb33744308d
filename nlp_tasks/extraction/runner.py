"""Files in; figures, warnings and texts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nlp_tasks.errors import DocumentError
from nlp_tasks.extraction import (
    ExtractionRow,
    ExtractionWarningRow,
    ExtractParameters,
    structure,
)
from nlp_tasks.extraction.recent import Recent
from nlp_tasks.extraction.stored_file import StoredFile
from nlp_tasks.extraction.structure import storable
from nlp_tasks.extraction.texts import Failed, Keys, TextSource, failed_of, sources_of, texts_of
from nlp_tasks.kind import Document, NewText, Result, Row, Setup
from readers.extraction import EXTRACTOR_VERSION, Extraction, ExtractionError, Limits
from readers.extraction.isolated import Parser
from readers.options import ReadOptions
from readers.records import shown
from readers.remote.fetching import Bounds

_MIB = 1024 * 1024
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
        self._records: ReadOptions = asked.records_as
        self._remote = setup.remote
        self._uploads = setup.uploads
        self._recent = Recent()
        self._tables_inside = asked.tables == "inside"
        self._parser = Parser(asked.memory * _MIB)
        size = asked.megabytes * _MIB
        self._bounds = Bounds(size, asked.seconds)
        self._limits = replace(
            Limits(),
            bytes_in=size,
            bytes_out=size,
            seconds=asked.seconds,
            pages=asked.pages,
            chars=asked.chars,
            records=asked.records,
        )

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """The rows and texts of each file, or a DocumentError. StorageError if its folder is not there."""
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> Result:
        try:
            file = StoredFile.from_text(document.text)
            with file.opened(self._beat, self._remote, self._bounds, self._uploads) as path:
                found = self._recent.get(file) or self._extracted(path, document.key)
        except DocumentError as error:
            return error
        if isinstance(found, DocumentError):
            return found
        self._recent.put(file, found)
        return self._as_result(document.key, file, found)

    def _extracted(self, path: Path, key: str) -> Extraction | DocumentError:
        """Any error of the worker's (the lease is lost, it is to stop) ends the parser, and goes on."""
        try:
            return self._parser.extract(
                str(path), self._limits, key, html=self._html, records=self._records, beat=self._beat
            )
        except ExtractionError as error:
            return DocumentError(error.code, error.detail)

    def _as_result(self, key: str, file: StoredFile, found: Extraction) -> Result:
        sources = [self._with_tables(each) for each in sources_of(found)]
        failed = list(failed_of(found))
        if not sources:
            return _nothing(failed)
        keys = Keys(key)
        texts = [(keys.of(text.member), text) for source in sources for text in texts_of(source)]
        warned = [
            Failed(each.member or None, w.code, w.detail) for each in sources for w in each.found.warnings
        ]
        if not (found.text or found.records):
            warned = [Failed(None, w.code, w.detail) for w in found.warnings] + warned
        warned += failed
        rows: list[Row | NewText] = [_figures(found, [each.found for each in sources], len(texts), warned)]
        rows += [text.as_row(rank, each) for rank, (each, text) in enumerate(texts, start=1)]
        rows += [
            ExtractionWarningRow(rank, each.member, each.code, each.detail)
            for rank, each in enumerate(warned[:_LISTED], start=1)
        ]
        for rank, (_, text) in enumerate(texts, start=1):
            if text.record is None:
                rows += structure.rows(rank, text.found)
        where = shown(file.path)
        rows += [text.as_document(each, f"{where}{each.removeprefix(key)}") for each, text in texts]
        return rows

    def _with_tables(self, source: TextSource) -> TextSource:
        return replace(source, found=source.found.with_tables()) if self._tables_inside else source


def _nothing(failed: Sequence[Failed]) -> DocumentError:
    """The error of a container that holds no text at all: the one that most members have."""
    if not failed:
        return DocumentError("EMPTY", "it is an archive without documents")
    [(code, _)] = Counter(each.code for each in failed).most_common(1)
    first = next(each for each in failed if each.code == code)
    n = len(failed)
    them = "its one document" if n == 1 else f"any of its {n:,} documents"
    return DocumentError(code, f"no text comes of {them}; {first.member}: {first.detail}")


def _figures(
    found: Extraction, sources: Sequence[Extraction], n_documents: int, warned: Sequence[Failed]
) -> ExtractionRow:
    languages = {each.language for each in sources}
    figures = [each.figures for each in sources]
    n_chars = sum(each.n_chars for each in figures)
    said = "; ".join(f"{w.member}: {w.code}" if w.member else f"{w.code}: {w.detail}" for w in warned[:20])
    return ExtractionRow(
        title=storable(found.title) if found.title else None,
        language=languages.pop() if len(languages) == 1 else None,
        media_type=found.figures.media_type,
        parser=found.figures.parser,
        extractor=EXTRACTOR_VERSION,
        n_documents=n_documents,
        n_pages=sum(each.n_pages for each in figures),
        n_chars=n_chars,
        share_non_letters=sum(each.share_non_letters * each.n_chars for each in figures) / max(1, n_chars),
        n_replaced=sum(each.n_replaced for each in figures),
        n_tables_left_out=sum(each.n_tables_left_out for each in figures),
        n_chars_left_out=sum(each.chars_in_tables + each.chars_left_out for each in figures),
        n_warnings=len(warned),
        warnings=storable(said)[:_WARNING_CHARS] or None,
    )
