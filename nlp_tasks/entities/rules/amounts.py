"""Money, as an amount and a currency of ISO 4217, and percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from nlp_tasks.entities.rules import numbers
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
    "pound": "GBP", "pounds": "GBP", "pounds sterling": "GBP", "u.s. dollars": "USD", "us dollars": "USD",
}  # fmt: skip
#: What may follow a currency without a space: particles and suffixes, not the rest of another word (원칙, 엔진, 동네).
_AFTER = (
    r"(?![가-힣])|(?=(?:으로|로|을|를|이|가|은|는|에|의|과|와|도|만|씩|대|짜|정|어치|쯤|선|당|이상|이하|미만|초과|부터|까지|보다|마다|밖|"
    r"규모|상당|안팎|가량|수준|등|및|인|여))"
)
#: Not after a part of a number that is not read: 수십만, 몇 만. Nor 000. 제3조 5만원 is an article
#: of a law and an amount; 변제 5만원 is an amount.
_UNCERTAIN_BEFORE = (
    r"(?<![\d.,수몇여십백천만억조경])"
    rf"(?:(?<!제)(?<!(?<![가-힣])제 )(?=\d)(?![0０]\d)|(?!\d)(?<![\d수몇여십백천만억조경]{BLANK}))"
)


def _alternatives(words: dict[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_korean = re.compile(
    rf"{_UNCERTAIN_BEFORE}(?P<number>{KOREAN})(?:{BLANK}?여)?{BLANK}?(?P<currency>{_alternatives(_BY_KOREAN_WORD)})(?:{_AFTER})"
)
#: With a large number, 원 may stand before any word: 200만원지원. A small one may be part of it: 3원칙.
_won = re.compile(rf"{_UNCERTAIN_BEFORE}(?P<number>{KOREAN})(?:(?<=[백천만억조])|(?<=\d\d\d))원(?=[가-힣])")
#: The first amount of a range that ends with such a match: 80~100만원, 80만~100만원.
_range_start = re.compile(
    rf"(?<![\w.,])(?<![만억조] )(?P<number>{DIGITS}(?P<unit>[십백천]?[만억조]|[백천])?) ?[~∼～] ?\Z"
)
_RANGE_CHARS = 30
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
_leading = re.compile(rf"{DIGITS}(?=[십백천만억조]*\Z)")
#: Words that mean money only where the number looks like it: "3 won", "180 pounds".
_AMBIGUOUS = {"won", "pound", "pounds"}
_LARGE_DIGITS = 5
#: What the second amount of a range says of the first: $10-15 million, $10 to $15 million.
_range = re.compile(rf"(?: ?[-–~] ?| to )[$€£¥]?{DIGITS}(?P<unit>{ENGLISH_UNIT}(?![A-Za-z]))")
_percent = re.compile(
    # Not of 66 2/3%, nor a part of 3천5.
    rf"(?<![A-Za-z0-9_.,십백천만억조])(?<!\d/)(?P<number>[-−+]?{DIGITS}){BLANK}?"
    r"(?:[%％](?:p\b|포인트)?|퍼센트(?:포인트)?|percentage points?|percent|per cent|pct\b)"
)


def money(text: str) -> Iterator[Match]:
    """Amounts of money: "1200000000000 KRW"."""
    for found in _korean.finditer(text):
        value = numbers.korean(found["number"])
        currency = _BY_KOREAN_WORD[found["currency"]]
        yield _money(found, value, currency)
        yield from _before(text, found, value, currency)
    for found in _won.finditer(text):
        if not any(char.isdigit() for char in found["number"]):
            continue  # a name: 백원근
        value = numbers.korean(found["number"])
        yield _money(found, value, "KRW")
        yield from _before(text, found, value, "KRW")
    for found in _symbol.finditer(text):
        if found["korean"]:
            value = numbers.korean(found["korean"].replace(" ", ""))
        else:
            after = _range.match(text, found.end()) if found["unit"] is None else None
            value = numbers.english(found["number"], after["unit"] if after else found["unit"])
        value = -value if found["sign"] else value
        yield _money(found, value, _BY_SYMBOL.get(found["symbol"], found["symbol"]))
    for found in _word.finditer(text):
        currency = found["currency"]
        if currency.lower() in _AMBIGUOUS and not _looks_like_money(found):
            continue
        code = _BY_ENGLISH_WORD.get(currency.lower(), currency.upper())
        yield _money(found, numbers.english(found["number"], found["unit"]), code)


def _before(text: str, found: re.Match[str], value: Decimal, currency: str) -> Iterator[Match]:
    """The first amount of a range, in its own unit or in that of the second."""
    start = max(0, found.start() - _RANGE_CHARS)
    first = _range_start.search(text[start : found.start()])
    if first is None:
        return
    if first["unit"]:
        amount = numbers.korean(first["number"])
    else:
        written = _leading.match(found["number"])
        if written is None or not (last := numbers.digits(written[0])):
            return
        amount = numbers.digits(first["number"]) * value / last
    place = start + first.start("number")
    yield Match(place, place + len(first["number"]), "MONEY", f"{numbers.written(amount)} {currency}")


def percent(text: str) -> Iterator[Match]:
    """Percentages and percentage points: "3.5"."""
    for found in _percent.finditer(text):
        value = numbers.digits(found["number"].replace("−", "-"))
        yield Match(*found.span(), "PERCENT", numbers.written(value))


def _looks_like_money(found: re.Match[str]) -> bool:
    number = found["number"]
    return bool(found["unit"]) or "," in number or len(number.partition(".")[0]) >= _LARGE_DIGITS


def _money(found: re.Match[str], value: Decimal, currency: str) -> Match:
    return Match(*found.span(), "MONEY", f"{numbers.written(value)} {currency}")
