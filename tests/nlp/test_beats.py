"""Heartbeats from inside every kind and every trainer, measured in CPU time, which no load of the machine stretches.

Two bounds. Between two signs of life from the work itself: the lease allows a minute of CPU time. Between two looks
of another thread (a worker's keeper renews the lease that way while a single call of torch, numpy or gensim goes on):
a tenth of a second is a second on a tenth of a core, and only a call that keeps the interpreter to itself is longer.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_tasks import heartbeat, model_files
from nlp_tasks.classification import (
    ARCHITECTURES,
    CLASSIFY,
    FROM_FOLDER,
    TRAIN_CLASSIFY,
    ClassifyParameters,
    TrainParameters,
)
from nlp_tasks.entities import (
    ENTITIES,
    TRAIN_ENTITIES,
    TRAIN_GAZETTEER,
    EntitiesParameters,
    TrainEntitiesParameters,
    TrainGazetteerParameters,
)
from nlp_tasks.errors import DocumentError
from nlp_tasks.evaluation import EVALUATE, EvaluateParameters
from nlp_tasks.extraction import EXTRACT
from nlp_tasks.extraction.stored_file import StoredFile, digest_of
from nlp_tasks.generation import GENERATE, GenerateParameters
from nlp_tasks.keywords import KEYWORDS
from nlp_tasks.kind import Candidate, Document, Kind, Setup, Vectors
from nlp_tasks.registry import KINDS
from nlp_tasks.similarity import SIMILARITY, TRAIN_SIMILARITY, SimilarityParameters, TrainSimilarityParameters
from nlp_tasks.similarity.embedding import EMBED
from nlp_tasks.summarization import SUMMARIZE
from nlp_tasks.summarization.abstractive import TRAIN_SUMMARIZER, TrainSummarizerParameters
from nlp_tasks.word_vectors import TRAIN_WORDS, TrainWordsParameters
from tests import language_models
from tests.nlp import test_classification_pretrained
from tests.readers.extraction import builders

#: CPU seconds between two heartbeats, and between two looks. Half a second and a tenth are what is aimed at; the
#: rest is for a machine that others use too. The time for which the looking thread waited for a processor is taken off.
BEATS, LOOKS = 1.0, 1.0


#: The fixture: a tiny transformers model.
folder = test_classification_pretrained.folder


def waited_for_a_processor() -> float:
    """Seconds for which the calling thread was ready to run and no processor was free, since it began."""
    figures = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    return int(figures.split()[1]) / 1e9


class Listener:
    """Hears every sign of life of the thread that made it, and looks from another one."""

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._worker = threading.get_ident()
        self._last = self._now()
        self._ended = threading.Event()
        self.n, self.beats, self.looks = 0, 0.0, 0.0
        #: Where the work was in the longest silence of each sort.
        self.silent_at, self.unseen_at = "", ""

    def beat(self, *_: Any) -> None:
        now = self._now()
        self.beats, self._last, self.n = max(self.beats, now - self._last), now, self.n + 1

    def _now(self) -> float:
        return time.clock_gettime(self._clock)

    def look(self) -> None:
        before, waited_before = self._now(), waited_for_a_processor()
        while not self._ended.wait(0.01):
            now, waited = self._now(), waited_for_a_processor()
            unseen = now - before - (waited - waited_before)
            if unseen > self.looks:
                self.looks, self.unseen_at = unseen, self._place()
            if now - self._last > self.beats:
                self.silent_at = self._place()
            before, waited_before = now, waited

    def _place(self) -> str:
        frames = traceback.extract_stack(sys._current_frames()[self._worker])
        own = [frame for frame in frames if "nlp_tasks" in frame.filename]
        return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(own[-4:]))

    @contextmanager
    def listening(self) -> Iterator[None]:
        looker = threading.Thread(target=self.look)
        looker.start()
        try:
            with heartbeat.heard_by(self.beat):
                yield
            self.beat()
        finally:
            self._ended.set()
            looker.join()


@contextmanager
def lively(at_least: int = 1) -> Iterator[Listener]:
    """What runs inside is never silent for long."""
    listener = Listener()
    with listener.listening():
        yield listener
    assert listener.n > at_least
    assert listener.beats < BEATS, (
        f"{listener.beats:.2f} s of CPU time without a beat at {listener.silent_at}"
    )
    assert listener.looks < LOOKS, (
        f"{listener.looks:.2f} s of CPU time without a look at {listener.unseen_at}"
    )


class Listed:
    """Documents from a list."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


