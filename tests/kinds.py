"""Kinds of jobs for tests: their answers are pure functions of the text, so that any result can be checked.

`oracle` answers with the sha256 of the text as a label. A text of the form "!word" makes it misbehave:
    !crash   the process dies of a segmentation fault
    !exit    the process leaves at once
    !hang    it never returns, and does nothing
    !spin    it never returns, and is busy
    !stuck   the same, in a single call that keeps the interpreter to itself
    !work N  a single call that takes N seconds of CPU time at full speed, more or less
    !raise   an exception
    !memory  MemoryError, unless run alone
    !toobig  MemoryError
    !eat     it takes 512 MB for a moment
    !oom     the device is out of memory, unless at most two go together
    !device  the first time in this DOCMILL_HOME, the device fails for good
    !gpu     while there is a file gpu-is-lost in this DOCMILL_HOME, a kernel fails
    !assert  a kernel fails that was given a wrong index
    !sleep N it takes N seconds
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from nlp_tasks.endpoint import Endpoint, Results, one_text
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import (
    Candidate,
    Document,
    Documents,
    Figure,
    Kind,
    NewText,
    Progress,
    Result,
    Setup,
    Stage,
)

#: Of PBKDF2: a core makes about this many.
ROUNDS_A_SECOND = 4_000_000


@dataclass(frozen=True)
class OracleParameters:
    #: Seconds that each document takes.
    seconds: float = 0.0
    batch: int = 32


@dataclass(frozen=True)
class OracleRow:
    table: ClassVar[str] = "classification"

    rank: int
    label: str
    score: float
    reason: str | None = None


def answer(text: str) -> str:
    """What the oracle says of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Oracle:
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        self.seconds = setup.parameters.seconds
        self.batch_documents = setup.parameters.batch
        self.beat = setup.beat

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [self._one(document, len(documents)) for document in documents]

    def _one(self, document: Document, together: int) -> Result:
        text = document.text
        if self.seconds:
            time.sleep(self.seconds)
        if text.startswith("!"):
            misbehave(text[1:], together)
        if not text.strip():
            return DocumentError("EMPTY_TEXT", "the document is blank")
        return [OracleRow(1, answer(text), 1.0)]


def misbehave(how: str, together: int = 1) -> None:
    """What a text "!how" asks for, among this many documents."""
    if how == "crash":
        ctypes.string_at(0)
    elif how == "exit":
        os._exit(9)
    elif how == "hang":
        while True:
            time.sleep(1)
    elif how == "spin":
        while True:
            pass
    elif how == "stuck":
        re.match("(a+)+$", "a" * 64 + "b")
    elif how.startswith("work"):
        one_call(float(how.split()[1]))
    elif how == "raise":
        raise ValueError("asked to raise")
    elif how == "toobig" or (how == "memory" and together > 1):
        raise MemoryError
    elif how == "oom" and together > 2:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    elif how == "eat":
        bytearray(512 * 1024 * 1024)
    elif how == "device":
        _fail_once()
    elif how == "gpu" and (Path(os.environ["DOCMILL_HOME"]) / "gpu-is-lost").exists():
        raise RuntimeError("CUDA error: unspecified launch failure")
    elif how == "assert":
        raise RuntimeError("CUDA error: device-side assert triggered")
    elif how.startswith("sleep"):
        time.sleep(float(how.split()[1]))


def one_call(seconds: float) -> None:
    """Work that can say nothing while it lasts, as a product of large matrices cannot; other threads run on."""
    hashlib.pbkdf2_hmac("sha256", b"work", b"slowly", int(seconds * ROUNDS_A_SECOND))


def _fail_once() -> None:
    """The marker tells later processes that the device has been replaced."""
    marker = Path(os.environ["DOCMILL_HOME"]) / "device-failed"
    if not marker.exists():
        marker.touch()
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


@dataclass(frozen=True)
class NoParameters:
    pass


class Nothing:
    """Does nothing: what is left is the cost of the queue."""

    batch_documents = 256
    batch_chars = 10_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [()] * len(documents)


def _oracle_answer(results: Results) -> dict[str, Any]:
    [rows] = results.rows
    return {"object": "oracle", "label": rows["classification"][0]["label"], "model": results.model}


