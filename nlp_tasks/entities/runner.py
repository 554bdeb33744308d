"""The stage of `entities`: what the model, a gazetteer and the rules find in each document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nlp_tasks.entities import EntitiesParameters, EntityRow, RedactedRow, architecture, gazetteer_files
from nlp_tasks.entities.architecture import Finder, Found
from nlp_tasks.entities.gazetteer import Gazetteer
from nlp_tasks.entities.merging import merged
from nlp_tasks.entities.names_again import with_missed_mentions
from nlp_tasks.entities.redaction import redacted
from nlp_tasks.entities.rules import chosen
from nlp_tasks.entities.rules.find import find
from nlp_tasks.entities.spans import Entity
from nlp_tasks.errors import DocumentError, ModelFileError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.onnx_graphs import using


class EntityFinder:
    """The stage of the kind `entities`."""

    batch_documents = 64
    batch_chars = 500_000

    def __init__(self, setup: Setup) -> None:
        self._parameters: EntitiesParameters = setup.parameters
        self._beat = setup.beat
        self._labels = chosen(self._parameters.rules)
        self._redact = chosen(self._parameters.redact)
        self._model: Finder | None = None
        self._gazetteer: Gazetteer | None = None
        if self._parameters.method == "model":
            assert setup.model_dir is not None
            self._model = architecture.load(setup.model_dir, setup.device)
            using.use(self._model, setup)
        if self._parameters.gazetteer:
            self._gazetteer = gazetteer_files.opened(self._parameters.gazetteer, ModelFileError)

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """EntityRows for each document, and a RedactedRow if one was asked for; an error if it is blank."""
        texts = [document.text for document in documents]
        learned = self._model.find(texts) if self._model is not None else [[] for _ in texts]
        results: list[Result] = []
        for text, found in zip(texts, learned, strict=True):
            self._beat()
            results.append(self._of(text, with_missed_mentions(text, found)) if text.strip() else _blank())
        return results

    def _of(self, text: str, learned: Sequence[Found]) -> list[EntityRow | RedactedRow]:
        wanted = self._labels | self._redact
        matches = find(text, wanted) if wanted else []
        names = self._gazetteer.find(text) if self._gazetteer is not None else []
        shown = [match for match in matches if match.label in self._labels]
        found = [
            row for row in merged(text, learned, names, shown) if row.score >= self._parameters.min_score
        ]
        rows: list[EntityRow | RedactedRow] = [
            replace(row, rank=rank) for rank, row in enumerate(found, start=1)
        ]
        if self._redact:
            hidden = (Entity(m.start, m.end, m.label) for m in matches if m.label in self._redact)
            rows.append(RedactedRow(*redacted(text, hidden)))
        return rows


def _blank() -> DocumentError:
    return DocumentError("EMPTY_TEXT", "the text is blank")
