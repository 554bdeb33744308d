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
#: Representative numbers begin with these. Others are taken for one only where they cannot be years.
_REPRESENTATIVE = re.compile(
    r"15(?:22|33|44|51|66|77|88|99)|16(?:00|44|6[0168]|70|88)|18(?:00|11|33|55|77|99)"
)
_representative = re.compile(r"(?<![A-Za-z0-9_.+-])(?P<first>1[568]\d\d)-(?P<last>\d{4})(?![A-Za-z0-9_-])")
#: Beside a number that may also be two years: 1566-1614. How far before and after it, in characters, the word may be.
_says_phone = re.compile(
    r"전화|문의|상담|센터|번호|대표|연락|고객|통화|국번|ARS|☎|☏|\b(?:tel|phone|call)\b", re.IGNORECASE
)
_calls = re.compile(
    r"번?(?:으로|로|에|에서)?[ )]{0,2}(?:전화|문의|상담|연락|걸|통화)|번(?:[^가-힣]|으로|에|이|은|을|\Z)"
)
_says_years = re.compile(
    r"년|세기|시대|시기|왕조|역사|전쟁|재위|생몰|\b(?:years?|born|died|reign(?:ed)?|history|period|century|from|between|in)\b",
    re.IGNORECASE,
)
_BEFORE_CHARS, _AFTER_CHARS, _LAST_YEAR = 20, 12, 2100
#: Longer ranges of years are rare; phone numbers are not.
_LONGEST_YEARS = 150
#: Of a number that may be years, though nothing says so.
_UNSURE = 0.5
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
        if score := _is_representative(text, found):
            yield Match(*found.span(), "PHONE", found[0], score)
    for found in _american.finditer(text):
        area = found["area"] or found["plain"]
        yield Match(*found.span(), "PHONE", f"+1{area}{found['middle']}{found['last']}")
    for found in _abroad.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if 8 <= len(digits) <= 15:
            yield Match(*found.span(), "PHONE", f"+{digits}")


def _is_representative(text: str, found: re.Match[str]) -> float:
    """How sure it is that this is a representative number: 0 if it reads as years, as of a life or a war (1592-1598),
    and nothing beside it says that it is a number to call."""
    years = int(found["last"]) - int(found["first"])
    if years <= 0 or int(found["last"]) > _LAST_YEAR:
        return 1.0
    before = max(0, found.start() - _BEFORE_CHARS), found.start()
    after = found.end(), found.end() + _AFTER_CHARS
    if _says_phone.search(text, *before) or _calls.match(text, *after):
        return 1.0
    says_years = _says_years.search(text, *before) or _says_years.search(text, *after)
    is_given_out = _REPRESENTATIVE.fullmatch(found["first"]) is not None
    return _UNSURE if is_given_out and years > _LONGEST_YEARS and not says_years else 0.0
