"""Other extractive summarizers with the same sentences and tokens: sumy 0.13 and textrankr 1.1.

    pip install sumy textrankr

Their own code does all the ranking. The tokenizers of sumy need a download (punkt of nltk), and textrankr splits at
every full stop, so both get docmill's sentences and tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Sentences: TypeAlias = Sequence[Sequence[str]]
#: From the tokens of a document's sentences and the number to keep, to the indexes of those kept, in order.
Summarizer: TypeAlias = Callable[[Sentences, int], list[int]]


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


def sumy(summarizer: Any) -> Summarizer:
    """A summarizer of sumy as a Summarizer."""

    def summarize(sentences: Sentences, keep: int) -> list[int]:
        return [sentence.place for sentence in summarizer(SumyDocument(sentences), keep)]

    return summarize


def textrankr(sentences: Sentences, keep: int) -> list[int]:
    """textrankr.TextRank.summarize, after the text has been parsed."""
    from networkx import pagerank
    from textrankr.sentence import Sentence
    from textrankr.utils import build_sentence_graph

    nodes = [Sentence(place, "", Counter(words)) for place, words in enumerate(sentences) if len(words) > 1]
    if not nodes:
        return []
    ranks = pagerank(build_sentence_graph(nodes, tolerance=0.05), weight="weight")
    best = sorted(ranks, key=ranks.get, reverse=True)[:keep]
    return sorted(node.index for node in best)


def peers() -> dict[str, Summarizer]:
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
        "sumy TextRank": sumy(TextRankSummarizer()),
        "sumy LexRank": sumy(LexRankSummarizer()),
        "sumy LSA": sumy(LsaSummarizer()),
        "sumy KL": sumy_kl,
        "textrankr": textrankr,
    }


def sumy_kl(sentences: Sentences, keep: int) -> list[int]:
    """KLSummarizer of sumy, stopped after the sentences that are kept: otherwise it ranks all the others, too."""
    from sumy.summarizers.kl import KLSummarizer

    kl = KLSummarizer()
    wanted = kl.compute_tf(SumyDocument(sentences).sentences)
    left = {place: list(words) for place, words in enumerate(sentences)}
    said: list[str] = []
    kept: list[int] = []
    while left and len(kept) < keep:
        divergence = {
            place: kl._kl_divergence(kl._joint_freq(words, said), wanted) for place, words in left.items()
        }
        best = min(left, key=divergence.__getitem__)
        kept.append(best)
        said += left.pop(best)
    return sorted(kept)