ORACLE = Kind(
    name="oracle",
    summary="Answers with a hash of the text.",
    parameters=OracleParameters,
    rows=(OracleRow,),
    stages=(Stage("hash", Oracle),),
    endpoint=Endpoint("/v1/oracle", one_text, _oracle_answer),
    chunk_documents=50,
)
NOTHING = Kind(
    name="nothing",
    summary="Does nothing.",
    parameters=NoParameters,
    stages=(Stage("nothing", Nothing, reads="nothing"),),
    chunk_documents=1000,
)


@dataclass(frozen=True)
class GatedParameters:
    #: The model's whole content; below 0 its code raises.
    quality: float = 0.5


def _train_gated(
    documents: Documents, parameters: GatedParameters, device: str, model_dir: Path, progress: Progress
) -> dict[str, float]:
    progress(3, 4, "step 3 of 4")
    if parameters.quality < 0:
        raise ArithmeticError("there is no such quality")
    (model_dir / "quality").write_text(str(parameters.quality))
    return {"quality": parameters.quality}


def _gate(candidate: Candidate) -> Sequence[Figure]:
    """No worse than the champion."""
    if candidate.champion_dir is None:
        return []
    least = candidate.champion_metrics["quality"]
    assert least == float((candidate.champion_dir / "quality").read_text())
    return [Figure("quality", candidate.metrics["quality"], at_least=least)]


GATED = Kind(
    name="train-gated",
    summary="Trains a number, which must not fall.",
    parameters=GatedParameters,
    train=_train_gated,
    gate=_gate,
)


class Weigher:
    """Answers with the model's number and the hash of the text."""

    batch_documents = 32
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        assert setup.model_dir is not None
        self.quality = (setup.model_dir / "quality").read_text()

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [[OracleRow(1, f"{self.quality} {answer(document.text)}", 1.0)] for document in documents]


WEIGH = Kind(
    name="weigh",
    summary="Answers with the number of a trained model.",
    parameters=NoParameters,
    rows=(OracleRow,),
    stages=(Stage("weigh", Weigher),),
    endpoint=Endpoint("/v1/weigh", one_text, _oracle_answer),
    model_from="train-gated",
    chunk_documents=50,
)


# --- a kind of three stages, in each of which a document can fail -------------------------------------------------


@dataclass(frozen=True)
class TermRow:
    table: ClassVar[str] = "keyword"

    rank: int
    term: str
    score: float


class Step:
    """Stage N of three. A text "!error N" is answered with an error in stage N, "!raise N" raises there; others
    get a row in the second stage and one in the third."""

    batch_documents = 4
    batch_chars = 1_000_000

    def __init__(self, stage: int) -> None:
        self.stage = stage

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [self._one(document.text) for document in documents]

    def _one(self, text: str) -> Result:
        if text == f"!raise {self.stage}":
            raise ValueError(f"asked to raise in stage {self.stage}")
        if text == f"!error {self.stage}":
            return DocumentError(f"STAGE_{self.stage}", "asked to fail")
        if self.stage == 2:
            return [TermRow(1, answer(text), 1.0)]
        return [OracleRow(1, answer(text), 1.0)] if self.stage == 3 else ()


def _step(stage: int, _setup: Setup) -> Step:
    return Step(stage)


THREE = Kind(
    name="three",
    summary="Works in three stages, each of which can fail.",
    parameters=NoParameters,
    rows=(TermRow, OracleRow),
    stages=tuple(Stage(f"stage {n}", partial(_step, n)) for n in (1, 2, 3)),
    chunk_documents=3,
)


# --- a kind over files ---------------------------------------------------------------------------------------------


class FileReader:
    """Its answer is the hash of the file's text. A file that begins with "!word" makes it misbehave."""

    batch_documents = 32
    batch_chars = 1_000_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> Result:
        found = Path(json.loads(document.text)["path"]).read_text(errors="replace")
        if found.startswith("!"):
            misbehave(found[1:])
        return [
            OracleRow(1, answer(found), 1.0),
            NewText(f"{document.key}!read", answer(found), document.key),
        ]


READ_FILES = Kind(
    name="read-files",
    summary="Answers with a hash of each file.",
    parameters=NoParameters,
    rows=(OracleRow,),
    stages=(Stage("read", FileReader),),
    over_files=True,
)
KINDS = (ORACLE, NOTHING, GATED, WEIGH, THREE, READ_FILES)
