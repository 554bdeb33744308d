"""Other extractive summarizers with the same sentences and tokens: sumy 0.13, textrankr 1.1, and the first sentences.

    pip install sumy textrankr

Their own code does all the ranking. The tokenizers of sumy need a download (punkt of nltk), and textrankr splits at
every full stop, so both get docmill's sentences and tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Sentences: TypeAlias = Sequence[Sequence[str]]
#: From the tokens of a document's sentences and a number, to the indexes of that many sentences, the best first.
Ranker: TypeAlias = Callable[[Sentences, int], list[int]]


def longest(order: Sequence[int], sizes: Sequence[int], chars: int) -> list[int]:
    """The sentences of a summary of at most this many characters, in document order: from the best one on, each that
    still fits; the shortest one if none does."""
    chosen: list[int] = []
    room = chars + 1
    for place in order:
        if sizes[place] < room:
            chosen.append(place)
            room -= sizes[place] + 1
    return sorted(chosen) or [min(order, key=lambda place: sizes[place])]


class SumySentence:
    """The parts of a sentence that sumy uses: its words, and the object as a dictionary key."""

    def __init__(self, place: int, words: Sequence[str]) -> None:
        self.place = place
        self.words = tuple(words)


class SumyDocument:
    """The parts of a document that sumy uses."""

    def __init__(self, sentences: Sentences) -> None:
        self.sentences = tuple(SumySentence(place, words) for place, words in enumerate(sentences))
        self.words = tuple(word for sentence in self.sentences for word in sentence.words)


def sumy(summarizer: Any) -> Ranker:
    """A summarizer of sumy as a Ranker. It would return the best sentences in document order."""

    def best(sentences: Sequence[Any], count: int, rating: Any, *arguments: Any) -> list[Any]:
        rate = rating.__getitem__ if isinstance(rating, dict) else lambda s: rating(s, *arguments)
        return sorted(sentences, key=rate, reverse=True)[:count]

    summarizer._get_best_sentences = best

    def rank(sentences: Sentences, n: int) -> list[int]:
        return [sentence.place for sentence in summarizer(SumyDocument(sentences), n)]

    return rank


def textrankr(sentences: Sentences, n: int) -> list[int]:
    """textrankr.TextRank.summarize, after the text has been parsed."""
    from networkx import pagerank
    from textrankr.sentence import Sentence
    from textrankr.utils import build_sentence_graph

    nodes = [Sentence(place, "", Counter(words)) for place, words in enumerate(sentences) if len(words) > 1]
    if not nodes:
        return []
    ranks = pagerank(build_sentence_graph(nodes, tolerance=0.05), weight="weight")
    return [node.index for node in sorted(ranks, key=ranks.get, reverse=True)[:n]]


def lead(sentences: Sentences, n: int) -> list[int]:
    """The first sentences."""
    return list(range(min(n, len(sentences))))


def peers() -> dict[str, Ranker]:
    """The peers by name. Raises ImportError with the command that installs them."""
    try:
        import textrankr as _  # noqa: F401
        from sumy.summarizers.lex_rank import LexRankSummarizer
        from sumy.summarizers.lsa import LsaSummarizer
        from sumy.summarizers.text_rank import TextRankSummarizer
    except ImportError as error:
        raise ImportError(
            f"{error}; this benchmark compares with peers: pip install sumy textrankr"
        ) from error
    return {
        "lead": lead,
        "sumy TextRank": sumy(TextRankSummarizer()),
        "sumy LexRank": sumy(LexRankSummarizer()),
        "sumy LSA": sumy(LsaSummarizer()),
        "sumy KL": sumy_kl,
        "textrankr": textrankr,
    }


def sumy_kl(sentences: Sentences, n: int) -> list[int]:
    """KLSummarizer of sumy, stopped after n sentences: otherwise it ranks all the others, too."""
    from sumy.summarizers.kl import KLSummarizer

    kl = KLSummarizer()
    wanted = kl.compute_tf(SumyDocument(sentences).sentences)
    left = {place: list(words) for place, words in enumerate(sentences)}
    said: list[str] = []
    kept: list[int] = []
    while left and len(kept) < n:
        divergence = {
            place: kl._kl_divergence(kl._joint_freq(words, said), wanted) for place, words in left.items()
        }
        best = min(left, key=divergence.__getitem__)
        kept.append(best)
        said += left.pop(best)
    return kept
