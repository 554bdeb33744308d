"""How well full text search ranks, beside BM25 of another library with the same words.

wikihalves   the title of a page of the Korean Wikipedia finds both halves of the page
parakqc      a Korean question or command finds its paraphrases
agnews       the headline of an English report finds the report
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s

from benchmarks.similarity_data import read
from db import documents, fulltext
from db.documents import NewDocument
from db.fulltext import Wanted
from db.store import Store
from nlp_tasks import search_words
from scheduler.search.indexing import index_all

DEPTH = 10
MOST_QUERIES = 500


@dataclass(frozen=True)
class Labelled:
    """Texts, and for each query the rows that answer it. A query may be one of the texts, which does not count."""

    name: str
    texts: list[str]
    #: (query, rows that answer it, its own row)
    queries: list[tuple[str, set[int], int | None]]


def sets(data: Path) -> list[Labelled]:
    """Those whose data is there."""
    found = []
    for make, path in (
        (_wikihalves, data / "ko_similarity_wikihalves" / "documents.jsonl.gz"),
        (_parakqc, data / "ko_paraphrase_parakqc" / "documents.jsonl"),
        (_agnews, data / "en_topic_agnews" / "train.jsonl.gz"),
    ):
        if path.is_file():
            found.append(make(path))
    return found


def _wikihalves(path: Path) -> Labelled:
    records = read(path)
    rows: dict[str, set[int]] = {}
    for row, record in enumerate(records):
        rows.setdefault(record["title"], set()).add(row)
    return Labelled(
        "wikihalves", [r["text"] for r in records], [(title, found, None) for title, found in rows.items()]
    )


def _parakqc(path: Path) -> Labelled:
    records = read(path)
    groups: dict[int, set[int]] = {}
    for row, record in enumerate(records):
        groups.setdefault(record["group"], set()).add(row)
    chosen = random.Random(5).sample(range(len(records)), MOST_QUERIES)
    queries = [(records[row]["text"], groups[records[row]["group"]] - {row}, row) for row in chosen]
    return Labelled("parakqc", [r["text"] for r in records], [each for each in queries if each[1]])


def _agnews(path: Path) -> Labelled:
    records = read(path)
    chosen = random.Random(5).sample(range(len(records)), MOST_QUERIES)
    texts = [record["text"].removeprefix(record["title"]).lstrip(". ") for record in records]
    return Labelled("agnews", texts, [(records[row]["title"], {row}, None) for row in chosen])


@dataclass(frozen=True)
class Quality:
    """Means over the queries."""

    recall: float
    ndcg: float


def of_bm25s(labelled: Labelled) -> Quality:
    """BM25 (Lucene's form, k1 = 1.2, b = 0.75) by bm25s."""
    index = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    index.index([search_words.words(text) or [""] for text in labelled.texts], show_progress=False)
    rankings = []
    for query, _, own in labelled.queries:
        words = [word for word in search_words.words(query) if word in index.vocab_dict]
        if not words:
            rankings.append([])
            continue
        found, scores = index.retrieve([words], k=DEPTH + 1, show_progress=False)
        rows = [int(row) for row, score in zip(found[0], scores[0], strict=True) if score > 0]
        rankings.append([row for row in rows if row != own])
    return _quality(labelled, rankings)


def of_store(store: Store, labelled: Labelled) -> tuple[Quality, float]:
    """That of the store, and the documents that it indexed in a second of this process."""
    with store.write() as session:
        number = documents.collection_id(session, labelled.name, create=True)
        new = [NewDocument(str(row), text, None, "made") for row, text in enumerate(labelled.texts)]
        for batch in documents.batches(new):
            documents.add(session, number, batch)
    began = time.process_time()
    index_all(store)
    rate = len(labelled.texts) / (time.process_time() - began)
    rankings = []
    for query, _, own in labelled.queries:
        with store.read() as session:
            wanted = Wanted(words=list(dict.fromkeys(search_words.words(query))), collection_id=number)
            found = fulltext.find(session, wanted, DEPTH + 1)
            hits = fulltext.hits(session, found.ranked)
        rankings.append([row for hit in hits if (row := int(hit.key)) != own])
    return _quality(labelled, rankings), rate


def _quality(labelled: Labelled, rankings: Sequence[Sequence[int]]) -> Quality:
    recalls, gains = [], []
    for (_, answers, _), ranking in zip(labelled.queries, rankings, strict=True):
        hits = [row in answers for row in ranking[:DEPTH]]
        recalls.append(sum(hits) / min(DEPTH, len(answers)))
        best = sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(answers))))
        gains.append(sum(hit / math.log2(place + 2) for place, hit in enumerate(hits)) / best)
    return Quality(sum(recalls) / len(recalls), sum(gains) / len(gains))
