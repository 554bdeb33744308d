"""CSV and TSV: a header, then one row per document. Knows which column is which."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from readers import dialects, encodings
from readers.admission import Admits, T
from readers.dialects import Dialect
from readers.files import DocumentFile
from readers.normalization import nfc
from readers.options import DEFAULT_KEY_FIELD, DEFAULT_LABEL_FIELD, ReadOptions
from readers.records import BadRecord, Notice, RefusedError, shown
from readers.streams import Stream
from readers.table_rows import Row, rows


def read_table(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord | Notice]:
    """A document or a report for every row. An unusable header is one report for the file."""
    dialect = dialect_of(stream, file, options)
    if notice := _how_read(stream, file, options, dialect):
        yield Notice(file.shown, notice)
    found = rows(stream, dialect, options)
    header = next(found, None)
    if header is None:
        raise RefusedError("EMPTY_FILE", "the file is empty")
    columns = _Columns.of(header, options)
    n_rows = 0
    for row in found:
        n_rows += 1
        key = columns.key_of(row, file)
        try:
            columns.check(row)
            label = None if columns.label is None else row.fields[columns.label]
            source = f"{file.shown}:{row.line}"
            yield admission.record(key, row.fields[columns.text], label, source, columns.meta_of(row))
        except RefusedError as refused:
            yield refused.at(file.shown, row.line, key)
    if n_rows == 0:
        yield RefusedError("EMPTY_FILE", "the file has a header and no rows").at(file.shown)


def sample(stream: Stream) -> str:
    """The first lines as text, without consuming them."""
    head = stream.head()
    head = head[: head.rfind(b"\n") + 1] or head
    return head.decode(stream.encoding, "replace")


def dialect_of(stream: Stream, file: DocumentFile, options: ReadOptions) -> Dialect:
    """How the file separates its fields."""
    wanted = [options.text_field]
    if options.key_is_needed:
        wanted.append(options.key_field)
    own_mark = "," if file.format == "csv" else "\t"
    return dialects.find(sample(stream), own_mark, wanted, options.delimiter)


def _how_read(stream: Stream, file: DocumentFile, options: ReadOptions, dialect: Dialect) -> str | None:
    """A line that describes how the file was read, if that is not obvious from its name."""
    found = [f"as {encodings.shown(stream.found)}"] if stream.found else []
    if dialect.delimiter != ("," if file.format == "csv" else "\t") and options.delimiter is None:
        found.append(f"with {dialects.NAMES[dialect.delimiter]} between the fields")
    if file.format == "txt":
        found.append("as a table")
    if stream.had_cr:
        found.append("with carriage returns as line ends")
    return f"read {', '.join(found)}" if found else None


@dataclass(frozen=True)
class _Columns:
    """The columns of the fields."""

    n: int
    key: int | None
    text: int
    label: int | None
    #: The columns that are kept as metadata, by name; None for none.
    meta: Mapping[str, int] | None

    @classmethod
    def of(cls, header: Row, options: ReadOptions) -> _Columns:
        if header.refused is not None:
            raise RefusedError("BAD_HEADER", f"the header cannot be read: {header.refused.detail}")
        names = [nfc(name.strip()) for name in header.fields]
        for name in names:
            if name and names.count(name) > 1:
                raise RefusedError(
                    "BAD_HEADER", f"the header names the field {shown(name, 80)} more than once"
                )

        def place(name: str, option: str, *, needed: bool) -> int | None:
            if nfc(name) in names:
                return names.index(nfc(name))
            if needed:
                raise RefusedError("BAD_HEADER", _no_field(name, option, names, options))
            return None

        text = place(options.text_field, options.text_option, needed=True)
        assert text is not None
        key = place(options.key_field, "--key-field", needed=options.key_is_needed)
        label = place(options.label_field, "--label-field", needed=options.label_field != DEFAULT_LABEL_FIELD)
        return cls(len(names), key, text, label, _kept(names, (key, text, label), options))

    def meta_of(self, row: Row) -> dict[str, str] | None:
        """An empty cell is a missing value."""
        if self.meta is None:
            return None
        return {name: row.fields[place] for name, place in self.meta.items() if row.fields[place]}

    def key_of(self, row: Row, file: DocumentFile) -> str | None:
        if self.key is None:
            return f"{file.name}#{row.line}"
        return row.fields[self.key] if self.key < len(row.fields) else None

    def check(self, row: Row) -> None:
        if row.refused is not None:
            raise row.refused
        if len(row.fields) != self.n:
            raise RefusedError("RAGGED_ROW", f"the row has {len(row.fields)} fields, the header has {self.n}")


def _kept(names: list[str], taken: tuple[int | None, ...], options: ReadOptions) -> Mapping[str, int] | None:
    choice = options.meta_choice
    if choice is False:
        return None
    if choice is True:
        return {name: place for place, name in enumerate(names) if name and place not in taken}
    for _, field in choice:
        if nfc(field) not in names:
            seen = ", ".join(shown(name, 40) for name in names[:20])
            raise RefusedError(
                "BAD_HEADER", f"the header has no field {shown(field, 80)} for --meta (it has: {seen})"
            )
    return {name: names.index(nfc(field)) for name, field in choice}


#: What people call the column of the text, most of the time.
_USUAL = frozenset(
    ("body", "content", "contents", "article", "description", "message", "review", "본문", "내용", "원문")
)


def _no_field(name: str, option: str, names: list[str], options: ReadOptions) -> str:
    seen = ", ".join(shown(name, 40) for name in names[:20])
    taken = {options.text_field, options.label_field, DEFAULT_LABEL_FIELD, ""}
    taken |= set() if option == "--key-field" else {options.key_field, DEFAULT_KEY_FIELD}
    free = [each for each in names if each not in taken]
    usual = [each for each in free if each.strip().lower() in _USUAL] if option == "--text-field" else []
    example = next(iter([*usual, *free, *filter(None, names)]), None)
    if example is None:
        return f"the header has no field {shown(name, 80)}, or any other: the first row must name the fields"
    say = f"as in {option} {shown(shlex.quote(example), 80)}"
    return f"the header has no field {shown(name, 80)} (it has: {seen}): name the right one, {say}"
