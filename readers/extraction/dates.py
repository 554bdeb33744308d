"""Dates as files write them, in ISO 8601; None for what is none."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

#: D:20260105093000+09'00', of which everything after the year may be missing.
_PDF = re.compile(
    r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-]\d\d)'?(\d\d)?'?)?", re.ASCII
)


def of_pdf(text: str) -> str | None:
    """ISO 32000, 7.9.4."""
    found = _PDF.match(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, utc, hours, minutes = found.groups()
    zone = "+00:00" if utc else f"{hours}:{minutes or '00'}" if hours else ""
    return of_iso(
        f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone}"
    )


def of_iso(text: str) -> str | None:
    """As office files write them."""
    try:
        return datetime.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return None


def of_page(text: str) -> str | None:
    """As web pages write them."""
    return of_iso(text) or of_mail(text)


def of_mail(text: str) -> str | None:
    """RFC 5322."""
    try:
        return parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