SYLLABLES = [chr(0xAC00 + 28 * n) for n in range(300)]


def made(n: int, n_words: int, *, label: Callable[[int], str] = lambda i: f"label {i % 12}") -> Listed:
    """Documents of made-up words, half of them Korean, in sentences."""
    random = np.random.default_rng(7)
    latin = ["".join(random.choice(list("aeioustrnl"), 6)) for _ in range(4_000)]
    hangul = ["".join(random.choice(SYLLABLES, 3)) for _ in range(4_000)]
    found = []
    for number in range(n):
        words = random.choice(latin if number % 2 else hangul, n_words)
        sentences = [" ".join(words[start : start + 12]) for start in range(0, n_words, 12)]
        found.append(Document(number, f"k{number}", ". ".join(sentences) + ".", label(number)))
    return Listed(found)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """What is loaded once in a process, while a worker's lease is kept for longer: libraries, the dictionary."""
    import gensim.models.doc2vec  # noqa: F401
    import torch

    from nlp_tasks.classification import ensemble, trainer  # noqa: F401
    from nlp_tasks.classification.linear import linear  # noqa: F401
    from nlp_tasks.classification.neural import cnn  # noqa: F401
    from nlp_tasks.classification.transformers import pretrained  # noqa: F401
    from nlp_tasks.generation import language_model  # noqa: F401
    from nlp_tasks.text import tokens

    weight = torch.nn.Parameter(torch.ones(1))
    (weight * 2).sum().backward()
    torch.optim.AdamW([weight]).step()
    tokens("한글로 쓴 글")


def train_classify(folder: Path, documents: Listed, heard: Callable[..., None], **parameters: Any) -> None:
    assert TRAIN_CLASSIFY.train is not None
    folder.mkdir(exist_ok=True)
    TRAIN_CLASSIFY.train(documents, TrainParameters(**parameters), "cpu", folder, heard)  # type: ignore[arg-type]


#: Sizes of documents and words at which the steps without a beat were seconds.
SIZES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "linear": (1_500, 220, {}),
    "naive-bayes": (1_500, 220, {}),
    "morphemes": (400, 100, {}),
    "cnn": (200, 100, {"epochs": 1}),
    "gru": (60, 100, {"epochs": 1}),
    "lstm": (60, 100, {"epochs": 1}),
    "transformer": (60, 100, {"epochs": 1}),
    "ensemble": (150, 60, {"epochs": 1}),
    "nearest": (200, 60, {"epochs": 5}),
}


@pytest.mark.parametrize("arch", SIZES)
def test_a_training_of_a_classifier_is_never_silent(arch: str, tmp_path: Path) -> None:
    n, n_words, parameters = SIZES[arch]
    documents = made(n, n_words)
    with lively() as listener:
        train_classify(tmp_path / "model", documents, listener.beat, arch=arch, **parameters)


@pytest.mark.parametrize("arch", FROM_FOLDER)
def test_a_training_from_a_folder_is_never_silent(arch: str, folder: Path, tmp_path: Path) -> None:
    documents = made(200, 100, label=lambda i: f"label {i % 2}")
    chosen = {"pretrained": str(folder), "epochs": 1}
    with lively() as listener:
        train_classify(tmp_path / "model", documents, listener.beat, arch=arch, **chosen)


def test_every_architecture_is_tried_here() -> None:
    assert {*SIZES, *FROM_FOLDER} == set(ARCHITECTURES)


def test_every_kind_is_tried_here() -> None:
    """Shadow runs are classify's."""
    tried = {
        "train-classify", "train-similarity", "train-summarizer", "classify", "shadow-classify", "similarity",
        "summarize", "keywords", "evaluate", "extract", "entities", "train-entities", "train-gazetteer",
        "embed", "generate", "train-words",
    }  # fmt: skip
    assert tried == set(KINDS)


