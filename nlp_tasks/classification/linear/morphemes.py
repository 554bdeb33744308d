"""`morphemes`: what `linear` does, on n-grams of one to three morphemes.

About as exact as `linear` on Korean, and wrong about other documents, for it sees a stem whatever is fused to it: a
member of the ensemble. MeCab cuts the morphemes, which takes most of the time. English is read by its words.
"""

from __future__ import annotations

from functools import partial

from nlp_tasks.classification.linear import linear
from nlp_tasks.classification.linear.linear_model import load
from nlp_tasks.classification.linear.ngrams import NgramConfig

__all__ = ["fit", "load"]

#: Three in a row make many n-grams: more buckets than `linear` has.
CONFIG = NgramConfig(chars=(1, 0), words=(1, 2), morphemes=(1, 3), bits=24)

fit = partial(linear.fit, config=CONFIG)
