"""Texts with marked entities as CoNLL files have them: a token and its tag on each line, a blank line after a sentence.

The first column is the token, the last one the tag (O, B-X, I-X; also I-X alone, as in IOB1). Each sentence is a
document: tokens are joined by a space, or as the file says (`## id<TAB>text`, as KLUE writes it, where each character
has a line). The entities are in the field `entities` of its metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from readers import encodings
from readers.admission import Admits, T
from readers.decoding import decode
from readers.files import DocumentFile
from readers.lines import lines, too_long
from readers.options import ReadOptions
from readers.records import BadRecord, Notice, RefusedError, shown
from readers.streams import Stream
from readers.tables import read_table

#: The field of the metadata with the entities.
FIELD = "entities"
_HEADER = "## "
_NO_SENTENCE = "-DOCSTART-"
_BOM = b"\xef\xbb\xbf"


def read_tsv(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord | Notice]:
    """A table; or, if it begins with lines of `##`, sentences with marked characters."""
    reader = read_conll if stream.head().removeprefix(_BOM).startswith(b"## ") else read_table
    yield from reader(stream, file, options, admission)


def read_conll(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord | Notice]:
    """A document or a report for every sentence. A wrong line costs its sentence only."""
    if stream.found:
        yield Notice(file.shown, f"read as {encodings.shown(stream.found)}")
    sentence, number = _Sentence(1), 0
    n_sentences = 0
    for line in lines(stream.buffer, options.max_line_bytes):
        number = line.number
        try:
            if line.data is None:
                raise too_long(options.max_line_bytes)
            text = decode(line.data.removeprefix(_BOM), stream, "line").rstrip("\r\n")
        except RefusedError as refused:
            sentence.refused = sentence.refused or (refused, number)
            continue
        if text.strip() or (text and sentence.is_spelled):
            sentence.add(text, number)
            continue
        for found in _documents(sentence, n_sentences + 1, file, admission):
            n_sentences += 1
            yield found
        sentence = _Sentence(number + 1)
    for found in _documents(sentence, n_sentences + 1, file, admission):
        n_sentences += 1
        yield found
    if not n_sentences:
        yield RefusedError("EMPTY_FILE", "the file has no sentence: a token and its tag on each line").at(
            file.shown
        )


@dataclass
class _Sentence:
    """The lines of one sentence so far."""

    line: int
    key: str | None = None
    #: The text, if the file has it; otherwise the tokens are joined by spaces.
    text: str | None = None
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    refused: tuple[RefusedError, int] | None = None

    @property
    def is_spelled(self) -> bool:
        """Whether a line with a blank may be a character of the text."""
        return self.text is not None

    def add(self, text: str, number: int) -> None:
        """Take a line that is not blank."""
        if text.startswith(_HEADER) and not self.tokens:
            key, tab, said = text.removeprefix(_HEADER).partition("\t")
            if tab:
                self.key, self.text, self.line = key.strip(), said, number
            return
        if text.startswith(_NO_SENTENCE) and not self.tokens:
            return
        if text.startswith("# ") and not self.tokens and not _is_tag(_columns(text, spelled=False)[1]):
            return
        token, tag = _columns(text, spelled=self.is_spelled)
        if not tag:
            detail = f"the line {shown(text, 60)} has no tag: write a token, a tab and O, B-X or I-X"
            self.refused = self.refused or (RefusedError("NO_TAG", detail), number)
        elif not _is_tag(tag):
            detail = f"{shown(tag, 40)} is no tag: write O, B-X or I-X"
            self.refused = self.refused or (RefusedError("BAD_TAG", detail), number)
        self.tokens.append(token)
        self.tags.append(tag)


def _is_tag(tag: str) -> bool:
    return tag == "O" or (tag[:2] in ("B-", "I-") and bool(tag[2:]))


def _columns(text: str, *, spelled: bool) -> tuple[str, str]:
    if spelled:
        token, _, tag = text.rpartition("\t")
        return token, tag.strip()
    parts = text.split("\t") if "\t" in text else text.split()
    return parts[0].strip(), parts[-1].strip() if len(parts) > 1 else ""


def _documents(
    sentence: _Sentence, number: int, file: DocumentFile, admission: Admits[T]
) -> Iterator[T | BadRecord]:
    """The document of a sentence, or a report; nothing if it has no token."""
    if not sentence.tokens and sentence.refused is None:
        return
    key = sentence.key or f"{file.name}#{number}"
    try:
        if sentence.refused is not None:
            raise sentence.refused[0]
        text, meta = _marked(sentence)
        yield admission.record(key, text, None, f"{file.shown}:{sentence.line}", meta)
    except RefusedError as refused:
        yield refused.at(file.shown, sentence.refused[1] if sentence.refused else sentence.line, key)


def _marked(sentence: _Sentence) -> tuple[str, dict[str, Any]]:
    """The text with its entities."""
    text = sentence.text if sentence.text is not None else " ".join(sentence.tokens)
    found: list[dict[str, Any]] = []
    position, open_label = 0, ""
    for token, tag in zip(sentence.tokens, sentence.tags, strict=True):
        start = text.find(token, position)
        if start < 0:
            raise RefusedError(
                "TOKEN_NOT_IN_TEXT", f"the text has no {shown(token, 40)} after character {position}"
            )
        position = start + len(token)
        part, _, label = tag.partition("-")
        if part == "O":
            open_label = ""
        elif part == "I" and label == open_label:
            found[-1]["end"] = position
        else:
            found.append({"start": start, "end": position, "label": label})
            open_label = label
    return text, {FIELD: found}
