"""Latin sentences without a space between them: "met on Monday.Members voted".

A dot inside a name looks the same: Node.js, Console.Write, example.com, v1.2.Next. So the word after the stop must be a
whole word with an initial capital and no other; and the word before it must be lower case, unless other signs indicate
an end.
"""

from __future__ import annotations

import re

from nlp_tasks.addresses import EXTENSIONS
from nlp_tasks.sentences.word_lists import (
    BEFORE_NAMES,
    BEFORE_NUMBERS,
    DAYS_AND_MONTHS,
    MAY_END,
    SHORT_WORDS,
    starts_sentences,
)

_BOUND = 40
#: The text before the stop, back to a blank or an opening mark.
_BEFORE = re.compile(r"[^\s(\[“\"‘']*\Z")
_PLAIN = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*\Z")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?%?\Z")
#: A word that starts a sentence, and ends at a blank, a comma or an apostrophe; not at a bracket, a dot or a sign.
_AFTER = re.compile(r"[\"“‘']?(?:[A-Z][a-z]+(?:['’-][A-Za-z]+)*|[AI])(?=[ \n\t,’']|$)")
#: The same with a lower-case word after it, as in a sentence but not in a name.
_GOES_ON = re.compile(r"[\"“‘']?[A-Z][a-z]*(?:['’-][A-Za-z]+)*,?[ \n]+[a-z]")
#: Other places nearby where a lower-case word and a capitalised one have no space between them.
_STYLE = re.compile(r"(?<=\s)[a-z]{2,}[.!?][A-Z][a-z]+[ ,]")
_STYLE_CHARS = 600
_LETTERS = re.compile(r"[A-Za-z]+")
#: Shorter words are parts of names: df.Groupby, main.Rs.
_NAME_PART = 3
_CLOSED = "”\"’')]"


def is_end(text: str, stop: int, stops: str, end: int) -> bool:
    """Whether a sentence ends at `stop`, although no blank follows `end`, the end of the stops and closing marks."""
    after = _AFTER.match(text, end)
    if after is None or len(stops) > 3:
        return False
    word = _BEFORE.search(text, max(0, stop - _BOUND), stop)
    before = word[0] if word else ""
    starts = starts_sentences(text, end + (text[end] in "\"“‘'"))
    if end > stop + len(stops):
        return starts and text[end - 1] in _CLOSED and _PLAIN.match(before) is not None
    if _NUMBER.match(before):
        return starts and stops == "." and len(before) > 1 and not text[end:].startswith("No ")
    if not _PLAIN.match(before) or len(before) < 2:
        return False
    return _word_ends(text, before, stops, stop, end, starts)


def _word_ends(text: str, before: str, stops: str, stop: int, end: int, starts: bool) -> bool:
    """Whether a plain word ends a sentence before a whole capitalised word."""
    name = before.lower()
    if name in BEFORE_NAMES or name in MAY_END or (name in BEFORE_NUMBERS and name not in DAYS_AND_MONTHS):
        return starts and name in MAY_END and stops == "." and len(name) > 2
    after = _LETTERS.search(text, end)
    following = after[0] if after else ""
    part_of_name = len(following) < _NAME_PART or (len(name) < _NAME_PART and name not in SHORT_WORDS)
    if following.lower() in EXTENSIONS or (part_of_name and not starts):
        return False
    if before.islower():
        return starts or _GOES_ON.match(text, end) is not None or _is_style(text, stop, end)
    if name in DAYS_AND_MONTHS or starts:
        return True
    return _GOES_ON.match(text, end) is not None and _is_style(text, stop, end)


def _is_style(text: str, stop: int, end: int) -> bool:
    """Whether spaces are missing between other sentences nearby, too."""
    near = (max(0, stop - _STYLE_CHARS), stop), (end, end + _STYLE_CHARS)
    return any(_STYLE.search(text, *part) for part in near)
