"""Numbers as Korean and English texts write them: 1조 2천억, 3,000만, 2.5 million."""

from __future__ import annotations

import re
from decimal import Decimal

#: Digits with separators of thousands and a decimal part. At most 24 digits in a group, so that time stays linear.
DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,24})(?:\.\d{1,12})?"
#: A space in a number, which texts from the web often do not let break.
BLANK = r"[ \u00a0]"
_SMALL = {"십": 10, "백": 100, "천": 1_000}
_LARGE = {"만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
_SPOKEN = {word: number for number, word in enumerate("일이삼사오육칠팔구", start=1)}
_KOREAN_PART = r"(?:[일이삼사오육칠팔구]?[십백천]){0,3}[일이삼사오육칠팔구]?[만억조경]?"
_MIXED_PART = rf"{DIGITS}[십백천]?(?:(?<=[십백천]){BLANK}?{DIGITS}[십백]?)?여?(?:{BLANK}?[만억조경])?"
#: 1조 2천억, 3,000만, 2천500만, 20여만, 20여 만, 삼천만, 100. Parts may be apart by one space, but only beside a unit.
KOREAN = (
    rf"(?:{_MIXED_PART}|[일이삼사오육칠팔구]?[십백천만억조]{_KOREAN_PART})"
    rf"(?:(?<=[만억조경]){BLANK}?(?:{_MIXED_PART}|[일이삼사오육칠팔구]?[십백천]{_KOREAN_PART})){{0,4}}"
)
_ENGLISH_UNITS = {
    "thousand": 10**3, "k": 10**3,
    "million": 10**6, "mn": 10**6, "mm": 10**6, "m": 10**6,
    "billion": 10**9, "bn": 10**9, "b": 10**9,
    "trillion": 10**12, "tn": 10**12, "t": 10**12,
}  # fmt: skip
#: What may follow the digits of an English amount, also on the next line; single letters only directly.
ENGLISH_UNIT = r"(?:(?:\s{1,2}|-)?(?:thousand|million|billion|trillion|mn|mm|bn|tn)|[kKmMbBtT])"
_tokens = re.compile(rf"{DIGITS}|[십백천만억조경일이삼사오육칠팔구]")


def korean(text: str) -> Decimal:
    """The value of a text that KOREAN matches."""
    total, section, number = Decimal(0), Decimal(0), None
    for token in _tokens.findall(text):
        if token in _SMALL:
            section += (Decimal(1) if number is None else number) * _SMALL[token]
            number = None
        elif token in _LARGE:
            section += number or 0
            total += (section or 1) * _LARGE[token]
            section, number = Decimal(0), None
        else:
            number = Decimal(_SPOKEN[token]) if token in _SPOKEN else digits(token)
    return total + section + (number or 0)


def english(number: str, unit: str | None) -> Decimal:
    """The value of digits and what follows them ("million", "bn", or nothing)."""
    factor = _ENGLISH_UNITS[unit.strip("-").strip().lower()] if unit else 1
    return digits(number) * factor


def digits(text: str) -> Decimal:
    """The value of digits with separators."""
    return Decimal(text.replace(",", ""))


def written(value: Decimal) -> str:
    """Without an exponent and without zeros at the end: 1200000000000, 3.5."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
