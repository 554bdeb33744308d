"""Keywords compared with YAKE, PositionRank and TextRank: F1 of their words against the words of the authors' titles.

    pip install yake
    python -m benchmarks.keywords --data DIR [--seed 7] [--documents 150]

No set of DIR has keywords by its authors, but titles: the content words of a title that its text has are the words to
find (of papers, articles, petitions and lexicon entries; of news, whose titles play with words, less so). Each method
gives TOP keywords; their words are compared in the singular. YAKE reads English text as it is, and the nouns of Korean
text, since it does not know particles. PositionRank (Florescu and Caragea 2017) and TextRank (Mihalcea and Tarau 2004)
are written out below, over all content words, and take the words of the best phrases.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from benchmarks import report
from benchmarks.summaries_data import records
from nlp_tasks.keywords import KEYWORDS, KeywordsParameters, stop_words
from nlp_tasks.keywords.word import singular
from nlp_tasks.kind import Document, Setup
from nlp_tasks.text import has_hangul, tokens

FOLDERS = ("en_summ_scisummnet", "en_news_bbc", "ko_summ_wikilead", "ko_topic_petitions")
TOP, WINDOW, DAMPING, ITERATIONS = 5, 4, 0.85, 30
LONGEST_CHARS = 20_000
#: From a text to its best terms.
Finder = Callable[[str], Sequence[str]]


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--documents", type=int, default=150)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    finders = _finders()
    figures: dict[str, Any] = {"machine": report.machine()}
    bars: dict[str, dict[str, float]] = {}
    for folder in FOLDERS:
        documents = _documents(arguments.data, folder, arguments.seed, arguments.documents)
        scores = {
            name: [100 * f1(find(text), title) for text, title in documents] for name, find in finders.items()
        }
        means = {name: fmean(values) for name, values in scores.items()}
        figures[folder] = {"documents": len(documents), **means}
        report.table(
            f"{folder}: F1 of the words of {TOP} keywords and of the title, {len(documents)} documents",
            ["method", "F1"],
            [[name, value] for name, value in means.items()],
        )
        best = max((name for name in means if name != "docmill"), key=means.__getitem__)
        bars[f"F1 on {folder}, over the best peer ({best})"] = report.at_least_as_good(
            scores["docmill"], scores[best]
        )
    report.end(figures, bars)


def f1(terms: Sequence[str], wanted: set[str]) -> float:
    """F1 of the words of the terms."""
    found = {word for term in terms for word in _words(term)}
    right = len(found & wanted)
    return 2 * right / (len(found) + len(wanted)) if right else 0.0


def _documents(data: Path, folder: str, seed: int, n: int) -> list[tuple[str, set[str]]]:
    """n texts, each with the words of its title that it has; of a title at least two, or the whole of it."""
    found = []
    for record in records(data, folder, seed):
        text = record["text"][:LONGEST_CHARS]
        title = set(_words(record["title"]))
        wanted = title & set(_words(text))
        if len(text) > 500 and (len(wanted) > 1 or (wanted and wanted == title)):
            found.append((text, wanted))
        if len(found) == n:
            break
    return found


def _words(text: str) -> list[str]:
    """The content words of a text in the singular."""
    return [singular(word) for word in tokens(text) if word not in stop_words.ENGLISH and len(word) > 1]


def _finders() -> dict[str, Finder]:
    """The methods by name. Raises ImportError with the command that installs the peer."""
    try:
        import yake
    except ImportError as error:
        raise ImportError(f"{error}; this benchmark compares with a peer: pip install yake") from error
    extractors = {
        language: yake.KeywordExtractor(lan=language, n=3, top=TOP, stopwords=stopwords)
        for language, stopwords in (("en", None), ("ko", set(stop_words.KOREAN)))
    }

    def by_yake(text: str) -> list[str]:
        is_korean = has_hangul(text)
        prepared = " ".join(tokens(text)) if is_korean else text
        return [term for term, _ in extractors["ko" if is_korean else "en"].extract_keywords(prepared)]

    runner = KEYWORDS.stages[0].open(Setup(KeywordsParameters(top=TOP)))

    def by_docmill(text: str) -> list[str]:
        rows: Any = runner.run([Document(1, "a", text)])[0]
        return [row.term for row in rows]

    return {
        "docmill": by_docmill,
        "YAKE": by_yake,
        "PositionRank": lambda text: ranked_phrases(_words(text), early=True),
        "TextRank": lambda text: ranked_phrases(_words(text), early=False),
        "frequency": lambda text: [word for word, _ in Counter(_words(text)).most_common(TOP)],
    }


def ranked_phrases(words: Sequence[str], early: bool) -> list[str]:
    """The best phrases of up to three adjacent words that occur twice, and single words, by the sum of their ranks."""
    ranks = _pagerank(words, early)
    grams = Counter(tuple(words[at : at + size]) for size in (1, 2, 3) for at in range(len(words) - size + 1))
    scores = {gram: sum(ranks[word] for word in gram) for gram, n in grams.items() if n > 1 or len(gram) == 1}
    return [" ".join(gram) for gram in sorted(scores, key=lambda gram: -scores[gram])[:TOP]]


def _pagerank(words: Sequence[str], early: bool) -> dict[str, float]:
    edges: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for at, word in enumerate(words):
        for other in words[at + 1 : at + WINDOW]:
            if other != word:
                edges[word][other] += 1
                edges[other][word] += 1
    start: Counter[str] = Counter()
    for at, word in enumerate(words, start=1):
        start[word] = start[word] + 1 / at if early else 1  # type: ignore[assignment]
    total = sum(start.values())
    ranks = {word: weight / total for word, weight in start.items()}
    for _ in range(ITERATIONS):
        flow: defaultdict[str, float] = defaultdict(float)
        for word, around in edges.items():
            degree = around.total()
            for other, weight in around.items():
                flow[other] += ranks[word] * weight / degree
        ranks = {word: (1 - DAMPING) * start[word] / total + DAMPING * flow[word] for word in start}
    return ranks


if __name__ == "__main__":
    main()
