"""What a user may say about the files to read, checked before the first one is opened."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Literal

from readers import field_paths

MIB = 1024 * 1024

#: The encodings that may be asked for. All but UTF-16 and ISO-2022 keep ASCII bytes for ASCII characters and
#: never use the line feed's byte in another character, so that lines can be split before they are decoded.
ENCODINGS = (
    "utf-8", "cp949", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp932", "gb18030",
    "iso2022_kr", "iso2022_jp",
)  # fmt: skip

#: Names that mean one of these. Files called EUC-KR hold CP949 in practice, which is a superset of it.
_MEANT = {"euc_kr": "cp949", "utf-8-sig": "utf-8", "shift_jis": "cp932", "gbk": "gb18030", "gb2312": "gb18030",
          "iso8859-1": "cp1252", "ascii": "utf-8"}  # fmt: skip

DEFAULT_KEY_FIELD = "id"
DEFAULT_TEXT_FIELD = "text"
DEFAULT_LABEL_FIELD = "label"

#: What a delimiter may be called, beside the character itself: a tab is hard to type.
_DELIMITER_NAMES = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True)
class ReadOptions:
    """How to read. ValueError, with the choices there are, on a value that cannot work.

    A field other than the default one that is asked for by name must be in the file; without the default
    key field, the keys are "<file>#<line>" unless keys are needed.
    """

    #: The encoding of files without a byte order mark; None to find out (`encodings.find`). A mark always wins.
    encoding: str | None = None
    key_field: str = DEFAULT_KEY_FIELD
    text_field: str = DEFAULT_TEXT_FIELD
    label_field: str = DEFAULT_LABEL_FIELD
    #: A longer text, counted in UTF-8, is refused.
    max_text_bytes: int = 10 * MIB
    #: A longer line of JSON, or row of CSV, is passed over: it bounds the memory.
    max_line_bytes: int = 32 * MIB
    #: Between the fields of a table; None to find out (`dialects.find`).
    delimiter: str | None = None
    #: Whether a .txt file is a table: "auto" if fields or a delimiter were asked for and its header has them.
    txt_tables: Literal["auto", "always"] = "auto"
    #: Whether every record must have a key of its own; else one without gets "<file>#<line>".
    needs_key: bool = False
    #: The command's option for the text field, for messages.
    text_option: str = "--text-field"

    def __post_init__(self) -> None:
        if self.encoding is not None:
            object.__setattr__(self, "encoding", _encoding(self.encoding))
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", _delimiter(self.delimiter))
        for name in ("key_field", "text_field", "label_field"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        for name in ("max_text_bytes", "max_line_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        field_paths.check(self.key_field, self.text_field)

    @property
    def key_is_needed(self) -> bool:
        """Whether a file without the key field is an error."""
        return self.needs_key or self.key_field != DEFAULT_KEY_FIELD

    @property
    def names_fields(self) -> bool:
        """Whether anything was asked for that a text file without fields cannot answer."""
        return self.delimiter is not None or (self.key_field, self.text_field, self.label_field) != (
            DEFAULT_KEY_FIELD,
            DEFAULT_TEXT_FIELD,
            DEFAULT_LABEL_FIELD,
        )


def _delimiter(name: str) -> str:
    mark = _DELIMITER_NAMES.get(name.lower(), name)
    if len(mark) != 1 or mark in '"\r\n\0':
        raise ValueError(
            f"the delimiter must be one character such as ; or |, or the word tab, not {name!r}: "
            "leave --delimiter out, and it is found"
        )
    return mark


def _encoding(name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        known = name
    meant = _MEANT.get(known, known)
    if meant not in ENCODINGS:
        raise ValueError(
            f"cannot read the encoding {name!r}; choose one of {', '.join(ENCODINGS)}, "
            "or leave --encoding out, and it is found"
        )
    return meant
