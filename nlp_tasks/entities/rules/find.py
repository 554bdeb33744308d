"""All rules over one text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from nlp_tasks import heartbeat
from nlp_tasks.entities.rules import amounts, contacts, dates, identifiers, times
from nlp_tasks.entities.rules.labels import LABELS
from nlp_tasks.entities.rules.match import Match

_RULES: dict[str, Callable[[str], Iterator[Match]]] = {
    "EMAIL": contacts.emails,
    "URL": contacts.urls,
    "CARD": identifiers.cards,
    "RESIDENT_NUMBER": identifiers.residents,
    "CORPORATE_NUMBER": identifiers.corporations,
    "BUSINESS_NUMBER": identifiers.businesses,
    "SSN": identifiers.social_security,
    "PASSPORT": identifiers.passports,
    "PHONE": contacts.phones,
    "ACCOUNT": identifiers.accounts,
    "MONEY": amounts.money,
    "PERCENT": amounts.percent,
    "DATE": dates.dates,
    "TIME": times.times,
}


def find(text: str, labels: Collection[str] = LABELS) -> list[Match]:
    """What the rules of these labels find in a text, in its order, without overlaps. Where two rules overlap, the one
    that comes first in LABELS decides; of one rule's, the longer. A rule that is not chosen still takes its places: a
    phone number is no date because nobody asked for phone numbers."""
    taken: list[Match] = []
    occupied = bytearray(len(text))
    for label in LABELS:
        heartbeat.beat()
        found = heartbeat.beating(_RULES[label](text))
        for match in sorted(found, key=lambda each: (each.start - each.end, each.start)):
            heartbeat.beat()
            if not any(occupied[match.start : match.end]):
                occupied[match.start : match.end] = b"\1" * (match.end - match.start)
                taken.append(match)
    return sorted((match for match in taken if match.label in labels), key=lambda match: match.start)
