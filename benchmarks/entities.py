"""Entities: trained models compared with other ways to train one, over five folds; offsets; written cases of rules;
documents a second.

    pip install sklearn-crfsuite spacy
    python -m benchmarks.entities --data DIR [--set NAME ...] [--folds 5] [--jobs 2] [--unmarked 20000]
        [--results FILE]

DIR contains ko_ner_klue and en_ner. Each model is trained on four fifths of a set and measured on the rest, by exact
matches of place and label over all folds together; then docmill is compared with each peer fold by fold (mean and
standard error of the differences). Two models take so long that they are measured on some folds, and compared on
these: spaCy, on the first fold of each English set, until it has converged or for at most --spacy-seconds of processor
time; and docmill with Korean texts without marks beside the marked ones, on the first --text-folds. The whole takes
about 20 minutes of processor time. With --results, each result is written to a file as it comes, and is not measured
again by the next run with this file, unless the code or an option has changed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks import entities_data, entities_peers, entities_results, report
from benchmarks.entities_data import ENGLISH, KLUE, SETS, Fold
from benchmarks.entities_results import Done
from nlp_tasks.entities import (
    ENTITIES,
    TRAIN_ENTITIES,
    EntitiesParameters,
    EntityRow,
    TrainEntitiesParameters,
)
from nlp_tasks.entities.metrics import Figures, measure
from nlp_tasks.entities.rules.find import find
from nlp_tasks.entities.spans import Entity
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Setup

OURS, WITH_TEXTS, CHARACTERS, TUTORIAL, SPACY = (
    "docmill", "docmill, with unmarked texts", "character CRF", "sklearn-crfsuite, tutorial", "spaCy, from scratch",
)  # fmt: skip
_LONG = (WITH_TEXTS, SPACY)
#: docmill holds out as few documents as possible, as the others hold out none.
HELD_OUT = 0.01
Bars = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--folds", type=int, default=entities_data.FOLDS)
    parser.add_argument("--jobs", type=int, default=2, help="models that are trained at a time")
    parser.add_argument("--unmarked", type=int, default=20_000, help="texts without marks from each source")
    parser.add_argument("--text-folds", type=int, default=2, help="folds of Korean with texts without marks")
    parser.add_argument("--spacy-seconds", type=float, default=120)
    parser.add_argument(
        "--results", type=Path, help="file for each result as it comes; what it has is not measured again"
    )
    arguments = parser.parse_args()
    machine = report.machine()
    print(machine)
    done = _all(arguments)
    figures: dict[str, Any] = {"machine": machine}
    bars: Bars = {}
    for name in arguments.set:
        of_set = [each for each in done if each.name == name]
        figures[name] = _table(name, of_set)
        figures[name]["differences"] = _differences(name, of_set)
        bars |= _bars(name, of_set)
    figures["rules"] = _rules(arguments.data)
    bars["share of the written cases that rules find"] = {"value": figures["rules"]["cases"], "at_least": 1}
    wrong = sum(each.n_wrong_places for each in done)
    bars["entities with a wrong offset"] = {"value": float(wrong), "at_most": 0}
    report.end(figures, bars)


def _all(arguments: argparse.Namespace) -> list[Done]:
    """Every model on every fold, as many at a time as were asked for."""
    known = {
        (one.name, one.fold, one.model, one.version): one for one in entities_results.read(arguments.results)
    }
    works = [
        (name, fold, model, _version(model, arguments))
        for name in arguments.set
        for fold in range(arguments.folds)
        for model in _models(name, fold, arguments.text_folds)
    ]
    # What takes longest comes last, so that most of a run that is cut off is whole.
    works.sort(key=lambda work: _LONG.index(work[2]) if work[2] in _LONG else -1)
    found = [known[work] for work in works if work in known]
    # One thread for each, so that processor seconds mean something.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        options = (str(arguments.data), arguments.unmarked, arguments.spacy_seconds)
        for future in as_completed(
            [pool.submit(_work, *work, *options) for work in works if work not in known]
        ):
            found.append(future.result())
            entities_results.append(arguments.results, found[-1])
            _tell(found[-1])
    return sorted(found, key=lambda each: (each.name, each.model, each.fold))


def _version(model: str, arguments: argparse.Namespace) -> str:
    options = (
        [arguments.unmarked] if model == WITH_TEXTS else [arguments.spacy_seconds] if model == SPACY else []
    )
    return entities_results.version(options, is_ours=model in (OURS, WITH_TEXTS))


def _tell(one: Done) -> None:
    score = measure(one.right, one.found)
    print(
        f"{one.name}, fold {one.fold + 1}, {one.model}: macro F1 {score.macro_f1:.3f}, micro F1 "
        f"{score.micro_f1:.3f}, {one.seconds:.0f} s{one.note and f' ({one.note})'}",
        flush=True,
    )


def _models(name: str, fold: int, text_folds: int) -> list[str]:
    if name == KLUE:
        return [OURS, CHARACTERS, *([WITH_TEXTS] if fold < text_folds else [])]
    return [OURS, TUTORIAL, *([SPACY] if fold == 0 else [])]


def _work(
    name: str, number: int, model: str, version: str, data: str, n_unmarked: int, seconds: float
) -> Done:
    fold = list(entities_data.folds(entities_data.load(Path(data), name)))[number]
    if model in (OURS, WITH_TEXTS):
        unmarked = entities_data.unmarked(Path(data), name, n_unmarked) if model == WITH_TEXTS else []
        return replace(_ours(name, model, fold, unmarked), version=version)
    started, note = time.process_time(), ""
    if model == SPACY:
        found, note = entities_peers.spacy(fold.train, fold.test, "en" if name in ENGLISH else "xx", seconds)
    else:
        find_names = entities_peers.characters if model == CHARACTERS else entities_peers.tutorial
        found = find_names(fold.train, fold.test)
    spent = time.process_time() - started
    right = [each.entities for each in fold.test]
    return Done(name, model, number, right, found, spent, note=note, version=version)


class _Listed(list[Document]):
    """The documents of a training."""


def _ours(name: str, model: str, fold: Fold, unmarked: list[Document]) -> Done:
    assert TRAIN_ENTITIES.train is not None
    documents = _Listed([*(each.document for each in fold.train), *unmarked])
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        parameters = TrainEntitiesParameters(held_out=HELD_OUT)
        TRAIN_ENTITIES.train(documents, parameters, "cpu", Path(folder), lambda *_: None)
        spent = time.process_time() - started
        asked = EntitiesParameters(method="model", rules="none")
        runner = ENTITIES.stages[0].open(Setup(asked, model_dir=Path(folder)))
        tests = [each.document for each in fold.test]
        started = time.process_time()
        results = [runner.run([document])[0] for document in tests]
        speed = len(tests) / (time.process_time() - started)
    found: list[list[Entity]] = []
    n_wrong = 0
    for document, rows in zip(tests, results, strict=True):
        assert not isinstance(rows, DocumentError)
        entities = [row for row in rows if isinstance(row, EntityRow)]
        n_wrong += sum(document.text[row.start_char : row.end_char] != row.text for row in entities)
        found.append([Entity(row.start_char, row.end_char, row.label) for row in entities])
    return Done(name, model, fold.number, [each.entities for each in fold.test], found, spent, n_wrong, speed)


def _figures(done: Sequence[Done], model: str, folds: Sequence[int]) -> Figures:
    """Over these folds together."""
    some = [each for each in done if each.model == model and each.fold in folds]
    return measure([each for one in some for each in one.right], [each for one in some for each in one.found])


def _folds_of(done: Sequence[Done], model: str) -> list[int]:
    return [each.fold for each in done if each.model == model]


def _table(name: str, done: Sequence[Done]) -> dict[str, Any]:
    rows, figures = [], {}
    models = sorted({each.model for each in done})
    for model in models:
        folds = _folds_of(done, model)
        score = _figures(done, model, folds)
        seconds = sum(each.seconds for each in done if each.model == model) / len(folds)
        speed = sum(each.documents_per_second for each in done if each.model == model) / len(folds)
        of_labels = " ".join(f"{each.label} {each.f1:.2f}" for each in score.labels)
        rows.append([model, len(folds), score.macro_f1, score.micro_f1, seconds, speed or "", of_labels])
        figures[model] = {
            "folds": len(folds), "macro_f1": score.macro_f1, "micro_f1": score.micro_f1, "seconds": seconds,
            "documents_per_second": speed, "labels": {each.label: each.f1 for each in score.labels},
        }  # fmt: skip
    columns = ["model", "folds", "macro F1", "micro F1", "CPU s", "documents/s", "F1 of each label"]
    report.table(name, columns, rows)
    return figures


def _bars(name: str, done: Sequence[Done]) -> Bars:
    if name == KLUE:
        return {
            f"{name}: macro F1 of {ours} above {CHARACTERS}": {
                "value": _lead(done, ours, CHARACTERS, "macro_f1"),
                "at_least": 0.03,
            }
            for ours in (OURS, WITH_TEXTS)
            if _folds_of(done, ours)
        }  # fmt: skip
    return {
        f"{name}: micro F1 above {peer}": {"value": _lead(done, OURS, peer, "micro_f1"), "at_least": 0}
        for peer in (TUTORIAL, SPACY)
    }


def _lead(done: Sequence[Done], ours: str, peer: str, figure: str) -> float:
    """How far docmill is ahead on the folds that both were measured on, taken together."""
    folds = _common_folds(done, ours, peer)
    return float(getattr(_figures(done, ours, folds), figure) - getattr(_figures(done, peer, folds), figure))


def _common_folds(done: Sequence[Done], ours: str, peer: str) -> list[int]:
    return sorted({*_folds_of(done, ours)} & {*_folds_of(done, peer)})


def _differences(name: str, done: Sequence[Done]) -> dict[str, Any]:
    """How far docmill is ahead of each peer on each fold; the mean, and its standard error over the folds."""
    figure = "macro_f1" if name == KLUE else "micro_f1"
    models = {each.model for each in done}
    pairs = [(ours, peer) for ours in (OURS, WITH_TEXTS) for peer in (CHARACTERS, TUTORIAL, SPACY)]
    rows, figures = [], {}
    for ours, peer in [(OURS, WITH_TEXTS), *pairs]:
        if not {ours, peer} <= models:
            continue
        leads = [
            float(
                getattr(_figures(done, ours, [fold]), figure) - getattr(_figures(done, peer, [fold]), figure)
            )
            for fold in _common_folds(done, ours, peer)
        ]
        error = stdev(leads) / len(leads) ** 0.5 if len(leads) > 1 else None
        rows.append([ours, peer, " ".join(f"{each:+.3f}" for each in leads), mean(leads), error or ""])
        figures[f"{ours} - {peer}"] = {"folds": leads, "mean": mean(leads), "standard_error": error}
    report.table(
        f"{name}: differences of {figure} by fold", ["model", "peer", "folds", "mean", "standard error"], rows
    )
    return figures


def _rules(data: Path) -> dict[str, float]:
    """The share of the written cases that is right, and documents a second of petitions."""
    cases = entities_data.cases()
    right = 0
    for text, part, label, normal in cases:
        found = [(text[m.start : m.end], m.label, m.normal or "") for m in find(text)]
        right += found == [] if part == "-" else (part, label, normal) in found
    documents = [
        record["text"] for record in entities_data.records(data / "ko_topic_petitions" / "train.jsonl")
    ]
    started = time.process_time()
    n_found = sum(len(find(text)) for text in documents)
    speed = len(documents) / (time.process_time() - started)
    chars = sum(map(len, documents)) / len(documents)
    print(f"rules: {right} of {len(cases)} written cases; {n_found:,} in {len(documents):,} petitions of {chars:,.0f} "
          f"characters; {speed:,.0f} documents a second of one core")  # fmt: skip
    return {"cases": right / len(cases), "petitions_per_second": speed}


if __name__ == "__main__":
    main()
