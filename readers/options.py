"""The options for reading files, checked before the first file is opened."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from readers import field_paths, metadata
from readers.records import shown

MIB = 1024 * 1024

#: The supported encodings. All except UTF-16 and ISO-2022 encode ASCII characters as ASCII bytes, and never use the
#: byte of the line feed in another character, so that lines can be split before they are decoded.
ENCODINGS = (
    "utf-8", "cp949", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp932", "gb18030",
    "iso2022_kr", "iso2022_jp",
)  # fmt: skip

#: Other names of these encodings. Files labelled EUC-KR are CP949 in practice, which is a superset.
_MEANT = {"euc_kr": "cp949", "utf-8-sig": "utf-8", "shift_jis": "cp932", "gbk": "gb18030", "gb2312": "gb18030",
          "iso8859-1": "cp1252", "ascii": "utf-8"}  # fmt: skip

DEFAULT_KEY_FIELD = "id"
DEFAULT_TEXT_FIELD = "text"
DEFAULT_LABEL_FIELD = "label"

#: Names of delimiters that may be used instead of the character: a tab is hard to type.
_DELIMITER_NAMES = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True)
class ReadOptions:
    """How to read. Raises ValueError, which lists the choices, for an invalid value.

    A field that is named explicitly must be in the file. If the default key field is missing, the keys are
    "<file>#<line>", unless keys are required.
    """

    #: The encoding of files without a byte order mark, which takes precedence; None to detect it (`encodings.find`).
    encoding: str | None = None
    key_field: str = DEFAULT_KEY_FIELD
    text_field: str = DEFAULT_TEXT_FIELD
    label_field: str = DEFAULT_LABEL_FIELD
    #: Longer texts, counted in bytes of UTF-8, are refused.
    max_text_bytes: int = 10 * MIB
    #: Longer lines of JSON or rows of CSV are skipped. This bounds the memory.
    max_line_bytes: int = 32 * MIB
    #: The delimiter of a table; None to detect it (`dialects.find`).
    delimiter: str | None = None
    #: Whether a .txt file is a table; "auto": if fields or a delimiter were given and its header has them.
    txt_tables: Literal["auto", "always"] = "auto"
    #: What a text that holds tags is: "html" is turned into its visible text, "text" is stored unchanged, and "auto"
    #: decides for each text (`markup_text.is_markup`).
    markup: Literal["auto", "html", "text"] = "auto"
    #: Whether every record must have a key; otherwise one without a key gets "<file>#<line>".
    needs_key: bool = False
    #: The option of the command for the text field, for messages.
    text_option: str = "--text-field"
    #: The other fields that are kept as metadata: True for all, False for none, or which: names of fields, or fields
    #: by the name that they get ({"date": "published"}). A field may be a path, as the text's.
    meta: bool | str | Iterable[str | tuple[str, str]] | Mapping[str, str] = True
    #: Metadata from the folders that a file lies in: name -> the folder's place, from 1, below the folder that was
    #: given or below what stands before a pattern. A file that does not lie so deep lacks it.
    folders: Mapping[str, int] = field(default_factory=dict)

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
        if self.markup not in ("auto", "html", "text"):
            raise ValueError(f"texts are read as text, html or auto, not as {self.markup!r}")
        object.__setattr__(self, "meta", metadata.choice_of(self.meta))
        field_paths.check(self.key_field, self.text_field)

    @property
    def meta_choice(self) -> metadata.Choice:
        """`meta`, as it was checked."""
        return self.meta  # type: ignore[return-value]

    @property
    def key_is_needed(self) -> bool:
        """Whether a file without the key field is an error."""
        return self.needs_key or self.key_field != DEFAULT_KEY_FIELD

    @property
    def names_fields(self) -> bool:
        """Whether an option was given that a text file without fields cannot satisfy."""
        return self.delimiter is not None or (self.key_field, self.text_field, self.label_field) != (
            DEFAULT_KEY_FIELD,
            DEFAULT_TEXT_FIELD,
            DEFAULT_LABEL_FIELD,
        )


def _delimiter(name: str) -> str:
    mark = _DELIMITER_NAMES.get(name.lower(), name)
    if len(mark) != 1 or mark in '"\r\n\0':
        raise ValueError(
            f"the delimiter must be one character such as ; or |, or the word tab, not {shown(repr(name), 60)}: "
            "leave --delimiter out to detect it"
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
            f"cannot read the encoding {shown(repr(name), 60)}; choose one of {', '.join(ENCODINGS)}, "
            "or leave --encoding out to detect it"
        )
    return meant
