"""Words that decide whether a full stop ends a sentence: English abbreviations, Korean quoting words."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Abbreviations that never end a sentence: a name, a number or a clause follows.
BEFORE_NAMES = _set(
    "asst assoc "
    "mr mrs ms mx dr prof rev hon fr sr st mt ft gen col lt maj capt cmdr sgt cpl adm sen rep gov pres "
    "supt det insp messrs mmes vs v e.g eg i.e ie cf viz ca approx resp incl esp al figs eqs secs refs "
    "tabs chs nos"
)
#: Abbreviations that do not end a sentence before a number or a lower-case word: "No. 5", "Fig. 2", "Jan. 3", "p. 7".
BEFORE_NUMBERS = _set(
    "no fig eq sec ref tab ch vol art arts para pp p pt ed eds rev ver app cl jan feb mar apr jun jul "
    "aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun"
)
#: Abbreviations that end a sentence if a word follows that commonly starts one.
MAY_END = _set(
    "inc ltd co corp llc plc bros dept univ assn mfg jr sr esq ph.d m.d b.a m.a d.c a.m p.m am pm etc "
    "est max min u.s u.k u.n u.s.a e.u a.d b.c b.c.e c.e i.d no ave blvd rd hwy"
)
#: The English words of two letters that may end a sentence.
SHORT_WORDS = _set(
    "ad am as at be by do go he hi ho if in is it me my no of oh ok on or ox so to tv up us we"
)
#: Names of days and months: capitalised, but often the last word of a sentence.
DAYS_AND_MONTHS = _set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december"
)
#: Words that start English sentences far more often than they continue a name.
_STARTERS = _set(
    "a about according after all also although an and another any are as at because before both but by "
    "can could despite did do does during each even every few finally first for from furthermore had "
    "has have he hence her here his how however i if in indeed instead is it its last later let many "
    "meanwhile more moreover most mr mrs ms my nearly neither nevertheless next no none nor not now of "
    "on once one only or other others our over perhaps please second shareholders she should similarly "
    "since so some still such that the their then there therefore these they this those though three "
    "through thus to today together two under unlike until we what when where whether which while who "
    "why will with without would yes yesterday yet you your"
)
_LETTERS = re.compile(r"[A-Za-z]+")

#: Korean quoting and clause-joining words: the text before them is quoted, and the sentence continues.
QUOTING = re.compile(
    r"(?:이?라[고는며면던]|이?라는데|하[고며였했는]|했[다던고으는]|고\s|고는|며\s|면서|이?란\s|이?라던|이?라면서|라고|말[했하]|외[쳤치]|물[었으]|묻)"
)
#: Quoting words that never start a sentence, not even after a full stop: 했다. 라는 것을.
BOUND_QUOTING = re.compile(r"이?라[고는며던]\s")
#: Syllables that end a Korean word inside a sentence, but rarely a heading or a list item: particles, connective and
#: adnominal endings.
KOREAN_OPEN = frozenset(
    "의는을에로이를은고한서가과도와게인해여어나할만된며던라적아면되히른데및운두든더될않려러"
)
#: English words that do not end a sentence: articles, prepositions, conjunctions, auxiliaries.
OPEN_WORDS = _set(
    "a an the of to in on at by for from with into onto over under about after before between through during "
    "against among within without toward towards and or but nor as than that which who whose whom if because "
    "while when where although though unless until since is are was were be been being has have had will would "
    "can could may might must shall should do does did not its his her their our my your this these those such "
    "each every some any no very more most less least only also per via"
)
#: Syllables that end the last word of a Korean sentence.
KOREAN_FINALS = frozenset("다요죠까네군지음함임됨라자오소")
#: The syllables of Korean list marks: 가. 나. 다.
LIST_SYLLABLES = frozenset("가나다라마바사아자차카타파하")


def starts_sentences(text: str, offset: int) -> bool:
    """Whether the English word at `offset` commonly starts a sentence."""
    word = _LETTERS.match(text, offset, offset + 20)
    return word is not None and word[0][0].isupper() and word[0].lower() in _STARTERS