def run(kind: Kind, stage: int, parameters: Any, documents: Listed, **setup: Any) -> list[Any]:
    """What a stage makes of documents, opened and run while somebody listens."""
    with lively() as listener:
        opened = kind.stages[stage].open(Setup(parameters=parameters, beat=listener.beat, **setup))
        found = []
        for first in range(0, len(documents), opened.batch_documents):
            found += opened.run(documents.documents[first : first + opened.batch_documents])
    assert not any(isinstance(each, DocumentError) for each in found)
    return found


def test_labelling_with_evidence_and_judging_are_never_silent(tmp_path: Path) -> None:
    documents = made(300, 100)
    train_classify(tmp_path / "model", documents, lambda *_: None)
    run(CLASSIFY, 0, ClassifyParameters(evidence=3), made(300, 100), model_dir=tmp_path / "model")
    judged(TRAIN_CLASSIFY, documents, tmp_path / "model", {})


def judged(kind: Kind, documents: Listed, model_dir: Path, metrics: dict[str, float]) -> None:
    """A model before its gate, beside itself."""
    assert kind.gate is not None
    with lively() as listener:
        kind.gate(Candidate(documents, model_dir, metrics, model_dir, "cpu", metrics, listener.beat))


@pytest.mark.parametrize("chosen", [{"trainer": "torch"}, {"architecture": "dm"}])
def test_every_trainer_of_similarity_is_never_silent(chosen: dict[str, str], tmp_path: Path) -> None:
    assert TRAIN_SIMILARITY.train is not None
    parameters = TRAIN_SIMILARITY.parameters(epochs=3, **chosen)
    with lively() as listener:
        TRAIN_SIMILARITY.train(made(200, 100), parameters, "cpu", tmp_path, listener.beat)


def test_similarity_from_training_to_search_is_never_silent(tmp_path: Path) -> None:
    documents = made(800, 100)
    assert TRAIN_SIMILARITY.train is not None
    with lively() as listener:
        chosen = TrainSimilarityParameters(epochs=3)
        metrics = TRAIN_SIMILARITY.train(documents, chosen, "cpu", tmp_path, listener.beat)
    parameters = SimilarityParameters()
    found = run(SIMILARITY, 0, parameters, documents, model_dir=tmp_path)
    matrix = np.stack([np.frombuffer(rows[0].vector, "<f4") for rows in found])
    vectors = Vectors(
        np.arange(len(documents)), [d.key for d in documents], matrix, [rows[0].terms for rows in found]
    )
    run(SIMILARITY, 1, parameters, documents, model_dir=tmp_path, corpus=lambda: vectors)
    run(EMBED, 0, EMBED.parameters(), documents, model_dir=tmp_path)
    judged(TRAIN_SIMILARITY, documents, tmp_path, metrics)


@pytest.mark.parametrize("units", ["morphemes", "words", "bpe"])
def test_a_training_of_words_is_never_silent(units: Any, tmp_path: Path) -> None:
    documents = Listed([*made(300, 100).documents, *made(1, 30_000).documents])
    assert TRAIN_WORDS.train is not None
    with lively() as listener:
        chosen = TrainWordsParameters(units=units, epochs=2, min_count=1, merges=2_000)
        TRAIN_WORDS.train(documents, chosen, "cpu", tmp_path, listener.beat)
    judged(TRAIN_WORDS, documents, tmp_path, {})


def test_a_training_of_a_summarizer_is_never_silent(tmp_path: Path) -> None:
    pairs = made(60, 60, label=lambda i: f"headline {i}")
    assert TRAIN_SUMMARIZER.train is not None
    with lively() as listener:
        TRAIN_SUMMARIZER.train(
            pairs, TrainSummarizerParameters(epochs=1, width=32), "cpu", tmp_path, listener.beat
        )


