"""RTF 1.9: paragraphs, tables, Korean in the code page of its font. Own reader: a group of tags is one pass."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from readers.extraction import rtf_fields
from readers.extraction.context import Context
from readers.extraction.limits import too_large
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
_LEFT_OUT = frozenset((
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "headerl", "headerr", "headerf",
    "footer", "footerl", "footerr", "footerf", "listtable", "listoverridetable", "revtbl", "rsidtbl",
    "generator", "themedata", "colorschememapping", "datastore", "latentstyles", "bkmkstart", "bkmkend",
    "annotation", "atnid", "atnauthor", "xmlnstbl", "mmathPr", "pgdsctbl", "filetbl", "nonshppict", "shprslt",
))  # fmt: skip
#: Groups that are no text but are listened to, beside the style sheet.
_HEARD = ("title", "author", "creatim", "fldinst")
_MOMENT = ("yr", "mo", "dy", "hr", "min", "sec")
#: Text that stands beside the paragraph in which it is anchored: it follows it.
_BESIDE = ("footnote", "shptxt")
_SHOWN = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "nestcell": " ", "enspace": " ",
}  # fmt: skip
_CHARSETS = {128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254",
             177: "cp1255", 178: "cp1256", 204: "cp1251", 222: "cp874", 238: "cp1250"}  # fmt: skip
_HEADING = re.compile(rb"(?i)\s*heading ([1-9]);")
_TOKENS_PER_TICK = 20_000
_MAX_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds until a group ends."""

    left_out: bool = False
    #: "style", or one of _HEARD.
    listens: str = ""
    n_fallback: int = 1
    font: int = -1
    hidden: bool = False
    #: Left out only because programs that do not know its first word should.
    starred: bool = False
    beside: bool = False
    #: In the style sheet: the number of the style that is described.
    style: int = -1


def read(source: Source, out: Writer, context: Context) -> None:
    """The text; a file whose groups are not closed is warned of."""
    reader = _Reader(out, context)
    data = source.read()
    for n_tokens, match in enumerate(_TOKEN.finditer(data)):
        if n_tokens % _TOKENS_PER_TICK == 0:
            context.budget.tick()
        reader.take(match)
    reader.finish()


