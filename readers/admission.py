"""Which keys, texts and labels may be stored. Knows no file formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

from readers import label_text, markup_text, values
from readers.metadata import Cleaning
from readers.normalization import nfc
from readers.options import ReadOptions
from readers.records import Notice, Record, RefusedError

MAX_KEY_CHARS = 512
#: Maximum number of labels of a document.
MAX_LABELS = 200

#: Control characters (ANSI codes start with one), line and paragraph separators, and marks that change the direction of
#: writing: a key with such characters does not look like what it is. Zero-width joiners are allowed: words need them.
_NOT_IN_KEYS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


T = TypeVar("T", covariant=True)


class Admits(Protocol[T]):
    """Turns a record that a reader has found into a document, or into the label of a document."""

    def record(
        self, key: object, text: object, label: object, source: str, meta: Mapping[str, Any] | None = None
    ) -> T:
        """The result; raises RefusedError. `meta` has the fields of the record that are to be kept."""


class Admission:
    """Checks documents one by one, and remembers their keys in about 60 bytes each."""

    def __init__(self, options: ReadOptions) -> None:
        self._max_text_bytes = options.max_text_bytes
        self._markup = options.markup
        # 64-bit hashes with a random key per process: among a million keys, the probability of a collision is 1 in 30
        # million, and then the later document is reported, not lost silently.
        self._seen: set[int] = set()
        self._cleaning = Cleaning()

    def record(
        self, key: object, text: object, label: object, source: str, meta: Mapping[str, Any] | None = None
    ) -> Record:
        """The document, normalised; raises RefusedError."""
        kept = None if meta is None else self._cleaning.clean(meta, source)
        stored = self._text(values.plain(text))
        is_markup = self._markup == "html" or (self._markup == "auto" and markup_text.is_markup(stored))
        if is_markup:
            stored = _prose(stored)
        checked = Record(
            read_key(values.plain(key)), stored, read_label(values.plain(label)), source, kept, is_markup
        )
        digest = hash(checked.key)
        if digest in self._seen:
            detail = "an earlier document has the same key: only the first one is used"
            raise RefusedError("DUPLICATE_KEY", detail)
        self._seen.add(digest)
        return checked

    def notices(self) -> Iterator[Notice]:
        """What was left out of the metadata so far."""
        return self._cleaning.notices()

    def _text(self, text: object) -> str:
        if not isinstance(text, str):
            raise RefusedError("TEXT_TYPE", f"the text must be a string, not {_type(text)}")
        text = _storable(text, "text")
        if 4 * len(text) > self._max_text_bytes and len(text.encode("utf-8")) > self._max_text_bytes:
            raise too_long(self._max_text_bytes)
        if not text or text.isspace():
            raise RefusedError("EMPTY_TEXT", "the text is empty or blank")
        return text


def _prose(text: str) -> str:
    """The visible text of markup. Entities may stand for characters that cannot be stored."""
    visible = _storable(markup_text.prose(text), "text")
    if not visible or visible.isspace():
        detail = (
            "the text is markup (HTML, XML) without any visible text: to store it unchanged, add --as text"
        )
        raise RefusedError("EMPTY_TEXT", detail)
    return visible


def too_long(max_bytes: int) -> RefusedError:
    """The refusal of a text of more than `max_bytes` bytes."""
    return RefusedError("TEXT_TOO_LONG", f"the text is longer than {max_bytes} bytes of UTF-8: split it")


def read_key(key: object) -> str:
    """A key as it is stored, without surrounding blanks; raises RefusedError."""
    return check_key(key.strip() if isinstance(key, str) else key)


def check_key(key: object) -> str:
    """A key in NFC, otherwise unchanged; raises RefusedError."""
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str):
        raise RefusedError("KEY_TYPE", f"the key must be a string or a whole number, not {_type(key)}")
    key = _storable(key, "key")
    if not key or key.isspace():
        raise RefusedError("EMPTY_KEY", "the key is empty or blank")
    if len(key) > MAX_KEY_CHARS:
        raise RefusedError(
            "KEY_TOO_LONG", f"the key has {len(key)} characters; at most {MAX_KEY_CHARS} are allowed"
        )
    if found := _NOT_IN_KEYS.search(key):
        raise RefusedError("KEY_CONTROL", f"the key contains the control character {_code_point(found[0])}")
    return key


def read_label(label: object) -> str | None:
    """A label as it is stored; raises RefusedError. Several labels, as an array or as its JSON, become a canonical
    list."""
    if isinstance(label, str) and (text := label.strip()).startswith("["):
        listed = label_text.several(text)
        if listed is not None:
            label = list(listed)
        elif text.startswith(('["', "['")):
            detail = 'the label looks like a list but is not a JSON list of strings: write ["news", "sport"]'
            raise RefusedError("LABEL_TYPE", detail)
    if not isinstance(label, list):
        return _label(label)
    if len(label) > MAX_LABELS:
        detail = f"the document has {len(label)} labels; at most {MAX_LABELS} are allowed"
        raise RefusedError("TOO_MANY_LABELS", detail)
    found = [_label(each) for each in label]
    if None in found:
        raise RefusedError(
            "LABEL_TYPE", "one of the document's labels is empty: leave it out, or write [] for no label"
        )
    return label_text.canonical(filter(None, found))


def _label(label: object) -> str | None:
    """One label."""
    if label is None:
        return None
    if isinstance(label, int):
        label = str(label).lower()  # True is "true"
    if not isinstance(label, str):
        detail = f"the label must be a string, a whole number or an array of them, not {_type(label)}"
        raise RefusedError("LABEL_TYPE", detail)
    label = _storable(label, "label").strip()
    if len(label) > MAX_KEY_CHARS:
        detail = f"the label has {len(label)} characters; at most {MAX_KEY_CHARS} are allowed"
        raise RefusedError("LABEL_TOO_LONG", detail)
    if found := _NOT_IN_KEYS.search(label):
        raise RefusedError(
            "LABEL_CONTROL", f"the label contains the control character {_code_point(found[0])}"
        )
    return label or None


def _storable(text: str, what: str) -> str:
    """The text in NFC. PostgreSQL can store neither NUL nor lone surrogates."""
    if "\0" in text:
        place = f"character {text.index(chr(0)) + 1} of the {what} is NUL"
        raise RefusedError("NUL", f"{place}, which cannot be stored")
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        place = f"character {error.start + 1} of the {what} is {_code_point(text[error.start])}"
        raise RefusedError(
            "LONE_SURROGATE", f"{place}, half of a surrogate pair, which is not a character"
        ) from None
    return nfc(text)


def _code_point(char: str) -> str:
    return f"U+{ord(char):04X}"


def _type(value: object) -> str:
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")