def test_a_training_of_entities_and_what_it_finds_are_never_silent(tmp_path: Path) -> None:
    documents = made(400, 60)
    marked = Listed([replace(each, meta={"entities": [[0, 3, "X"]]}) for each in documents])
    assert TRAIN_ENTITIES.train is not None
    with lively() as listener:
        chosen = TrainEntitiesParameters(iterations=5)
        metrics = TRAIN_ENTITIES.train(marked, chosen, "cpu", tmp_path, listener.beat)
    names = tmp_path / "names"
    names.mkdir()
    assert TRAIN_GAZETTEER.train is not None
    some = made(1_000, 2, label=lambda i: f"label {i % 9}")
    with lively() as listener:
        TRAIN_GAZETTEER.train(some, TrainGazetteerParameters(), "cpu", names, listener.beat)
    for n, n_words in ((100, 60), (1, 10_000)):
        parameters = EntitiesParameters(method="model", redact="pii", gazetteer=str(names))
        run(ENTITIES, 0, parameters, made(n, n_words), model_dir=tmp_path)
    judged(TRAIN_ENTITIES, marked, tmp_path, metrics)


@pytest.mark.parametrize("arch", ["llama", "t5"])
def test_generation_is_never_silent(arch: str, tmp_path: Path) -> None:
    language_models.save(tmp_path, arch)
    parameters = GenerateParameters(model=str(tmp_path), max_tokens=20, max_prompt_tokens=60)
    for n, n_words in ((60, 100), (1, 30_000)):
        run(GENERATE, 0, parameters, made(n, n_words))


@pytest.mark.parametrize("arch", ["bilstm-crf", "pretrained"])
def test_a_training_of_a_network_for_entities_is_never_silent(
    arch: Any, folder: Path, tmp_path: Path
) -> None:
    documents = made(150, 60)
    marked = Listed([replace(each, meta={"entities": [[0, 3, "X"]]}) for each in documents])
    given = {"epochs": 1} if arch == "bilstm-crf" else {"steps": 5, "pretrained": str(folder)}
    assert TRAIN_ENTITIES.train is not None
    with lively() as listener:
        chosen = TrainEntitiesParameters(arch=arch, **given)  # type: ignore[arg-type]
        TRAIN_ENTITIES.train(marked, chosen, "cpu", tmp_path, listener.beat)
    parameters = EntitiesParameters(method="model")
    run(ENTITIES, 0, parameters, made(1, 10_000), model_dir=tmp_path)


@pytest.mark.parametrize("kind", [SUMMARIZE, KEYWORDS], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("n", "n_words"), [(300, 100), (1, 30_000)], ids=["many", "a long one"])
def test_summaries_and_keywords_are_never_silent(kind: Kind, n: int, n_words: int) -> None:
    run(kind, 0, kind.parameters(), made(n, n_words))


def test_the_judging_of_summaries_is_never_silent() -> None:
    documents = made(300, 200)
    texts = {document.id: (document.text, document.text[100:]) for document in documents}
    parameters = EvaluateParameters(job=1)
    run(EVALUATE, 0, parameters, documents, judged=lambda ids: {id_: texts[id_] for id_ in ids})


def test_the_extraction_of_files_is_never_silent(tmp_path: Path) -> None:
    words = made(1, 100_000).documents[0].text
    pages = [builders.pdf_text(*["a line of a page"] * 40) for _ in range(300)]
    packed = {f"{n}.html": f"<html><body><p>{words[n:]}</p></body></html>" for n in range(5)}
    contents = {
        "a.pdf": builders.pdf(*pages),
        "a.html": f"<html><body><p>{words}</p></body></html>".encode(),
        "a.zip": builders.zipped(packed),
    }
    files = []
    for number, (name, content) in enumerate(contents.items()):
        path = tmp_path / name
        path.write_bytes(content)
        sha256, size = digest_of(path)
        stored = StoredFile(str(path), str(tmp_path), size, sha256, "")
        files.append(Document(number, name, stored.as_text()))
    found = run(EXTRACT, 0, EXTRACT.parameters(), Listed(files))
    assert len(found) == len(contents)


def test_the_hashing_of_a_large_file_is_never_silent(tmp_path: Path) -> None:
    with (tmp_path / "weights").open("wb") as file:
        file.truncate(2 * 1024**3)
    with lively(at_least=1_000):
        model_files.seal(tmp_path)
