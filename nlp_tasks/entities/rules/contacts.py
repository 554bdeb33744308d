"""E-mail addresses, URLs, and phone numbers in the form of E.164 where they have one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_tasks.entities.rules.match import Match

# The parts are at most as long as the standards allow, which keeps the time linear.
_email = re.compile(
    r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9][A-Za-z0-9_.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_url = re.compile(
    r"(?<![A-Za-z0-9_@])(?:https?://|ftp://|www\.)[^\s<>\"'“”‘’(){}「」『』《》|가-힣ㄱ-ㆎ]{1,2000}(?:\([^\s<>()]{0,200}\)[^\s<>\"'“”‘’(){}가-힣]{0,2000})?"
)
_TRAILING = ".,;:!?…"
_BY = r"[-. ]"
_phones = (
    # Korea: mobile, area codes, internet, free and virtual numbers; abroad without the first 0
    re.compile(
        rf"(?<![A-Za-z0-9_.+-])(?:\+82{_BY}?\(?0?\)?|\(?0)(?P<area>1[016789]|2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|80|50\d)"
        rf"\)?{_BY}{{0,2}}(?P<middle>\d{{3,4}}){_BY}(?P<last>\d{{4}})(?![A-Za-z0-9_-])"
    ),
    re.compile(r"(?<![A-Za-z0-9_.+-])0(?P<area>1[016789])(?P<middle>\d{4})(?P<last>\d{4})(?![A-Za-z0-9_-])"),
)
_representative = re.compile(r"(?<![A-Za-z0-9_.+-])(?P<first>1[568]\d\d)-(?P<last>\d{4})(?![A-Za-z0-9_-])")
#: Before a number that may also be two years: 1566-1614. How far before it, in characters, the word may be.
_says_phone = re.compile(r"전화|문의|상담|센터|번호|대표|연락|고객|☎|☏|\b(?:tel|phone|call)\b", re.IGNORECASE)
_SAYS_CHARS, _LAST_YEAR = 20, 2100
_american = re.compile(
    r"(?<![A-Za-z0-9_.+-])(?:\+?1[-. ])?(?:\((?P<area>[2-9]\d\d)\) ?|(?P<plain>[2-9]\d\d)[-.])"
    r"(?P<middle>[2-9]\d\d)[-. ](?P<last>\d{4})(?![A-Za-z0-9_-])"
)
_abroad = re.compile(r"(?<![A-Za-z0-9_+])\+(?!82|0)\d{1,3}(?:[-. ]\(?\d{1,4}\)?){2,5}(?![A-Za-z0-9_-])")


def emails(text: str) -> Iterator[Match]:
    """E-mail addresses; the host is in lower case in the normal form."""
    for found in _email.finditer(text):
        local, _, host = found[0].rpartition("@")
        if ".." not in local and not local.endswith("."):
            yield Match(*found.span(), "EMAIL", f"{local}@{host.lower()}")


def urls(text: str) -> Iterator[Match]:
    """URLs with a scheme or www."""
    for found in _url.finditer(text):
        address = found[0].rstrip(_TRAILING)
        if address.endswith((")", "]")) and address.count("(") < address.count(")"):
            address = address.rstrip(")]" + _TRAILING)
        if "." in address.partition("//")[2] or address.startswith("www."):
            normal = f"http://{address}" if address.startswith("www.") else address
            yield Match(found.start(), found.start() + len(address), "URL", normal)


def phones(text: str) -> Iterator[Match]:
    """Phone numbers of Korea and North America, and any with the code of a country."""
    for pattern in _phones:
        for found in pattern.finditer(text):
            yield Match(*found.span(), "PHONE", f"+82{found['area']}{found['middle']}{found['last']}")
    for found in _representative.finditer(text):
        if _are_years(found) and not _says_phone.search(
            text, max(0, found.start() - _SAYS_CHARS), found.start()
        ):
            continue
        yield Match(*found.span(), "PHONE", found[0])
    for found in _american.finditer(text):
        area = found["area"] or found["plain"]
        yield Match(*found.span(), "PHONE", f"+1{area}{found['middle']}{found['last']}")
    for found in _abroad.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if 8 <= len(digits) <= 15:
            yield Match(*found.span(), "PHONE", f"+{digits}")


def _are_years(found: re.Match[str]) -> bool:
    """Whether it reads as years as well, as of a life or a war: 1592-1598."""
    return int(found["first"]) < int(found["last"]) <= _LAST_YEAR
