"""Finds the body of a company filing: after its cover page, table of contents and warnings about forecasts.

Knows American annual and quarterly reports (Forms 10-K and 10-Q) and Korean business reports.
"""

from __future__ import annotations

import re

#: The addressee of a filing, at its very top.
_ADDRESSEE = re.compile(r"securities\s+and\s+exchange\s+commission|금융위원회", re.IGNORECASE)
_TOP_CHARS = 3_000
#: The heading of the first chapter, in the table of contents and at the beginning of the chapter.
_FIRST_CHAPTER = re.compile(
    r"^[ \t]*(?:part\s+I\W+)?(?:item\s+1\s*[.:–—-]|item\s+1$|(?:I|Ⅰ|1)\s*\.\s*회사의\s*개요)",
    re.IGNORECASE | re.MULTILINE,
)
#: The maximum share of a filing that is its opening, and the minimum number of characters searched.
_OPENING_SHARE, _OPENING_CHARS = 0.2, 20_000
#: What follows the heading in a table of contents, within a few lines.
_SECOND_CHAPTER = re.compile(
    r"^[ \t]*(?:item\s+(?:1A|2)\b|(?:II|Ⅱ|2)\s*\.\s*사업의)", re.IGNORECASE | re.MULTILINE
)
_A_FEW_LINES_CHARS = 120
#: The heading of any chapter, with its title on the same line.
_CHAPTER = re.compile(r"[ \t]*(?:part\s+[IV]+|item\s+\d+[A-C]?)\b", re.IGNORECASE)
_HEADING_CHARS = 120
#: Characters of the line that are examined on either side of a sentence.
_LINE_CHARS = 400
#: Check boxes: the text before the last of them is a form.
_BOX = re.compile(r"[☐☒☑¨]")
#: Sentences that refer to other parts of the filing, define a term, or warn about forecasts.
_ASIDE = re.compile(
    r"\b(?:[Ss]ee|refer to|contained in|included in|set forth in|reference)\b.{0,150}"
    r"\b(?:Note|Item|Part|Exhibit)s?\s+[\dIV]"
    r"|\bterms?\s+[“\"]|\AReferences?\s+(?:herein\s+)?to\s+[“\"]|\AAs used (?:herein|in this)|\A\W*“[^”]+” means\b"
    r"|\b(?:are|is) (?:also )?(?:collectively )?referred to (?:herein|in this)|\(“?\"?fiscal \d"
    r"|\bforward-looking statements\b|\b(?:Annual|Quarterly) Report on Form\b"
)


def body_start(text: str) -> int:
    """The offset at which the body of a filing begins; 0 for any other text. Examines the opening only."""
    if not _ADDRESSEE.search(text, 0, _TOP_CHARS):
        return 0
    opening = max(_OPENING_CHARS, int(_OPENING_SHARE * len(text)))
    for match in _FIRST_CHAPTER.finditer(text, 0, opening):
        if not _SECOND_CHAPTER.search(text, match.end(), match.end() + _A_FEW_LINES_CHARS):
            return match.start()
    boxes = [match.end() for match in _BOX.finditer(text, 0, opening)]
    return boxes[-1] if boxes else 0


def is_aside(text: str, start: int, end: int) -> bool:
    """Whether a sentence of a filing is about the filing itself, a chapter heading or part of a form."""
    before, after = text[max(0, start - _LINE_CHARS) : start], text[end : end + _LINE_CHARS]
    line = before.rpartition("\n")[2] + text[start:end] + after.partition("\n")[0]
    if len(line) <= _HEADING_CHARS and _CHAPTER.match(line):
        return True
    return _BOX.search(line) is not None or _ASIDE.search(text[start:end]) is not None
