"""The labels that rules give, and their names in parameters."""

from __future__ import annotations

import difflib

#: Every label, in the order in which rules take a place in the text.
LABELS = (
    "EMAIL",
    "URL",
    "CARD",
    "RESIDENT_NUMBER",
    "CORPORATE_NUMBER",
    "BUSINESS_NUMBER",
    "SSN",
    "PASSPORT",
    "PHONE",
    "ACCOUNT",
    "MONEY",
    "PERCENT",
    "DATE",
    "TIME",
)
#: Names for several labels.
GROUPS = {
    "all": frozenset(LABELS),
    "none": frozenset[str](),
    #: What identifies a person.
    "pii": frozenset({"EMAIL", "PHONE", "CARD", "RESIDENT_NUMBER", "SSN", "PASSPORT", "ACCOUNT"}),
}


def chosen(text: str) -> frozenset[str]:
    """The labels that a list such as `date, money, pii` names; none for a blank one. ValueError for an unknown name."""
    found: set[str] = set()
    for name in (part.strip() for part in text.split(",")):
        if not name:
            continue
        if name.lower() in GROUPS:
            found |= GROUPS[name.lower()]
        elif name.upper() in LABELS:
            found.add(name.upper())
        else:
            names = [*GROUPS, *(label.lower() for label in LABELS)]
            near = difflib.get_close_matches(name.lower(), names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
            raise ValueError(f"no rule has the name {name!r}: {hint}")
    return frozenset(found)
