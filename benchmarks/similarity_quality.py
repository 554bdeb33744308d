"""What our default model finds, beside tf-idf, LSA and gensim's inference, each on the same words."""

from __future__ import annotations

from benchmarks import report
from benchmarks.similarity_data import Gold, cosines
from benchmarks.similarity_speed import train
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity.flow import Flow

COLUMNS = ["set", "docmill", "tf-idf", "LSA-200", "docmill + tf-idf"]
#: The issue's bars for Doc2Vec, top-1.
LEAST = {"wikihalves": 0.83, "law": 0.90}
#: The share of tf-idf's cosine in the last column.
TFIDF_SHARE = 0.7


def measure(golds: list[Gold], device: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and bars; prints the table. tf-idf and LSA need scikit-learn."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows, bars = [], {}
    figures: dict[str, float] = {}
    for gold in golds:
        words = gold.test.words()
        weighted = TfidfVectorizer(analyzer=lambda document: document, sublinear_tf=True).fit(
            gold.train.words()
        )
        terms = weighted.transform(words)
        topics = (
            TruncatedSVD(200, random_state=0).fit(weighted.transform(gold.train.words())).transform(terms)
        )
        ours, tfidf = (
            cosines(Flow(train(gold, TrainSimilarityParameters()), device)(words)),
            (terms @ terms.T).toarray(),
        )
        found = {
            "docmill": gold.quality(ours),
            "tf-idf": gold.quality(tfidf),
            "LSA-200": gold.quality(cosines(topics)),
            "docmill + tf-idf": gold.quality(TFIDF_SHARE * tfidf + (1 - TFIDF_SHARE) * ours),
        }
        rows.append([gold.name, *found.values()])
        figures |= {f"{gold.name}, {method}": value for method, value in found.items()}
        if gold.name in LEAST:
            bars[f"{gold.name}: top-1 of docmill"] = {"value": found["docmill"], "at_least": LEAST[gold.name]}
    report.table("quality (lee: correlation with people; else top-1)", COLUMNS, rows)
    return figures, bars
