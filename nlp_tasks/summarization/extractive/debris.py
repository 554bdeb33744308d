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
    r"|\s[=≤≥∈∑]\s|\A\d+\\\."
)
#: A sentence whose beginning or end is missing.
_CUT = re.compile(r".*,\Z|[,;:)\]}%=+/&]|\([^)]{1,60}\)\s+[A-Z]")
#: Announces a list, points to another part of the document, leaves the matter to another text, or says when a law takes
#: effect.
_FOLLOWS = re.compile(
    r":\W*\Z|\b(?:as\s+follows|the\s+following)\W*\Z|다음과\s같(?:다|습니다|이\s[가-힣]+다)\W*\Z"
    r"|다음\s각\s(?:호|목)의?[^.]{0,30}\W*\Z"
    r"|\A다음은\s.{0,80}(?:설명|목록|표|내용|예|예시|순서|일람|명단)(?:이다|입니다)\W*\Z"
    r"|사항은\s(?:[가-힣]+령|고시|[가-힣]*조례|[가-힣]*규칙|정관|규정|약관)(?:으로|로)\s(?:따로\s)?정한다\W*\Z"
    r"|(?:\A|\)\s)이\s(?:법|영|규칙|규정|조례|고시|훈령|예규)[은는]\s.{1,60}부터\s시행한다\W*\Z"
    r"|\b(?:executed|signed) in (?:any number of |two or more |one or more )?counterparts\b"
    r"|\A(?:Please\s+)?[Ss]ee\s+(?:also\s+)?(?:Section|Table|Figure|Fig\.|Appendix|Chapter|Exhibit)\b"
)
#: Single letters and signs that make a sentence a formula, if they are this share of its words.
_FORMULA_SHARE = 0.3
#: A sentence with at least this many commas, and fewer function words among its words, is a list of names or figures.
_LIST_COMMAS, _LIST_SHARE = 6, 0.15
#: What is heard between words in speech; a sentence is a stutter if it is this share of its words.
_FILLER = re.compile(
    r"\b(?:u[hm]+|e[hr]m?|a+h|o+h|h+m+|m+h?m+|yeah|yep|okay|ok|well|you know|I mean)\b", re.IGNORECASE
)
_FILLER_SHARE = 0.1
_WORD = re.compile(r"\S+")
_SYMBOL = re.compile(r"\W*(?:[A-Za-z]\d*\W*|[=<>+*/|∈∑∏≤≥→±×÷^~]+\S*|\.\.+)\Z")


def worth(sentence: str) -> float:
    """The share of its score that the sentence keeps, from 0 to 1."""
    if _LEFTOVERS.search(sentence) or _CUT.match(sentence):
        return DAMAGED
    if _unbalanced(sentence) or _is_formula(sentence) or _is_list(sentence):
        return DAMAGED
    if _FOLLOWS.search(sentence) or _is_stutter(sentence) or _is_half_a_quotation(sentence):
        return ANNOUNCING
    return 1.0


def _is_stutter(sentence: str) -> bool:
    """Whether an utterance has more than a few sounds of hesitation."""
    return len(_FILLER.findall(sentence)) > max(_FILLER_SHARE * (sentence.count(" ") + 1), 1)


def _is_half_a_quotation(sentence: str) -> bool:
    """Whether a quotation begins or ends in another sentence."""
    return sentence.count('"') % 2 == 1 or sentence.count("“") != sentence.count("”")


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
