"""How well each method finds what is alike: STS (correlation with people's scores of pairs), wikihalves and law
(whether the nearest document is of the same article or family).

Doc2Vec is trained on the texts of the set itself, as a user of docmill would; encoders are used as they come.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.similarity_data import Gold, Texts, cosines, law, read, wikihalves
from benchmarks.similarity_quality import DEFAULT, term_cosines
from benchmarks.similarity_speed import train
from nlp_tasks.encoders import Encoder, open_folder
from nlp_tasks.kind import Document
from nlp_tasks.similarity.by_encoder import TFIDF_SHARE as SHARE_BESIDE_ENCODER
from nlp_tasks.similarity.inference import DbowInference
from nlp_tasks.similarity.search_runner import TFIDF_SHARE

STS = ("en_sts_semeval", "ko_sts_korsts")


def measure(data: Path, models: dict[str, Path], most: int) -> dict[str, Any]:
    """The figures of every set and method; prints the table. `most` pairs or documents of a set."""
    encoders = {name: open_folder(folder) for name, folder in models.items()}
    rows = [_sts(data, name, encoders, most) for name in STS]
    rows += [_found(gold, encoders, most) for gold in (wikihalves(data), law(data))]
    columns = [
        "doc2vec",
        "tf-idf",
        "hybrid",
        *(f"{name}{more}" for name in encoders for more in ("", " + tf-idf")),
    ]
    report.table(
        "STS: Spearman's correlation; wikihalves and law: top-1", ["set", *columns],
        [[name, *(found.get(column, float("nan")) for column in columns)] for name, found in rows],
    )  # fmt: skip
    return dict(rows)


def _sts(data: Path, name: str, encoders: dict[str, Encoder], most: int) -> tuple[str, dict[str, float]]:
    from scipy.stats import spearmanr

    folder = data / name
    files = [*folder.glob("documents.jsonl*")]
    records = read(files[0])
    row = {str(record["id"]): number for number, record in enumerate(records)}
    with (folder / "pairs.tsv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    chosen = np.random.default_rng(0).permutation(len(lines))[:most]
    pairs = [
        (row[lines[place]["id_a"]], row[lines[place]["id_b"]], float(lines[place]["gold"]))
        for place in chosen
    ]
    used = sorted({number for pair in pairs for number in pair[:2]})
    place_of = {number: place for place, number in enumerate(used)}
    texts = Texts([Document(n, str(n), records[number]["text"]) for n, number in enumerate(used)])
    left, right = (np.array([place_of[pair[side]] for pair in pairs]) for side in (0, 1))
    gold = np.array([pair[2] for pair in pairs])

    def correlation(scores: NDArray[Any]) -> float:
        return float(spearmanr(scores, gold).statistic)

    # An STS set has no documents to train Doc2Vec on: only its words are compared.
    from sklearn.feature_extraction.text import TfidfVectorizer

    terms = TfidfVectorizer(analyzer=lambda words: words, sublinear_tf=True).fit_transform(texts.words())
    shared = np.asarray(terms[left].multiply(terms[right]).sum(axis=1)).ravel()
    found = {"tf-idf": correlation(shared)}
    for model, encoder in encoders.items():
        vectors = _vectors(encoder, texts)
        alike = (vectors[left] * vectors[right]).sum(axis=1)
        found[model] = correlation(alike)
        found[f"{model} + tf-idf"] = correlation(
            SHARE_BESIDE_ENCODER * shared + (1 - SHARE_BESIDE_ENCODER) * alike
        )
    return f"{name} ({len(pairs)} pairs)", found


def _found(gold: Gold, encoders: dict[str, Encoder], most: int) -> tuple[str, dict[str, float]]:
    """Top-1 by each method over the first `most` documents, which keep groups together."""
    assert gold.groups is not None
    n = min(most, len(gold.test))
    some = Gold(gold.name, Texts(gold.test.documents[:n]), Texts(gold.test.documents[:n]), gold.groups[:n])
    model = train(some, DEFAULT)
    words = some.test.words()
    vectors = cosines(DbowInference(model, "cpu")(words) - model.mean)
    terms = term_cosines(model, words)
    found = {
        "doc2vec": some.quality(vectors),
        "tf-idf": some.quality(terms),
        "hybrid": some.quality(TFIDF_SHARE * terms + (1 - TFIDF_SHARE) * vectors),
    }
    for name, encoder in encoders.items():
        embedded = _vectors(encoder, some.test)
        found[name] = some.quality(embedded @ embedded.T)
        mixed = SHARE_BESIDE_ENCODER * terms
        mixed += (1 - SHARE_BESIDE_ENCODER) * cosines(embedded - embedded.mean(axis=0))
        found[f"{name} + tf-idf"] = some.quality(mixed)
    return f"{gold.name} ({n} documents)", found


def _vectors(encoder: Encoder, texts: Texts) -> NDArray[np.float32]:
    found = encoder.embed([document.text for document in texts], encoder.description.prompt(), "mean").vectors
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
