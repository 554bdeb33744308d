"""What a user may say about the files to read, checked before the first one is opened."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

MIB = 1024 * 1024

#: The encodings that may be asked for. All but UTF-16 keep ASCII bytes for ASCII characters and never use
#: the line feed's byte in another character, so that lines can be split before they are decoded.
ENCODINGS = ("utf-8", "cp949", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp932", "gb18030")

#: Names that mean one of these. Files called EUC-KR hold CP949 in practice, which is a superset of it.
_MEANT = {"euc_kr": "cp949", "utf-8-sig": "utf-8", "shift_jis": "cp932", "gbk": "gb18030", "gb2312": "gb18030",
          "iso8859-1": "cp1252", "ascii": "utf-8"}  # fmt: skip

DEFAULT_KEY_FIELD = "id"
DEFAULT_LABEL_FIELD = "label"


@dataclass(frozen=True)
class ReadOptions:
    """How to read. ValueError, with the choices there are, on a value that cannot work.

    A field other than the default one that is asked for by name must be in the file; without the default
    key field, the keys are "<file>#<line>".
    """

    #: The encoding of files that do not start with a byte order mark; a mark always wins.
    encoding: str = "utf-8"
    key_field: str = DEFAULT_KEY_FIELD
    text_field: str = "text"
    label_field: str = DEFAULT_LABEL_FIELD
    #: A longer text, counted in UTF-8, is refused.
    max_text_bytes: int = 10 * MIB
    #: A longer line of JSON, or row of CSV, is passed over: it bounds the memory.
    max_line_bytes: int = 32 * MIB
    #: Between the fields of a .csv file; None is the comma. A .tsv file always has tabs.
    delimiter: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", _encoding(self.encoding))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0'):
            raise ValueError(f"the delimiter must be one character such as ; or |, not {self.delimiter!r}")
        for name in ("key_field", "text_field", "label_field"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        for name in ("max_text_bytes", "max_line_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


def _encoding(name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        known = name
    meant = _MEANT.get(known, known)
    if meant not in ENCODINGS:
        raise ValueError(f"cannot read the encoding {name!r}; choose one of {', '.join(ENCODINGS)}")
    return meant
