"""The stage of `entities`: what the model and the rules find in each document."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from nlp_tasks import model_files
from nlp_tasks.entities import EntitiesParameters, EntityRow, RedactedRow, crf
from nlp_tasks.entities.redaction import redacted
from nlp_tasks.entities.rules import chosen
from nlp_tasks.entities.rules.find import find
from nlp_tasks.entities.rules.match import Match
from nlp_tasks.entities.spans import Entity
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup

MODEL, RULE = "model", "rule"


class EntityFinder:
    """The stage of the kind `entities`."""

    batch_documents = 64
    batch_chars = 500_000

    def __init__(self, setup: Setup) -> None:
        self._parameters: EntitiesParameters = setup.parameters
        self._beat = setup.beat
        self._labels = chosen(self._parameters.rules)
        self._redact = chosen(self._parameters.redact)
        self._tagger: crf.Tagger | None = None
        if self._parameters.method == "model":
            assert setup.model_dir is not None
            model_files.check(setup.model_dir)
            self._tagger = crf.Tagger(setup.model_dir / crf.FILE)

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """EntityRows for each document, and a RedactedRow if one was asked for; an error if it is blank."""
        results: list[Result] = []
        for document in documents:
            self._beat()
            results.append(self._of(document.text) if document.text.strip() else _blank())
        return results

    def _of(self, text: str) -> list[EntityRow | RedactedRow]:
        wanted = self._labels | self._redact
        matches = find(text, wanted) if wanted else []
        learned = self._tagger.find(text) if self._tagger is not None else []
        shown = [match for match in matches if match.label in self._labels]
        rows: list[EntityRow | RedactedRow] = [*_ranked(text, self._sure(text, learned, shown))]
        if self._redact:
            hidden = (Entity(m.start, m.end, m.label) for m in matches if m.label in self._redact)
            rows.append(RedactedRow(*redacted(text, hidden)))
        return rows

    def _sure(self, text: str, learned: Sequence[crf.Found], matches: Sequence[Match]) -> list[EntityRow]:
        found = [row for row in _merged(text, learned, matches) if row.score >= self._parameters.min_score]
        return sorted(found, key=lambda row: (row.start_char, row.end_char, row.label))


def _merged(text: str, learned: Sequence[crf.Found], matches: Sequence[Match]) -> list[EntityRow]:
    """What the model found, and what rules found elsewhere. A match inside an entity of the model gives it its normal
    form instead of a row of its own."""
    rows: list[EntityRow] = []
    # Neither overlap among themselves, and both are in the order of the text.
    starts, ends = [match.start for match in matches], [match.end for match in matches]
    used: set[int] = set()
    for one in learned:
        place = one.entity
        within = range(bisect_right(ends, place.start), bisect_left(starts, place.end))
        if any(starts[n] < place.start or ends[n] > place.end for n in within):
            # A rule that reaches further knows the whole of it.
            continue
        normal = matches[within[0]].normal if len(within) == 1 else None
        used.update(within)
        said = text[place.start : place.end]
        rows.append(EntityRow(0, place.start, place.end, place.label, said, one.score, MODEL, normal))
    left = (match for n, match in enumerate(matches) if n not in used)
    rows += [
        EntityRow(0, m.start, m.end, m.label, text[m.start : m.end], m.score, RULE, m.normal) for m in left
    ]
    return rows


def _ranked(text: str, rows: Sequence[EntityRow]) -> list[EntityRow]:
    return [
        EntityRow(
            rank, row.start_char, row.end_char, row.label, text[row.start_char : row.end_char], row.score, row.source,
            row.normal,
        )
        for rank, row in enumerate(rows, start=1)
    ]  # fmt: skip


def _blank() -> DocumentError:
    return DocumentError("EMPTY_TEXT", "the text is blank")
