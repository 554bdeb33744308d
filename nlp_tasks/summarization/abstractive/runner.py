"""The stage of `summarize` for method=abstractive: a model writes the summaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from nlp_tasks import sentences
from nlp_tasks.errors import DocumentError, ModelFileError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.local_transformers import library
from nlp_tasks.summarization import ABSTRACTIVE, SummarizeParameters, SummaryRow
from nlp_tasks.summarization.abstractive.decoding import Decoding
from readers.markup import plain


class Writer(Protocol):
    """A loaded model that writes summaries."""

    def summarize(
        self, texts: Sequence[str], how: Decoding, seed: int = 0, beat: Callable[[], None] = lambda: None
    ) -> list[str]: ...


class AbstractiveSummarizer:
    """The stage of the kind `summarize` for method=abstractive."""

    batch_documents = 256
    batch_chars = 2_000_000

    def __init__(self, setup: Setup) -> None:
        self._parameters: SummarizeParameters = setup.parameters
        self._beat = setup.beat
        self._writer = open_writer(setup)
        self._how = decoding(self._parameters)

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """A SummaryRow for each document, or a DocumentError if it is blank or the model wrote nothing."""
        read = [plain(document.text) for document in documents]
        texts = [text for text in read if text.strip()]
        written = iter(
            self._writer.summarize(texts, self._how, self._parameters.seed, self._beat) if texts else ()
        )
        return [self._row(text, next(written)) if text.strip() else _blank() for text in read]

    def _row(self, text: str, summary: str) -> Result:
        if not summary:
            return DocumentError("NO_SUMMARY", "the model wrote nothing")
        return [SummaryRow(summary, ABSTRACTIVE, len(sentences.split(text)))]


def open_writer(setup: Setup) -> Writer:
    """The model in `setup.model_dir`, or the transformers model that the parameters name."""
    parameters: SummarizeParameters = setup.parameters
    if parameters.pretrained:
        library("-p pretrained", ModelFileError)
        from nlp_tasks.summarization.abstractive import pretrained

        return pretrained.open_folder(Path(parameters.pretrained), setup.device)
    if setup.model_dir is None:
        raise ValueError("method=abstractive needs --model NAME or -p pretrained=FOLDER")
    from nlp_tasks.summarization.abstractive import model

    return model.load(setup.model_dir, setup.device)


def decoding(parameters: SummarizeParameters) -> Decoding:
    """The decoding settings in the parameters of the kind."""
    return Decoding(
        beams=parameters.beams if parameters.search == "beam" else 1,
        no_repeat=parameters.no_repeat,
        max_tokens=parameters.max_tokens,
        sample=parameters.search == "sample",
        temperature=parameters.temperature,
        top_k=parameters.top_k,
        top_p=parameters.top_p,
    )


def _blank() -> DocumentError:
    return DocumentError("EMPTY_TEXT", "the text is blank")
