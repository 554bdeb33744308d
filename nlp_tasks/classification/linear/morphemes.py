"""`morphemes`: the same as `linear`, on n-grams of one to three morphemes.

About as accurate as `linear` on Korean, but with different errors, since it sees a stem independently of its endings:
a useful member of the ensemble. Most of the time is spent in MeCab. English is split into words.
"""

from __future__ import annotations

from functools import partial

from nlp_tasks.classification.linear import linear
from nlp_tasks.classification.linear.linear_model import load
from nlp_tasks.classification.linear.ngrams import NgramConfig

__all__ = ["fit", "load"]

#: Trigrams are many: more buckets than in `linear`.
CONFIG = NgramConfig(chars=(1, 0), words=(1, 2), morphemes=(1, 3), bits=24)

fit = partial(linear.fit, config=CONFIG)
