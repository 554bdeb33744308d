"""Which language a text is in, by its script and, for Latin script, its most frequent words. Says None in doubt."""

from __future__ import annotations

import re
from collections import Counter

_SAMPLE_CHARS = 20_000
_SCRIPTS = (
    ("ko", re.compile("[가-힣]")),
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ar", re.compile("[\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufeff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_WORDS = {
    "en": frozenset(
        [
            "the",
            "of",
            "and",
            "to",
            "in",
            "is",
            "that",
            "for",
            "with",
            "as",
            "on",
            "by",
            "this",
            "from",
            "be",
            "are",
            "was",
            "it",
            "or",
            "an",
        ]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "und",
            "das",
            "von",
            "zu",
            "den",
            "mit",
            "ist",
            "des",
            "im",
            "für",
            "auf",
            "nicht",
            "ein",
            "eine",
            "dem",
            "als",
            "sich",
        ]
    ),
    "fr": frozenset(
        [
            "le",
            "la",
            "les",
            "des",
            "et",
            "en",
            "du",
            "une",
            "est",
            "que",
            "pour",
            "dans",
            "qui",
            "par",
            "sur",
            "pas",
            "plus",
            "au",
            "avec",
        ]
    ),
    "es": frozenset(
        [
            "el",
            "los",
            "las",
            "del",
            "que",
            "en",
            "por",
            "una",
            "para",
            "con",
            "se",
            "es",
            "como",
            "más",
            "su",
            "al",
            "lo",
        ]
    ),
}


def of(text: str) -> str | None:
    """ISO 639-1 of the language of most of the text."""
    sample = text[:_SAMPLE_CHARS]
    counts = {name: len(pattern.findall(sample)) for name, pattern in _SCRIPTS}
    n_latin = len(_LATIN.findall(sample))
    # A syllable or an ideograph is about as much text as two and a half Latin letters.
    weights = {name: 2.5 * n if name in ("ko", "ja", "zh") else n for name, n in counts.items()}
    if weights["ja"] > 0.1 * weights["zh"]:
        weights["ja"] += weights.pop("zh")
    best = max(weights, key=lambda name: weights[name])
    if weights[best] > n_latin:
        return best
    return _latin(sample)


def _latin(sample: str) -> str | None:
    words = Counter(re.findall(r"[a-z\u00c0-\u024f]+", sample.lower()))
    total = words.total()
    shares = {name: sum(words[word] for word in known) / max(1, total) for name, known in _WORDS.items()}
    best = max(shares, key=lambda name: shares[name])
    n_distinct = sum(word in words for word in _WORDS[best])
    is_sure = shares[best] >= 0.08 and n_distinct >= min(5, total // 5)
    return best if total >= 5 and is_sure else None
