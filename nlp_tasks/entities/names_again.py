"""Names that a model finds in one sentence of a text, in the other sentences as well.

A model reads each sentence by itself. It may find a name where the words around it say what it is, and miss it where
they do not, which a reader of the text notices at once (Krishnan & Manning 2006 give the model such evidence; here it
only adds what is missing).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nlp_tasks.entities.architecture import Found
from nlp_tasks.entities.gazetteer import made_of
from nlp_tasks.entities.spans import Entity

#: A mention has to be at least this sure for others to be added.
SURE = 0.5
#: Of the mentions that were added to texts of Wikipedia, about half were right, whatever the score of the surest one.
ADDED = 0.5
#: Shorter names are often a part of something else.
LEAST_CHARS = 2


def with_missed_mentions(text: str, found: Sequence[Found]) -> list[Found]:
    """What was found, by place, and the other mentions of its names, each with half the score of the surest one.

    Mentions are compared with regard to case. They begin and end with a word, but for Korean particles, and overlap
    nothing that was found. Something with digits, or that begins with a small letter, is no name. A name that was found
    with several labels has that of the highest total score.
    """
    names = _names(text, found)
    if not names:
        return list(found)
    mentions = made_of((name, label) for name, (label, _) in names.items()).find(text)
    taken = bytearray(len(text))
    for one in found:
        taken[one.entity.start : one.entity.end] = b"\1" * (one.entity.end - one.entity.start)
    missed = [
        Found(Entity(each.start, each.end, label), score * ADDED)
        for each in mentions
        if not any(taken[each.start : each.end]) and (known := names.get(text[each.start : each.end]))
        for label, score in (known,)
    ]
    return sorted([*found, *missed], key=lambda one: one.entity.start)


def _names(text: str, found: Sequence[Found]) -> dict[str, tuple[str, float]]:
    """The label of each name that was found for sure, and the score of its surest mention with this label."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        scores[text[one.entity.start : one.entity.end]][one.entity.label].append(one.score)
    names: dict[str, tuple[str, float]] = {}
    for name, of_label in scores.items():
        label = max(of_label, key=lambda each: sum(of_label[each]))
        score = max(of_label[label])
        if score >= SURE and _is_name(name):
            names[name] = (label, score)
    return names


def _is_name(text: str) -> bool:
    return len(text) >= LEAST_CHARS and not text[0].islower() and not any(char.isdigit() for char in text)
