"""Money, as an amount and a currency of ISO 4217, and percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from nlp_tasks.entities.rules import numbers, ranges
from nlp_tasks.entities.rules.match import Match
from nlp_tasks.entities.rules.numbers import BLANK, DIGITS, ENGLISH_UNIT, KOREAN

_BY_SYMBOL = {
    "US$": "USD", "HK$": "HKD", "A$": "AUD", "C$": "CAD", "S$": "SGD", "NT$": "TWD", "$": "USD", "＄": "USD",
    "€": "EUR", "£": "GBP", "¥": "JPY", "￥": "JPY", "₩": "KRW", "￦": "KRW",
}  # fmt: skip
_CODES = "USD|EUR|KRW|JPY|CNY|GBP|HKD|AUD|CAD|SGD|CHF|TWD|INR|VND"
_BY_KOREAN_WORD = {
    "원": "KRW", "달러": "USD", "불": "USD", "미국 달러": "USD", "미국달러": "USD", "미달러": "USD", "홍콩달러": "HKD",
    "홍콩 달러": "HKD", "캐나다 달러": "CAD", "호주 달러": "AUD", "엔": "JPY", "위안": "CNY", "유로": "EUR",
    "파운드": "GBP", "루피": "INR", "베트남 동": "VND",
}  # fmt: skip
_BY_ENGLISH_WORD = {
    "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "won": "KRW", "yen": "JPY", "yuan": "CNY",
    "rupee": "INR", "rupees": "INR", "rouble": "RUB", "roubles": "RUB", "ruble": "RUB", "rubles": "RUB", "baht": "THB",
    "swiss franc": "CHF", "swiss francs": "CHF", "hong kong dollars": "HKD", "canadian dollars": "CAD",
    "australian dollars": "AUD", "singapore dollars": "SGD", "taiwan dollars": "TWD", "renminbi": "CNY",
    "pound": "GBP", "pounds": "GBP", "pounds sterling": "GBP", "u.s. dollars": "USD", "us dollars": "USD",
}  # fmt: skip
#: What may follow a currency without a space: particles and suffixes, not the rest of another word (원칙, 엔진, 동네).
_AFTER = (
    r"(?![가-힣])|(?=(?:으로|로|을|를|이|가|은|는|에|의|과|와|도|만|씩|대|짜|정|어치|쯤|선|당|이상|이하|미만|초과|부터|까지|보다|마다|밖|"
    r"규모|상당|안팎|가량|수준|등|및|인|여))"
)
#: Before a number in words (삼천만 원), no other syllable than these: not 노조원, 유만원.
_JUST = "약총금각단돈또매및월"
#: Not after a part of a number that is not read: 수십만, 몇 만. Nor 000. 제3조 5만원 is an article
#: of a law and an amount; 변제 5만원 is an amount.
_IN_DIGITS = r"(?<!제)(?<!(?<![가-힣])제 )(?=\d)(?![0０]\d)"
#: (단위 : 백만원) names a unit, and no amount.
_NO_UNIT = r"(?<!단위)(?<!단위:)(?<!단위: )(?<!단위 : )(?<!단위 :)"
_IN_WORDS = rf"{_NO_UNIT}(?![\d억조경])(?:(?<![가-힣])|(?<=[{_JUST}]))(?<![\d수몇여십백천만억조경]{BLANK})"
_UNCERTAIN_BEFORE = rf"(?<![\d.,수몇여십백천만억조경])(?:{_IN_DIGITS}|{_IN_WORDS})"


def _alternatives(words: dict[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_korean = re.compile(
    rf"{_UNCERTAIN_BEFORE}(?P<number>{KOREAN})(?:{BLANK}?여)?{BLANK}?(?P<currency>{_alternatives(_BY_KOREAN_WORD)})(?:{_AFTER})"
)
#: With a large number, 원 may stand before any word: 200만원지원. A small one may be part of it: 3원칙.
_won = re.compile(rf"{_UNCERTAIN_BEFORE}(?P<number>{KOREAN})(?:(?<=[백천만억조])|(?<=\d\d\d))원(?=[가-힣])")
_symbol = re.compile(
    rf"(?<![\w$])(?P<sign>[-−]?)(?P<symbol>{_alternatives(_BY_SYMBOL)}|(?:{_CODES})) ?"
    rf"(?:(?P<korean>{DIGITS} ?[천백]?[만억조]+)"
    rf"|(?P<number>{DIGITS}(?!\d|[.,]\d))(?P<unit>{ENGLISH_UNIT}(?![A-Za-z]))?)(?!\d|,\d)"
)
_word = re.compile(
    rf"(?<![\w.,$])(?P<number>{DIGITS})(?P<unit>{ENGLISH_UNIT})?[ -]?"
    rf"(?P<currency>{_CODES}|{_alternatives(_BY_ENGLISH_WORD)})(?![A-Za-z])",
    # In Unicode, other letters are equal to s and k when case is ignored.
    re.IGNORECASE | re.ASCII,
)
#: Words that mean money only where the number looks like it: "3 won", "180 pounds".
_AMBIGUOUS = {"won", "pound", "pounds"}
_LARGE_DIGITS = 5
_percent = re.compile(
    # Not of 66 2/3%, nor a part of 3천5.
    rf"(?<![A-Za-z0-9_.,십백천만억조])(?<!\d/)(?P<number>(?:(?<![%％])[-−+])?{DIGITS}){BLANK}?"
    r"(?:[%％](?:p\b|포인트)?|퍼센트(?:포인트)?|percentage points?|percent|per cent|pct\b)"
)


def money(text: str) -> Iterator[Match]:
    """Amounts of money: "1200000000000 KRW"."""
    for found in _korean.finditer(text):
        yield from _in_korean(text, found, _BY_KOREAN_WORD[found["currency"]])
    for found in _won.finditer(text):
        if any(char.isdigit() for char in found["number"]):  # otherwise a name: 백원근
            yield from _in_korean(text, found, "KRW")
    for found in _symbol.finditer(text):
        yield from _with_symbol(text, found, _BY_SYMBOL.get(found["symbol"], found["symbol"]))
    for found in _word.finditer(text):
        currency = found["currency"].lower()
        if currency not in _AMBIGUOUS or _looks_like_money(found):
            yield from _with_word(text, found, _BY_ENGLISH_WORD.get(currency, currency.upper()))


def _in_korean(text: str, found: re.Match[str], currency: str) -> Iterator[Match]:
    value = numbers.korean(found["number"])
    yield _money(*found.span(), value, currency)
    if first := ranges.korean_first(text, found.span(), found["number"], value):
        yield _money(first.start, first.end, first.value, currency)


def _with_symbol(text: str, found: re.Match[str], currency: str) -> Iterator[Match]:
    """The amount, and the second one of a range that has no symbol of its own: $1-2 million."""
    number = found["korean"] or found["number"]
    value = numbers.korean(number) if found["korean"] else numbers.english(number, found["unit"])
    if second := ranges.second(text, found):
        last = (
            numbers.korean(second["korean"])
            if second["korean"]
            else numbers.english(second["number"], second["unit"])
        )
        if second["korean"]:
            value = ranges.korean(number, second["korean"], last)
        else:
            value = ranges.english(number, found["unit"], second["unit"], last)
        yield _money(second.end("link"), second.end(), last, currency)
    yield _money(*found.span(), -value if found["sign"] else value, currency)


def _with_word(text: str, found: re.Match[str], currency: str) -> Iterator[Match]:
    value = numbers.english(found["number"], found["unit"])
    yield _money(*found.span(), value, currency)
    if first := ranges.english_first(text, found.span(), found["unit"], value):
        yield _money(first.start, first.end, first.value, currency)


def percent(text: str) -> Iterator[Match]:
    """Percentages and percentage points: "3.5"."""
    for found in _percent.finditer(text):
        value = ranges.signed(found["number"])
        yield Match(*found.span(), "PERCENT", numbers.written(value))
        if first := ranges.percent_first(text, found.span(), value):
            yield Match(first.start, first.end, "PERCENT", numbers.written(first.value))


def _looks_like_money(found: re.Match[str]) -> bool:
    number = found["number"]
    return bool(found["unit"]) or "," in number or len(number.partition(".")[0]) >= _LARGE_DIGITS


def _money(start: int, end: int, value: Decimal, currency: str) -> Match:
    return Match(start, end, "MONEY", f"{numbers.written(value)} {currency}")
