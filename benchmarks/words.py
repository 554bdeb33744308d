"""Word vectors beside gensim's own Word2Vec, on the same words: quality, and processor time of a training.

    python -m benchmarks.words --data DIR [--seeds 2]

Two measures of quality, neither of which the training sees:

- Labelled sets: for each word that is typical of one label (at least 80 % of its documents have it, if every label were
  as frequent), the share of its 10 nearest such words that are typical of the same label.
- Wikipedia: for each word of a list of categories, written by hand before anything was measured, the share of the
  nearest words of the list, as many as its category has others, that are of its category.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.kind import Document
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.word_vectors import TrainWordsParameters, descent
from nlp_tasks.word_vectors.gate import neighbours_kept
from nlp_tasks.word_vectors.model import Model
from nlp_tasks.word_vectors.units import Units

#: Set, file, and the field of its label; "" for Wikipedia.
SETS = (
    ("agnews", "en_topic_agnews/train.jsonl.gz", "label"),
    ("reuters", "en_topic_reuters_r8/train.jsonl.gz", "label"),
    ("petitions", "ko_topic_petitions/train.jsonl.gz", "label"),
    ("wiki", "ko_throughput_wiki/documents.jsonl.gz", ""),
    ("wikihalves", "ko_similarity_wikihalves/documents.jsonl.gz", ""),
)
MOST_DOCUMENTS = 4_000
NEIGHBOURS, TYPICAL_SHARE, LEAST_DOCUMENTS = 10, 0.8, 8
CATEGORIES = (
    "한국 일본 중국 미국 프랑스 독일 영국 러시아 이탈리아 스페인 인도 캐나다",
    "서울 부산 대구 인천 광주 대전 울산 수원 창원 제주",
    "축구 야구 농구 배구 수영 육상 골프 테니스 권투 유도",
    "어머니 아버지 아들 딸 형 동생 누나 아내 남편 할아버지",
    "왕 황제 왕비 대통령 총리 장관 국회 의원 장군 귀족",
    "음악 노래 앨범 가수 작곡가 악기 피아노 기타 합창단 오페라",
    "수소 산소 탄소 질소 철 구리 금 은 나트륨 칼슘",
    "개 고양이 말 소 돼지 닭 새 물고기 곰 호랑이",
    "불교 기독교 천주교 이슬람교 교회 사찰 신부 목사 스님 성당",
    "철도 도로 역 공항 항구 버스 지하철 고속도로 열차 노선",
    "대학교 대학 학교 학생 교수 교육 학과 학부 졸업 입학",
    "전쟁 군대 전투 부대 사단 병사 무기 전차 포로 침공",
)


@dataclass(frozen=True)
class Set:
    """A set of documents, cut once."""

    name: str
    corpus: Corpus
    labels: list[str]  # (N,) or none


class Documents(list[Document]):
    """Documents that can be counted and read again."""


#: The vectors of the corpus's words in their order, trained with these parameters  # (V, D).
Trainer = Callable[[Corpus, TrainWordsParameters], NDArray[np.float32]]


def ours(corpus: Corpus, parameters: TrainWordsParameters) -> NDArray[np.float32]:
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder), "bench")
        return np.array(descent.fit(corpus, parameters, lambda *_: None, checkpoint))


def gensims(corpus: Corpus, parameters: TrainWordsParameters) -> NDArray[np.float32]:
    """gensim's Word2Vec as its users call it, with one worker."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        list(corpus), sg=int(parameters.arch == "skip-gram"), vector_size=parameters.vector_size,
        window=parameters.window, negative=parameters.negative, sample=parameters.sample, epochs=parameters.epochs,
        alpha=parameters.alpha, min_alpha=parameters.min_alpha, seed=parameters.seed, min_count=1, workers=1,
    )  # fmt: skip
    return np.array([model.wv[word] for word in corpus.words])


DEFAULT = TrainWordsParameters()
#: What is measured: a name, who trains, and how.
ROWS: tuple[tuple[str, Trainer, TrainWordsParameters], ...] = (
    ("docmill", ours, DEFAULT),
    ("docmill, cbow", ours, replace(DEFAULT, arch="cbow")),
    ("gensim, the same parameters", gensims, DEFAULT),
    ("gensim, the same, cbow", gensims, replace(DEFAULT, arch="cbow")),
    ("gensim, its defaults (cbow, 5 epochs)", gensims, replace(DEFAULT, arch="cbow", epochs=5)),
)
PAIRS = (
    ("docmill", "gensim, the same parameters"),
    ("docmill, cbow", "gensim, the same, cbow"),
)


