"""Parts of dates as texts write them, and their form in ISO 8601."""

from __future__ import annotations

from datetime import date

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
            ("july", "jul"), ("august", "aug"), ("september", "sept", "sep"), ("october", "oct"),
            ("november", "nov"), ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
MONTH = (
    "(?P<month>"
    + "|".join(
        sorted((form for name in MONTHS for form in (name.capitalize(), name.upper())), key=len, reverse=True)
    )
    # The stop of an abbreviation, and not that of a sentence: "Nov. 26", "until 26 November."
    + r")\b(?:(?:(?<=\b[A-Z][a-z]{2})(?<!May)|(?<=\b[A-Z]{3})(?<!MAY)|(?<=\bSept)|(?<=\bSEPT))\.)?"
)
#: Between the parts of a date: texts that were set in columns have several blanks, or a line end.
GAP = r"\s{1,4}"
YEAR = r"(?P<year>(?:1[5-9]|20)\d\d)"
DAY = r"(?P<day>[0-3]?\d)"


def iso(year: int | None, month: int | None, day: int | None) -> str | None:
    """The parts of a date that are known, as ISO 8601; None if there is no such date."""
    try:
        # 2000 was a leap year.
        date(year or 2000, month or 1, day or 1)
    except ValueError:
        return None
    if month is None:
        return f"{year:04}" if year is not None else None
    start = "-" if year is None else f"{year:04}"
    return f"{start}-{month:02}" + ("" if day is None else f"-{day:02}")
