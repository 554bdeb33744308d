"""The quality of the default model, alone and with tf-idf, compared with gensim, tf-idf and LSA on the same words.

gensim is measured twice: `infer_vector` on docmill's trained model, which compares inference alone; and a Doc2Vec model
as a user of gensim would train it, with the same size, epochs and minimum count, and otherwise its own defaults. The
weight of tf-idf, the power of counts and the down-sampling were chosen on wikihalves and law, not on lee.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.similarity_data import Gold, cosines
from benchmarks.similarity_speed import CHANCE, by_gensim, train
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity.inference import DbowInference
from nlp_tasks.similarity.model import Model, as_gensim
from nlp_tasks.similarity.shared_terms import TFIDF_SHARE, Terms, idf, packed
from nlp_tasks.similarity.word_counts import count

COLUMNS = ["set", "doc2vec", "hybrid", "by infer_vector", "gensim", "tf-idf", "LSA-200"]
#: The default parameters of a training.
DEFAULT = TrainSimilarityParameters()
#: The thresholds for top-1 accuracy.
LEAST = {"wikihalves": {"doc2vec": 0.83, "hybrid": 0.93}, "law": {"doc2vec": 0.90, "hybrid": 0.97}}


def measure(golds: list[Gold], device: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and thresholds; prints the table. tf-idf and LSA need scikit-learn. gensim alone takes some minutes."""
    rows, bars = [], {}
    figures: dict[str, float] = {}
    for gold in golds:
        found = _ours(gold, device) | {"gensim": _gensim(gold)} | _peers(gold)
        rows.append([gold.name, *found.values()])
        figures |= {f"{gold.name}, {method}": value for method, value in found.items()}
        for method, least in LEAST.get(gold.name, {}).items():
            bars[f"{gold.name}: top-1 of {method}"] = {"value": found[method], "at_least": least}
        least = found["by infer_vector"] - CHANCE
        bars[f"{gold.name}: as much as by infer_vector"] = {"value": found["doc2vec"], "at_least": least}
    report.table("quality (lee: correlation with people; else top-1)", COLUMNS, rows)
    return figures, bars


def _ours(gold: Gold, device: str) -> dict[str, float]:
    """The scores of a search: vectors minus their mean, for all pairs instead of the candidates only."""
    model = train(gold, DEFAULT)
    words = gold.test.words()
    vectors = cosines(DbowInference(model, device)(words) - model.mean)
    mixed = TFIDF_SHARE * term_cosines(model, words) + (1 - TFIDF_SHARE) * vectors
    theirs = by_gensim(as_gensim(model), words, model.infer_epochs, 0)
    return {
        "doc2vec": gold.quality(vectors),
        "hybrid": gold.quality(mixed),
        "by infer_vector": gold.quality(cosines(theirs - model.mean)),
    }


def _gensim(gold: Gold) -> float:
    """A model trained and queried as in the documentation of gensim."""
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument

    model = Doc2Vec(
        [TaggedDocument(words, [row]) for row, words in enumerate(gold.train.words())],
        dm=0,
        vector_size=DEFAULT.vector_size,
        epochs=DEFAULT.epochs,
        min_count=DEFAULT.min_count,
        seed=DEFAULT.seed,
        workers=1,
    )
    return gold.quality(cosines(by_gensim(model, gold.test.words(), DEFAULT.epochs, 0)))


def term_cosines(model: Model, words: list[list[str]]) -> NDArray[np.float32]:
    """The tf-idf cosines of all pairs of these documents  # (B, B)."""
    known = packed(count(words, model.numbers))
    terms = Terms(known, idf(model.document_counts, model.n_documents))
    every = np.arange(len(words))
    return np.stack([terms.cosines(row[None], every[None])[0] for row in every]).astype(np.float32)


def _peers(gold: Gold) -> dict[str, float]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    weighted = TfidfVectorizer(analyzer=lambda document: document, sublinear_tf=True)
    trained = weighted.fit_transform(gold.train.words())
    terms = weighted.transform(gold.test.words())
    topics = TruncatedSVD(200, random_state=0).fit(trained).transform(terms)
    return {
        "tf-idf": gold.quality((terms @ terms.T).toarray()),
        "LSA-200": gold.quality(cosines(topics)),
    }
