"""Sentences that are damaged, or that only announce what follows: they keep a share of their score.

Unlike what `prose_filter` leaves out, they may be all that a document has.
"""

from __future__ import annotations

import re

from nlp_tasks.keywords import stop_words

#: The share of its score that a damaged sentence keeps, and one that announces a list, a formula or a table.
DAMAGED, ANNOUNCING = 0.25, 0.5
#: Places of removed formulas, pictures and sounds; markup of wikis and TeX; empty brackets; entities of HTML.
_LEFTOVERS = re.compile(
    r"\b[A-Za-z]+_\{?\d+\}?|\{[a-z]+\}|\[\[|\]\]|\{\{|\}\}|\\[a-zA-Z]{2,}|\(\s*[,;:]?\s*\)|&(?:#\d+|[a-z]+);|<[a-z/][^<>]*>"
    r"|\[(?:편집|출처 필요|citation needed|edit)\]|�"
    r"|\s[=≤≥∈∑]\s"
)
#: The beginning of a sentence whose beginning is missing.
_CUT = re.compile(r"[,;:)\]}%=+/&]|\([^)]{1,60}\)\s+[A-Z]")
#: Announces a list, or points to another part of the document.
_FOLLOWS = re.compile(
    r":\W*\Z|\b(?:as\s+follows|the\s+following)\W*\Z|다음과\s같(?:다|습니다|이\s[가-힣]+다)\W*\Z"
    r"|다음\s각\s(?:호|목)의?[^.]{0,30}\W*\Z"
    r"|\A(?:Please\s+)?[Ss]ee\s+(?:also\s+)?(?:Section|Table|Figure|Fig\.|Appendix|Chapter|Exhibit)\b"
)
#: Single letters and signs that make a sentence a formula, if they are this share of its words.
_FORMULA_SHARE = 0.3
#: A sentence with at least this many commas, and fewer function words among its words, is a list of names or figures.
_LIST_COMMAS, _LIST_SHARE = 6, 0.15
_WORD = re.compile(r"\S+")
_SYMBOL = re.compile(r"\W*(?:[A-Za-z]\d*\W*|[=<>+*/|∈∑∏≤≥→±×÷^~]+\S*|\.\.+)\Z")


def worth(sentence: str) -> float:
    """The share of its score that the sentence keeps, from 0 to 1."""
    if _LEFTOVERS.search(sentence) or _CUT.match(sentence):
        return DAMAGED
    if _unbalanced(sentence) or _is_formula(sentence) or _is_list(sentence):
        return DAMAGED
    return ANNOUNCING if _FOLLOWS.search(sentence) else 1.0


def _unbalanced(sentence: str) -> bool:
    """Whether a bracket is closed that was not opened, or the other way round."""
    return any(sentence.count(left) != sentence.count(right) for left, right in ("()", "[]", "「」", "《》"))


def _is_list(sentence: str) -> bool:
    """Whether an English sentence has hardly a word that joins others."""
    if sentence.count(",") + sentence.count(";") < _LIST_COMMAS or not sentence.isascii():
        return False
    words = [word.strip("(),;.\"'").lower() for word in sentence.split()]
    return sum(word in stop_words.ENGLISH for word in words) < _LIST_SHARE * len(words)


def _is_formula(sentence: str) -> bool:
    words = _WORD.findall(sentence)
    symbols = sum(1 for word in words if word not in ("a", "A", "I") and _SYMBOL.match(word))
    return symbols > _FORMULA_SHARE * len(words)
