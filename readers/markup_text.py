"""Texts that are markup, as opposed to texts about markup, code, and prose with angle brackets; and their prose.

`readers.markup` knows the tags. Here a text counts as markup only if its tags are *used*: they hold or separate words,
as `<b>word</b>` and `end.<br>Next` do. A tag that is *mentioned* stands alone between blanks, in quotes or in brackets:
"the <br> tag". What is stored cannot be restored, so a doubtful text stays as it is. Time is linear in the length of
the text.
"""

from __future__ import annotations

import re

from readers import markup

#: Only the first characters of a long text decide.
_LOOKED_AT = 200_000
#: A text that begins so is a page, whatever follows.
_PAGE = re.compile(
    r"\s*(?:<\?xml\b[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|(?:sec-)?document|sec-header)\b",
    re.IGNORECASE | re.DOTALL,
)
#: What stands before the page in a document of a filing: its type and names.
_FILING = re.compile(r"\s*<document>\s.{0,2000}?<text>\s*(?=<)", re.IGNORECASE | re.DOTALL)
#: An XML document: a declaration, and a root that is closed at the end.
_XML = re.compile(
    r"\s*<\?xml\b[^>]*\?>\s*(?:<!--.*?-->\s*|<!doctype[^>]*>\s*)*<([A-Za-z][\w:.-]*)",
    re.IGNORECASE | re.DOTALL,
)
_HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
#: A line of a program, once its tags are taken away.
_CODE_LINE = re.compile(
    r"[{}]\s*;?\s*$|[)\]\"']\s*;\s*$|^\s*\}|=>\s*[{(\w]|^\s*[\w.$\[\]]+\s*[+.-]?=\s*\S.*|^\s*(?:def\s+\w+\s*\(|class\s+\w+\s*[:({]"
    r"|from\s+[\w.]+\s+import\b|import\s+[\w.]+\s*;?$|(?:var|let|const)\s+\w+\s*=|function\b\s*\w*\s*\(|#include\s*[<\"]"
    r"|(?:public|private|protected|static)\s.*[({;]$|return\b.*;$|(?:if|elif|for|while|else)\b.*:$|package\s+[\w.]+;$"
    r"|using\s+[\w.:]+;$|//|/\*|\*/|<\?php)"
)
_BLANK_LINES = re.compile(r"\n{3,}")
#: Between blanks, in quotes, in brackets: a tag that is talked about.
_OPENS_MENTION, _CLOSES_MENTION = frozenset("\"'`([{“‘「『=+"), frozenset("\"'`)]}”’」』+,;")
#: So many lines of code of a hundred make a program.
_CODE_SHARE = 0.2
#: A text with fewer used tags has lost some, rather than being markup.
_CHARS_PER_TAG = 2_000
#: Used tags for each mentioned one.
_USED_PER_MENTIONED = 3


def is_markup(text: str) -> bool:
    """Whether a text is markup that is to be turned into prose."""
    if "<" not in text or ">" not in text:
        return False
    head = text[:_LOOKED_AT]
    if _PAGE.match(head) and markup.looks_like_markup(head):
        return True
    root = _XML.match(head)
    if root is not None and text.rstrip().endswith(f"</{root[1]}>"):
        return True
    if not markup.looks_like_markup(head) or _is_program(head):
        return False
    return _tags_are_used(_HIDDEN.sub(" ", head))


def prose(text: str) -> str:
    """The visible text of markup; empty if nothing is visible. Of a page, blocks are paragraphs, and runs of blanks are
    one. Elsewhere lines and blanks mean something: only the tags go."""
    if filing := _FILING.match(text):
        text = text[filing.end() :]
    if not markup.is_page(text):
        return _BLANK_LINES.sub("\n\n", markup.plain(text)).strip("\n")
    paragraphs = re.split(r"\n[^\S\n]*\n\s*", markup.plain(text))
    lines = ("\n".join(" ".join(line.split()) for line in each.split("\n")).strip() for each in paragraphs)
    return "\n\n".join(line for line in lines if line)


def _tags_are_used(text: str) -> bool:
    used: list[str] = []
    n_mentioned = 0
    opened: dict[str, int] = {}
    is_certain = False
    for tag in markup.tags(text):
        before = text[tag.start - 1] if tag.start else "\n"
        after = text[tag.end] if tag.end < len(text) else "\n"
        if _is_mentioned(before, after):
            n_mentioned += 1
            continue
        used.append(tag.name)
        # A pair with something in it, or a line break between two sentences.
        if tag.closes:
            is_certain = is_certain or bool(text[opened.get(tag.name, tag.start) : tag.start].strip())
        elif tag.name in ("br", "hr"):
            is_certain = is_certain or not (before in " \t" and not before == after == "\n") or len(used) > 1
        else:
            opened[tag.name] = tag.end
    if used and not markup.TAG.sub("", text).strip():
        return True
    if len(used) * _CHARS_PER_TAG < len(text):
        return False
    return is_certain and len(used) >= _USED_PER_MENTIONED * n_mentioned


def _is_mentioned(before: str, after: str) -> bool:
    if before in _OPENS_MENTION and before not in ")]}":
        return after in _CLOSES_MENTION or before in "\"'`"
    return before in " \t" and after in " \t.,;:?!"


def _is_program(text: str) -> bool:
    """Whether it is source code, in which tags are strings or types."""
    visible = _HIDDEN.sub(" ", text)
    lines = [
        line for line in (markup.TAG.sub("", each).strip() for each in visible.split("\n")[:2_000]) if line
    ]
    n_code = sum(_CODE_LINE.search(line) is not None for line in lines)
    return n_code >= 2 and n_code > _CODE_SHARE * len(lines)
