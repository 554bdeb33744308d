"""The stage of `evaluate`: from summaries and references to scores."""

from __future__ import annotations

from collections.abc import Sequence

from nlp_tasks.errors import DocumentError
from nlp_tasks.evaluation import EvaluateParameters, SummaryScoreRow
from nlp_tasks.evaluation.rouge import rouge, rouge_tokens
from nlp_tasks.kind import Document, Result, Setup


class Judge:
    """The stage of the kind `evaluate`."""

    batch_documents = 256
    batch_chars = 10_000_000

    def __init__(self, setup: Setup) -> None:
        if setup.judged is None:
            raise ValueError("evaluate needs Setup.judged, which reads summaries from the store")
        self._parameters: EvaluateParameters = setup.parameters
        self._judged = setup.judged
        self._beat = setup.beat

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """A SummaryScoreRow per document; an error for one without a summary or a reference."""
        judged = self._judged([document.id for document in documents])
        return [self._one(document, *judged.get(document.id, (None, None))) for document in documents]

    def _one(self, document: Document, summary: str | None, reference: str | None) -> Result:
        self._beat()
        if summary is None:
            return DocumentError(
                "NO_SUMMARY", f"job {self._parameters.job} has no summary of this version of the document"
            )
        if not self._parameters.references:
            reference = document.label
        if not reference:
            return DocumentError("NO_REFERENCE", "there is no reference summary of this document")
        found, wanted = rouge_tokens(summary), rouge_tokens(reference)
        scores = rouge(found, wanted)
        return [SummaryScoreRow(self._parameters.job, *scores, len(found), len(wanted))]
