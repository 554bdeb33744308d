"""Numbers that identify a person, a business, a card or an account. Checksums are verified where there is one; other
numbers count only after a word that says what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from nlp_tasks.entities.rules.match import Match

#: Characters before a number in which a word may say what it is.
_CONTEXT = 30
_card = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:\d{4}(?P<by>[- ]?)\d{4}(?P=by)\d{4}(?P=by)\d{4}"
    r"|3[47]\d\d(?P<amex>[- ]?)\d{6}(?P=amex)\d{5})(?![A-Za-z0-9_-])"
)
_thirteen = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:(?P<first>\d{6}) ?- ?(?P<second>\d{7})|(?P<all>\d{13}))(?![A-Za-z0-9_-])"
)
_business = re.compile(r"(?<![A-Za-z0-9_.-])(?P<number>\d{3}-\d{2}-\d{5}|\d{10})(?![A-Za-z0-9_-])")
_ssn = re.compile(r"(?<![A-Za-z0-9_.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![A-Za-z0-9_-])")
_passport = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z]\d{8}|[A-Z]\d{3}[A-Z]\d{4}|\d{9})(?![A-Za-z0-9])")
_account = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:\d{2,6}(?:-\d{1,8}){1,4}|\d{10,14})(?![A-Za-z0-9_-])(?! ?(?:원|달러|엔|유로|won|USD|KRW))"
)
_begins_with_date = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:-|\Z)")
_iban = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_says_passport = re.compile(r"여권|passport", re.IGNORECASE)
_says_business = re.compile(r"사업자|business (?:registration|number)", re.IGNORECASE)
_says_resident = re.compile(r"주민|외국인 ?등록|resident", re.IGNORECASE)
_says_corporate = re.compile(r"법인|corporate", re.IGNORECASE)
_says_account = re.compile(
    r"계좌|은행|농협|수협|신협|새마을금고|우체국|뱅크|입금|송금|이체|account|acct|a/c", re.IGNORECASE
)
#: Numbers that were issued from October 2020 on have no checksum.
_UNSURE = 0.5
#: Nobody with a number was born later.
_LAST_YEAR = 2040


def cards(text: str) -> Iterator[Match]:
    """Payment cards, by Luhn's checksum."""
    for found in _card.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if luhn(digits) and digits[0] in "23456" and len(set(digits)) > 1:
            yield Match(*found.span(), "CARD", digits)


def residents(text: str) -> Iterator[Match]:
    """Korean resident and foreigner registration numbers. One with a possible birth date and without a valid checksum
    has a lower score."""
    for found in _thirteen.finditer(text):
        digits = _digits(found)
        birth = birth_date(digits)
        if birth is None:
            continue
        is_named = _says(_says_resident, text, found.start())
        # Barcodes and order numbers have 13 digits, too.
        if found["all"] and not is_named:
            continue
        if resident_checksum(digits) or is_named:
            score = 1.0
        elif corporate_checksum(digits) or _says(_says_corporate, text, found.start()):
            continue
        else:
            score = _UNSURE
        if (
            score == 1.0
            and not is_named
            and corporate_checksum(digits)
            and _says(_says_corporate, text, found.start())
        ):
            continue
        yield Match(*found.span(), "RESIDENT_NUMBER", f"{digits[:6]}-{digits[6:]}", score)


def corporations(text: str) -> Iterator[Match]:
    """Korean corporate registration numbers."""
    for found in _thirteen.finditer(text):
        digits = _digits(found)
        is_named = _says(_says_corporate, text, found.start())
        if corporate_checksum(digits) and (is_named or not found["all"]):
            yield Match(*found.span(), "CORPORATE_NUMBER", f"{digits[:6]}-{digits[6:]}")


def businesses(text: str) -> Iterator[Match]:
    """Korean business registration numbers; without hyphens only where the text says so."""
    for found in _business.finditer(text):
        digits = found["number"].replace("-", "")
        has_hyphens = "-" in found["number"]
        if business_checksum(digits) and (has_hyphens or _says(_says_business, text, found.start())):
            yield Match(*found.span(), "BUSINESS_NUMBER", f"{digits[:3]}-{digits[3:5]}-{digits[5:]}")


def social_security(text: str) -> Iterator[Match]:
    """US social security numbers."""
    for found in _ssn.finditer(text):
        yield Match(*found.span(), "SSN", found[0])


def passports(text: str) -> Iterator[Match]:
    """Passport numbers, after a word that says so."""
    for found in _passport.finditer(text):
        if _says(_says_passport, text, found.start()):
            yield Match(*found.span(), "PASSPORT", found[0])


def accounts(text: str) -> Iterator[Match]:
    """Bank accounts: by the checksum of an IBAN, or after a word that says so."""
    for found in _iban.finditer(text):
        compact = found[0].replace(" ", "")
        if 15 <= len(compact) <= 34 and iban_checksum(compact):
            yield Match(*found.span(), "ACCOUNT", compact)
    for found in _account.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if (
            10 <= len(digits) <= 16
            and not _begins_with_date.match(found[0])
            and _says(_says_account, text, found.start())
        ):
            yield Match(*found.span(), "ACCOUNT", digits)


def luhn(digits: str) -> bool:
    """Whether the last digit is right (ISO/IEC 7812-1)."""
    doubled = [int(d) * 2 for d in digits[-2::-2]]
    return (sum(int(d) for d in digits[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def business_checksum(digits: str) -> bool:
    """Whether the last of 10 digits is right."""
    if len(digits) != 10:
        return False
    numbers = [int(d) for d in digits]
    total = sum(n * w for n, w in zip(numbers, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=False))
    return (10 - (total + numbers[8] * 5 // 10) % 10) % 10 == numbers[9]


def corporate_checksum(digits: str) -> bool:
    """Whether the last of 13 digits is right."""
    total = sum(int(d) * (1 + place % 2) for place, d in enumerate(digits[:12]))
    return (10 - total % 10) % 10 == int(digits[12])


def resident_checksum(digits: str) -> bool:
    """Whether the last of 13 digits is right; foreigners' numbers have another constant."""
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=False))
    base = 13 if digits[6] in "5678" else 11
    return (base - total % 11) % 10 == int(digits[12])


def birth_date(digits: str) -> date | None:
    """The date in a resident registration number; None if there is no such date, or if it lies far ahead. The same in
    every year: results must not depend on when they are made."""
    century = {"1": 1900, "2": 1900, "5": 1900, "6": 1900, "3": 2000, "4": 2000, "7": 2000, "8": 2000}.get(
        digits[6]
    )
    if century is None:  # 9 and 0: born before 1900
        return None
    try:
        found = date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return None
    return found if found.year <= _LAST_YEAR else None


def iban_checksum(compact: str) -> bool:
    """Whether an IBAN is right (ISO 13616: the remainder by 97 is 1)."""
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _digits(found: re.Match[str]) -> str:
    return found["all"] or found["first"] + found["second"]


def _says(words: re.Pattern[str], text: str, start: int) -> bool:
    return words.search(text, max(0, start - _CONTEXT), start) is not None
