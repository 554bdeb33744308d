"""The vectors of words in a file: a row for each word, or the text format of word2vec. Whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from db.reading import BATCH, Column, Row, Type
from db.store import Store
from scheduler import words
from scheduler.exports import request, writers
from scheduler.exports.manifest import Manifest, path_beside
from scheduler.exports.request import ExportRequest, Format
from scheduler.exports.whole_file import sha256, whole
from scheduler.exports.word_format import WordFormat
from scheduler.exports.writers import Notes, Options

if TYPE_CHECKING:
    from nlp_tasks.word_vectors.model import Model


@dataclass(frozen=True)
class WordExport:
    """Which vectors to write, and where."""

    #: A file or folder; {date}, {time} and {name} are filled in.
    to: str
    #: NAME, NAME@VERSION or NAME@ALIAS; the only model of words if None.
    model: str | None = None
    #: By the suffix of the file if None.
    format: WordFormat | None = None
    #: At most this number of words, the most frequent ones.
    n_words: int | None = None
    #: CSV begins with a byte order mark, by which Excel knows UTF-8.
    bom: bool = False
    #: CSV has words as they are, also those that a spreadsheet would run.
    raw: bool = False


def export(store: Store, wanted: WordExport) -> Manifest:
    """Write the file, and its manifest beside it. ValueError for a format that cannot be told from the name, or whose
    library is missing; NotFoundError if there is no such model."""
    from nlp_tasks.word_vectors import text_format

    format_ = _format(wanted)
    if format_ is not WordFormat.CSV and (wanted.bom or wanted.raw):
        raise ValueError(f"{'--bom' if wanted.bom else '--raw'} belongs to --format csv")
    asked = ExportRequest(
        "words", to=_with_name(wanted.to, format_), format=Format.CSV, bom=wanted.bom, raw=wanted.raw
    )
    request.check(asked)
    open_file = writers.opener(Format(format_)) if format_ is not WordFormat.TXT else None
    version_, model = words.open_model(store, wanted.model)
    moment, notes = datetime.now(UTC), Notes()
    path = request.path_of(replace(asked, name=version_.model), moment)
    columns = _columns(model)
    n_words = len(model.words) if wanted.n_words is None else min(wanted.n_words, len(model.words))
    with whole(path) as part:
        if open_file is None:
            text_format.write(model, part, n_words)
        else:
            options = Options(request.zone(asked.time_zone), wanted.bom, wanted.raw)
            with open_file(part, columns, options, notes) as write:
                for rows in _batches(model, n_words):
                    write(rows)
        manifest = Manifest(
            docmill=version("docmill"),
            made_at=moment,
            what=version_.ref,
            query="",
            name=None,
            format=str(format_),
            to=str(path),
            n_rows=n_words,
            changes=None,
            n_bytes=part.stat().st_size,
            sha256=sha256(part),
            columns=[{"name": each.name, "type": str(each.type)} for each in columns],
            key=["word"],
            time_zone="UTC",
            position={"model": version_.ref, "manifest_sha256": version_.manifest_sha256},
            notes=notes.lines(),
        )
    with whole(path_beside(path)) as part:
        part.write_text(manifest.as_json(), encoding="utf-8")
    return manifest


def _format(wanted: WordExport) -> WordFormat:
    if wanted.format is not None:
        return WordFormat(wanted.format)
    try:
        return WordFormat(Path(wanted.to).suffix.lower().removeprefix("."))
    except ValueError:
        known = ", ".join(f".{one}" for one in WordFormat)
        raise ValueError(
            f"{wanted.to}: no format can be seen from this name: add --format, or a suffix ({known})"
        ) from None


def _with_name(to: str, format_: WordFormat) -> str:
    """A file in a folder is named after the model."""
    return f"{to.rstrip('/')}/{{name}}.{format_}" if to.endswith("/") or Path(to).is_dir() else to


def _columns(model: Model) -> list[Column]:
    numbers = (Column(f"v{number}", Type.NUMBER) for number in range(1, model.vectors.shape[1] + 1))
    return [
        Column("rank", Type.INTEGER),
        Column("word", Type.TEXT),
        Column("count", Type.INTEGER),
        *numbers,
    ]


def _batches(model: Model, n_words: int) -> Iterator[list[Row]]:
    """Each number is the shortest that gives the same float32."""
    for start in range(0, n_words, BATCH):
        places = range(start, min(start + BATCH, n_words))
        yield [
            (n + 1, model.words[n], int(model.counts[n]), *map(float, model.vectors[n].astype(str)))
            for n in places
        ]
