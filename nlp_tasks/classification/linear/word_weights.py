"""What each word of a text adds to a score, from what its n-grams add.

An n-gram's contribution is divided among the characters of the places where it occurs, and a word gets those of its
own characters: "강아지", "_강아" and "아지" all count for 강아지. The sum over all words is that over all n-grams.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import text as words_of_text
from nlp_tasks.classification.linear import ngrams
from nlp_tasks.classification.linear.ngrams import NgramConfig
from nlp_tasks.text import has_hangul

#: A run of letters and digits, one of single jamo (laughter, crying), or another visible character.
_RUN = re.compile(r"[\u3130-\u318f]+|[^\W_\u3130-\u318f]+|[^\s]")
#: Morphemes that are shown without the particles after them.
_NOMINAL = re.compile("[가-힣a-z]+")


def of_words(
    text: str, config: NgramConfig, buckets: NDArray[np.int64], added: NDArray[np.float64]
) -> list[tuple[str, float]]:
    """(word, what it adds there) for each place of a word in the text.

    `added` are the contributions (nnz,) of the text's `buckets` (nnz,), which are in ascending order. Signs are words.
    """
    chars, found = ngrams.places(text, config)
    visible = np.flatnonzero([not char.isspace() for char in chars])
    sums = np.zeros(len(visible) + 1)
    _spread(sums, found, buckets, added)
    of_chars = np.concatenate(
        [np.zeros(1), np.cumsum(np.cumsum(sums[:-1]))]
    )  # of all visible characters before
    return [(word, float(of_chars[last] - of_chars[first])) for word, (first, last) in _words(chars, visible)]


def _spread(
    changes: NDArray[np.float64],
    found: ngrams.Places,
    buckets: NDArray[np.int64],
    added: NDArray[np.float64],
) -> None:
    """Divide each contribution among its places, as changes from one visible character to the next."""
    if not len(buckets):
        return
    index = np.minimum(np.searchsorted(buckets, found.buckets), len(buckets) - 1)
    known = (buckets[index] == found.buckets) & (found.ends > found.starts)
    index, starts, ends = index[known], found.starts[known], found.ends[known]
    n_places = np.bincount(index, minlength=len(buckets))
    share = added[index] / n_places[index] / (ends - starts)
    np.add.at(changes, starts, share)
    np.add.at(changes, ends, -share)


def _words(chars: str, visible: NDArray[np.int64]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each word as it is shown, and the visible characters that count for it."""
    cores = dict(_cores(chars)) if has_hangul(chars) else {}
    for match in _RUN.finditer(chars):
        first, last = np.searchsorted(visible, match.span()).tolist()
        yield cores.get(match.start(), match.group()), (first, last)


def _cores(chars: str) -> Iterator[tuple[int, str]]:
    """(start of a word with Hangul, its noun without particles), if it has one of two syllables or more."""
    nouns = words_of_text.located(chars)
    noun = next(nouns, None)
    for match in _RUN.finditer(chars):
        start, end = match.span()
        ends = []
        while noun is not None and noun[0] < end:
            if noun[0] >= start and chars[noun[0] : noun[1]] == noun[2] and _NOMINAL.fullmatch(noun[2]):
                ends.append(noun[1])
            noun = next(nouns, None)
        if ends and ends[-1] - start >= 2:
            yield start, chars[start : ends[-1]]
