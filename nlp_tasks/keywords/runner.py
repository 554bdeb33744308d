"""The stage of `keywords`: PageRank over words (Mihalcea and Tarau 2004), a batch of documents at a time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain

import torch

from nlp_tasks.errors import DocumentError
from nlp_tasks.keywords import KeywordRow, KeywordsParameters
from nlp_tasks.keywords.candidates import ranked
from nlp_tasks.keywords.phrases import phrases
from nlp_tasks.keywords.word import Word, singular
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.summarization.extractive import ranking, term_matrix
from readers.markup import plain

#: Words within a window of this many words are connected; the nearer they are, the more windows they share.
WINDOW_WORDS = 4
#: How much more a word counts that first occurs at the beginning of a document; what share of its words the beginning
#: is, and how many words at least.
EARLY, BEGINNING, SHORTEST_BEGINNING = 3.0, 0.03, 3.0
#: The probability of following an edge instead of restarting: by half, a word counts by its own frequency and place.
DAMPING = 0.5


class KeywordFinder:
    """The stage of the kind `keywords`."""

    batch_documents = 256
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        self._parameters: KeywordsParameters = setup.parameters
        self._device = setup.device
        self._beat = setup.beat

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """KeywordRows for each document; none if it has no noun or content word; an error if it is blank."""
        texts = [plain(document.text) for document in documents]
        runs = [self._phrases(text) for text in texts]
        scores = word_scores(runs, self._device)
        return [
            self._rows(text, found, of_words) if text.strip() else _blank()
            for text, found, of_words in zip(texts, runs, scores, strict=True)
        ]

    def _rows(self, text: str, runs: Sequence[Sequence[Word]], scores: dict[str, float]) -> list[KeywordRow]:
        self._beat()
        found = ranked(text, runs, scores, self._parameters.top, self._parameters.max_words)
        return [
            KeywordRow(place, term, score / found[0][1]) for place, (term, score) in enumerate(found, start=1)
        ]

    def _phrases(self, text: str) -> list[list[Word]]:
        self._beat()
        return phrases(text)


def word_scores(documents: Sequence[Sequence[Sequence[Word]]], device: str = "cpu") -> list[dict[str, float]]:
    """The importance of each word of each document, by name, for all documents at once.

    PageRank on a graph of words, whose walks restart at frequent words, and more so at early ones (as in PositionRank,
    Florescu and Caragea 2017). The weight of an edge is the number of sliding windows of WINDOW_WORDS words that
    contain both words.
    """
    windows = [_windows([singular(word.name) for word in chain.from_iterable(runs)]) for runs in documents]
    filled = [index for index, of_words in enumerate(windows) if of_words]
    scores: list[dict[str, float]] = [{} for _ in documents]
    if not filled:
        return scores
    batch = term_matrix.count([list(windows[index].values()) for index in filled], device=device)
    early = torch.tensor([weight for index in filled for weight in _early(documents[index])], device=device)
    ranks = ranking.pagerank(batch, term_matrix.graph(batch, batch.counts), early, DAMPING)
    importance = iter(ranks.tolist())
    for index in filled:
        scores[index] = {name: next(importance) for name in windows[index]}
    return scores


def _early(runs: Sequence[Sequence[Word]]) -> list[float]:
    """How often each word occurs, in the order of the first occurrences; at the very beginning 1 + EARLY times that."""
    names = [singular(word.name) for word in chain.from_iterable(runs)]
    reach = max(BEGINNING * len(names), SHORTEST_BEGINNING)
    counts = Counter(names)
    first = {name: place for place, name in reversed(list(enumerate(names)))}
    return [n * (1 + EARLY * math.exp(-first[name] / reach)) for name, n in counts.items()]


def _windows(names: Sequence[str]) -> dict[str, list[str]]:
    """The numbers of the windows that contain each word; each window once."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    numbers = [str(number) for number in range(len(names) + WINDOW_WORDS - 1)]
    for place, name in enumerate(names):
        found[name].update(dict.fromkeys(numbers[place : place + WINDOW_WORDS]))
    return {name: list(of_word) for name, of_word in found.items()}


def _blank() -> DocumentError:
    return DocumentError("EMPTY_TEXT", "the text is blank")
