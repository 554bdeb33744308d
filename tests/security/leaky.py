"""Kinds that are careless with texts: one quotes them in its errors, one gives them back as labels."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Kind, Result, Setup, Stage
from tests.kinds import NoParameters, OracleRow


class Leaky:
    """Does what a text's first word says, and quotes the text as it does so."""

    batch_documents = 4
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [self._one(document.text) for document in documents]

    def _one(self, text: str) -> Result:
        if text.startswith("raise"):
            raise ValueError(f"cannot make sense of {text!r}") from KeyError(text)
        if text.startswith("machine"):
            _fail_once(text)
        if text.startswith("refuse"):
            return DocumentError("REFUSED", "not to the runner's taste")
        # PostgreSQL stores no NUL: the driver's error quotes what it was given.
        label = f"{text}\0" if text.startswith("unstorable") else "fine"
        return [OracleRow(1, label, 1.0)]


def _fail_once(text: str) -> None:
    """As when the disk is full: no document's fault, so the chunk is put back and tried again."""
    marker = Path(os.environ["DOCMILL_HOME"]) / "disk-was-full"
    if not marker.exists():
        marker.touch()
        raise OSError(errno.ENOSPC, f"no space left while at {text!r}")


class Echo:
    """Gives back each text as its label; a text that begins with "fail" as an error's detail."""

    batch_documents = 32
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [
            DocumentError("FAILED", document.text)
            if document.text.startswith("fail")
            else [OracleRow(1, document.text, 1.0, document.label)]
            for document in documents
        ]


LEAKY = Kind(
    name="leaky",
    summary="Quotes texts in its errors.",
    parameters=NoParameters,
    rows=(OracleRow,),
    stages=(Stage("leak", Leaky),),
)
ECHO = Kind(
    name="echo",
    summary="Answers with the text.",
    parameters=NoParameters,
    rows=(OracleRow,),
    stages=(Stage("echo", Echo),),
)
KINDS = (LEAKY, ECHO)