def load(data: Path, name: str, file: str, field: str) -> Set:
    with gzip.open(data / file, "rt", encoding="utf-8", newline="\n") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    chosen = np.random.default_rng(1).permutation(len(records))[:MOST_DOCUMENTS]
    some = [records[number] for number in sorted(chosen.tolist())]
    documents = Documents(Document(n, str(n), record["text"]) for n, record in enumerate(some))
    corpus = read(documents, DEFAULT.min_count, lambda _: None)
    return Set(name, corpus, [str(record[field]) for record in some] if field else [])


def typical(found: Set) -> dict[int, str]:
    """The label of each word that is typical of one, by its number."""
    of_label = Counter(found.labels)
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row, label in enumerate(found.labels):
        numbers = found.corpus.numbers[found.corpus.starts[row] : found.corpus.starts[row + 1]]
        for number in set(numbers[numbers >= 0].tolist()):
            counts[number][label] += 1
    chosen: dict[int, str] = {}
    for number, by_label in counts.items():
        if by_label.total() < LEAST_DOCUMENTS:
            continue
        rates = {label: n / of_label[label] for label, n in by_label.items()}
        label = max(rates, key=lambda each: rates[each])
        if rates[label] >= TYPICAL_SHARE * sum(rates.values()):
            chosen[number] = label
    return chosen


def categories(found: Set) -> dict[int, str]:
    """The category of each word of the list that the corpus has, by its number; words of two meanings stay."""
    numbers = {word: number for number, word in enumerate(found.corpus.words)}
    return {numbers[word]: line for line in CATEGORIES for word in line.split() if word in numbers}


def coherence(vectors: NDArray[np.float32], fields: Mapping[int, str], k: int | None) -> tuple[float, float]:
    """The mean share of a word's k nearest words with its field, and that of chance; with k of None, as many as its
    field has others."""
    numbers = sorted(fields)
    names = [fields[number] for number in numbers]
    sizes = Counter(names)
    of_fields = vectors[numbers]
    unit = of_fields / np.maximum(np.linalg.norm(of_fields, axis=1, keepdims=True), 1e-12)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")
    shares, chances = [], []
    for row, name in enumerate(names):
        others = sizes[name] - 1
        if not others:
            continue
        nearest = order[row, : k or others]
        shares.append(fmean(names[place] == name for place in nearest.tolist()))
        chances.append(others / (len(names) - 1))
    return fmean(shares), fmean(chances)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="names of sets, with commas")
    asked = parser.parse_args()
    rows: list[list[object]] = []
    figures: dict[str, float] = {}
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    for name, file, field in SETS:
        if asked.only and name not in asked.only.split(","):
            continue
        found = load(asked.data, name, file, field)
        fields, k = (typical(found), NEIGHBOURS) if field else (categories(found), None)
        rows += _measured(found, fields, k, asked.seeds, figures, ratios)
    columns = ["set", "words", "words compared", "what", "same field", "apart", "by chance", "CPU s"]
    report.table(f"Word vectors; {report.machine()}", columns, rows)
    bars = {f"{mine}: CPU beside gensim": {"value": fmean(ratios[mine]), "at_most": 1.2} for mine, _ in PAIRS}
    report.end(figures, bars)


def _measured(
    found: Set,
    fields: Mapping[int, str],
    k: int | None,
    seeds: int,
    figures: dict[str, float],
    ratios: Mapping[str, list[float]],
) -> Sequence[list[object]]:
    """The lines of a set. All trainings of a seed run one after the other: the load of the machine slows all alike."""
    quality: defaultdict[str, list[float]] = defaultdict(list)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    by_seed: list[Model] = []
    chance = 0.0
    for seed in range(1, seeds + 1):
        for what, trainer, parameters in ROWS:
            began = time.process_time()
            vectors = trainer(found.corpus, replace(parameters, seed=seed))
            seconds[what].append(time.process_time() - began)
            share, chance = coherence(vectors, fields, k)
            quality[what].append(share)
            if what == ROWS[0][0]:
                units = Units(parameters.units)
                by_seed.append(Model(parameters, units, found.corpus.words, found.corpus.counts, vectors))
    if len(by_seed) > 1:
        # What the gate measures, between two seeds of one training.
        kept = neighbours_kept(by_seed[1], by_seed[0], lambda: None)
        figures[f"{found.name}, neighbours kept by another seed"] = kept
    for mine, theirs in PAIRS:
        ratios[mine].append(fmean(seconds[mine]) / fmean(seconds[theirs]))
    n_words = int(found.corpus.counts.sum())
    lines: list[list[object]] = []
    for what in quality:
        spread = max(quality[what]) - min(quality[what])
        figures[f"{found.name}, {what}"] = fmean(quality[what])
        shown = [f"{fmean(quality[what]):.3f}", f"{spread:.3f}", f"{chance:.3f}", fmean(seconds[what])]
        lines.append([found.name, n_words, len(fields), what, *shown])
    return lines


if __name__ == "__main__":
    main()
