"""The stage of `summarize` for extractive methods, a batch of documents at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from nlp_tasks import sentences
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.sentences import Span
from nlp_tasks.summarization import SummarizeParameters, SummaryRow, SummarySentenceRow
from nlp_tasks.summarization.extractive import candidates
from nlp_tasks.summarization.extractive.extract import Extract, extract
from nlp_tasks.summarization.extractive.prose_filter import prose
from nlp_tasks.text import tokens
from readers.markup import Plain

#: Longer sentences are running text without full stops, or noise: they are split.
_LONGEST_SENTENCE = 1000


class Summarizer:
    """The stage of the kind `summarize`."""

    batch_documents = 256
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        self._parameters: SummarizeParameters = setup.parameters
        self._device = setup.device
        self._beat = setup.beat
        self._query = candidates.content(tokens(self._parameters.query))

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """A SummaryRow with its SummarySentenceRows for each document, or a DocumentError if it is blank."""
        seen = [Plain(document.text) for document in documents]
        texts = [each.text for each in seen]
        spans = [self._split(text) for text in texts]
        chosen_from = [
            self._candidates(one, split, document.not_prose)
            for one, split, document in zip(seen, spans, documents, strict=True)
        ]
        filled = [index for index, found in enumerate(chosen_from) if found]
        extracts = extract(
            [self._described(texts[i], chosen_from[i]) for i in filled],
            self._parameters,
            self._query,
            self._device,
            self._beat,
        )
        results: list[Result] = [DocumentError("EMPTY_TEXT", "the text is blank") for _ in documents]
        for index, found in zip(filled, extracts, strict=True):
            results[index] = self._rows(seen[index], chosen_from[index], found, len(spans[index]))
        return results

    def _rows(
        self, seen: Plain, spans: Sequence[Span], found: Extract, n_sentences: int
    ) -> list[SummaryRow | SummarySentenceRow]:
        chosen = [spans[place] for place in found.places]
        summary = " ".join(candidates.shown(seen.text[start:end]) for start, end in chosen)
        places = [
            SummarySentenceRow(position, *seen.origin(*span), score)
            for position, (span, score) in enumerate(zip(chosen, found.scores, strict=True), start=1)
        ]
        return [SummaryRow(summary, self._parameters.method, n_sentences), *places]

    def _candidates(self, seen: Plain, spans: list[Span], not_prose: Sequence[Span]) -> list[Span]:
        """The sentences that a summary may have: none of the headings and rows of tables, if there are others."""
        if not_prose:
            spans = [span for span in spans if not _covers(not_prose, *seen.origin(*span))] or spans
        return [spans[index] for index in prose(seen.text, spans)]

    def _described(self, text: str, spans: Sequence[Span]) -> candidates.Candidates:
        self._beat()
        return candidates.described([candidates.shown(text[start:end]) for start, end in spans])

    def _split(self, text: str) -> list[Span]:
        self._beat()
        return sentences.split(text, _LONGEST_SENTENCE)


def _covers(not_prose: Sequence[Span], start: int, end: int) -> bool:
    """Whether at least half of a sentence lies in these places."""
    first = bisect_right(not_prose, (start, end))
    n_chars = 0
    for low, high in not_prose[max(0, first - 1) :]:
        if low >= end:
            break
        n_chars += max(0, min(high, end) - max(low, start))
    return 2 * n_chars >= end - start > 0