class _Reader:
    def __init__(self, out: Writer, context: Context) -> None:
        self._out = out
        self._budget = context.budget
        self._groups: list[_Group] = []
        self._group = _Group()
        self._code_page = "cp1252"
        self._charsets: dict[int, str] = {}
        self._font = 0
        self._bytes = bytearray()
        self._text: list[str] = []
        self._beside: list[str] = []
        self._heard: dict[str, list[str]] = {name: [] for name in _HEARD}
        self._created: dict[str, int] = {}
        self._skipped = 0
        self._level = 0
        self._levels: dict[int, int] = {}
        self._in_table = self._table_open = False

    def take(self, match: re.Match[bytes]) -> None:
        """The next token."""
        word, number, code, symbol, brace, plain = match.groups()
        if code is not None:
            self._byte(int(code, 16))
            return
        if plain is not None:
            self._plain(plain)
            return
        self._decode()
        if word is not None:
            self._word(word.decode("ascii"), int(number) if number else None)
        elif symbol is not None:
            self._symbol(symbol)
        elif brace == b"{":
            if len(self._groups) >= _MAX_GROUPS:
                raise too_large("groups inside one another", _MAX_GROUPS)
            self._groups.append(self._group)
        elif brace == b"}" and self._groups:
            was, self._group = self._group, self._groups.pop()
            if was.listens == "fldinst" != self._group.listens:
                self._field()

    def finish(self) -> None:
        """What is left at the end of the file."""
        self._decode()
        self._paragraph()
        self._close_table()
        self._out.title = clean("".join(self._heard["title"])) or None
        self._out.author = clean("".join(self._heard["author"])) or None
        self._out.created = rtf_fields.moment(self._created)
        if self._groups:
            self._out.warn("TRUNCATED", "groups of the RTF are not closed: its end is missing")

    def _byte(self, value: int) -> None:
        if self._skipped:
            self._skipped -= 1
        elif not self._group.left_out or self._group.listens in _HEARD:
            self._bytes.append(value)

    def _plain(self, text: bytes) -> None:
        skipped = min(self._skipped, len(text))
        self._skipped -= skipped
        if not self._group.left_out or self._group.listens in _HEARD:
            self._bytes += text[skipped:]
        elif self._group.style >= 0 and (found := _HEADING.match(text)):
            self._levels[self._group.style] = int(found[1])

    def _decode(self) -> None:
        if self._bytes:
            page = self._charsets.get(self._group.font, self._code_page)
            self._show(self._bytes.decode(page, "replace"))
            self._bytes.clear()

    def _show(self, text: str) -> None:
        if self._group.listens in _HEARD:
            self._heard[self._group.listens].append(text)
        elif not self._group.left_out and not self._group.hidden:
            (self._beside if self._group.beside else self._text).append(text)

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            starred = self._group.starred or not self._group.left_out
            self._group = replace(self._group, left_out=True, starred=starred, listens="")
        elif symbol in (b"\\", b"{", b"}"):
            is_heard = not self._group.left_out or self._group.listens in _HEARD
            self._bytes += symbol if is_heard else b""
        elif symbol in (b"~", b"_"):
            self._show(" " if symbol == b"~" else "-")
        elif symbol in (b"\n", b"\r"):
            self._paragraph()

    def _word(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._show(_unit(number))
            self._skipped = self._group.n_fallback
        elif word == "bin" and number is not None and number > 0:
            raise ExtractionError("UNSUPPORTED", "the RTF holds raw bytes (\\bin): save it without pictures")
        elif word == "uc" and number is not None:
            self._group = replace(self._group, n_fallback=number)
        elif word == "ansicpg" and number:
            self._code_page = _code_page(number)
        elif word == "f" and number is not None:
            self._group = replace(self._group, font=number)
        elif word == "fcharset" and number in _CHARSETS:
            self._charsets[self._group.font] = _CHARSETS[number]
        elif word in _LEFT_OUT:
            listens = "style" if word == "stylesheet" else ""
            self._group = replace(self._group, left_out=True, starred=False, listens=listens)
        elif word in _BESIDE and (self._group.starred or not self._group.left_out):
            self._group = replace(self._group, left_out=False, starred=False, beside=True)
            self._beside.append("\n")
        elif word == "ud":  # the same again in Unicode
            self._heard["title"].clear()
        elif word in ("s", "outlinelevel") and self._group.listens == "style":
            self._style(word, number or 0)
        elif word == "fldinst":
            self._group = replace(self._group, left_out=True, starred=False, listens=word)
        elif word in ("title", "author", "creatim") and self._group.left_out:
            self._group = replace(self._group, listens=word)
        elif word in _MOMENT and self._group.listens == "creatim":
            self._created[word] = number or 0
        elif word in ("v", "deleted"):
            self._group = replace(self._group, hidden=number != 0)
        elif word in _SHOWN:
            self._show(_SHOWN[word])
        elif not self._group.left_out:
            self._structure(word, number)

    def _field(self) -> None:
        """The instruction of a field is complete."""
        instruction = "".join(self._heard["fldinst"])
        self._heard["fldinst"].clear()
        self._show(rtf_fields.shown(_paired(instruction)))

    def _style(self, word: str, number: int) -> None:
        if word == "s":
            self._group = replace(self._group, style=number)
        elif number < 9:
            self._levels[self._group.style] = number + 1

    def _structure(self, word: str, number: int | None) -> None:
        if self._group.beside:
            self._beside.append("\n" if word in ("par", "cell", "row") else "")
        elif word in ("par", "sect", "page"):
            self._paragraph()
            if not self._in_table:
                self._close_table()
        elif word == "pard":
            self._in_table, self._level = False, 0
        elif word == "s" and number is not None:
            self._level = self._levels.get(number, 0)
        elif word == "outlinelevel" and number is not None and number < 9:
            self._level = number + 1
        elif word == "intbl":
            self._in_table = True
        elif word == "trowd":
            self._in_table = True
            if not self._table_open:
                self._out.begin_table()
                self._out.row()
                self._table_open = True
        elif word == "cell" and self._table_open:
            self._paragraph()
            self._out.close_cell()
        elif word == "row" and self._table_open:
            self._paragraph()
            self._out.row()

    def _paragraph(self) -> None:
        text, self._text = "".join(self._text), []
        if text.strip() and self._table_open and not self._in_table:
            self._close_table()
        self._out.paragraph(_paired(text), 0 if self._in_table else self._level)
        beside, self._beside = "".join(self._beside), []
        for line in beside.split("\n"):
            self._out.paragraph(_paired(line))

    def _close_table(self) -> None:
        if self._table_open:
            self._table_open = False
            self._out.end_table()


def _unit(number: int) -> str:
    return chr(number % 65536)


def _paired(text: str) -> str:
    """The halves of surrogate pairs, which RTF writes one by one, as one character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _code_page(number: int) -> str:
    page = f"cp{number}"
    try:
        codecs.lookup(page)
    except LookupError:
        return "utf-8" if number == 65001 else "cp1252"
    return page
