"""One list of entities from what the model, a gazetteer and the rules find. No two of them overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from nlp_tasks.entities import EntityRow
from nlp_tasks.entities.architecture import Found
from nlp_tasks.entities.rules.match import Match
from nlp_tasks.entities.spans import Entity

MODEL, RULE, GAZETTEER = "model", "rule", "gazetteer"


def merged(
    text: str, learned: Sequence[Found], names: Sequence[Entity], matches: Sequence[Match]
) -> list[EntityRow]:
    """The entities of a text, by place; each list is in the order of the text and without overlaps.

    A name of the gazetteer stands, unless an entity of the model has more than it. A match of a rule stands, unless it
    is within a name or an entity of the model: that one then has its normal form.
    """
    apart = _Places([(name.start, name.end) for name in names])
    named: list[tuple[Entity, float, str]] = []
    hidden: set[int] = set()
    for one in learned:
        within = apart.touching(one.entity.start, one.entity.end)
        if all(_has_more(one.entity, names[place]) for place in within):
            hidden.update(within)
            named.append((one.entity, one.score, MODEL))
    named += [(name, 1.0, GAZETTEER) for place, name in enumerate(names) if place not in hidden]
    named.sort(key=lambda each: each[0].start)
    return _with_rules(text, named, matches)


def _has_more(entity: Entity, name: Entity) -> bool:
    return (
        entity.start <= name.start
        and entity.end >= name.end
        and (entity.start, entity.end) != (name.start, name.end)
    )


def _with_rules(
    text: str, named: Sequence[tuple[Entity, float, str]], matches: Sequence[Match]
) -> list[EntityRow]:
    rows: list[EntityRow] = []
    ruled = _Places([(match.start, match.end) for match in matches])
    used: set[int] = set()
    for entity, score, source in named:
        within = ruled.touching(entity.start, entity.end)
        if any(matches[n].start < entity.start or matches[n].end > entity.end for n in within):
            # A rule that reaches further knows the whole of it.
            continue
        normal = matches[within[0]].normal if len(within) == 1 else None
        used.update(within)
        said = text[entity.start : entity.end]
        rows.append(EntityRow(0, entity.start, entity.end, entity.label, said, score, source, normal))
    rows += [
        EntityRow(0, m.start, m.end, m.label, text[m.start : m.end], m.score, RULE, m.normal)
        for n, m in enumerate(matches)
        if n not in used
    ]
    return sorted(rows, key=lambda row: (row.start_char, row.end_char, row.label))


class _Places:
    """Places in a text, in its order and without overlaps."""

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        self._starts = [start for start, _ in places]
        self._ends = [end for _, end in places]

    def touching(self, start: int, end: int) -> range:
        """The indexes of the places that have a character of this one."""
        return range(bisect_right(self._ends, start), bisect_left(self._starts, end))
