"""What rules find better than a model: dates, amounts, addresses and numbers with a checksum, each with a normal form.

    find.py         all rules over one text, without overlaps
    match.py        what a rule finds
    numbers.py      numbers as Korean and English texts write them
    amounts.py      money and percentages
    dates.py        dates; times.py: times of day
    contacts.py     e-mail addresses, URLs, phone numbers
    identifiers.py  registration, passport, card and account numbers

Every rule reads Korean and English. Time is linear in the length of the text. Imports nothing heavy: clients import the
names of the labels.
"""

from __future__ import annotations

from nlp_tasks.entities.rules.labels import GROUPS, LABELS, chosen

__all__ = ["GROUPS", "LABELS", "chosen"]
