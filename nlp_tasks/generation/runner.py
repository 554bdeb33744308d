"""The stage of `generate`: prompts from documents, and rows from what a model wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlp_tasks.errors import DocumentError, ModelFileError
from nlp_tasks.generation import GenerateParameters, GenerationRow, fields, json_schema, stopping, template
from nlp_tasks.generation.choosing import Sampling
from nlp_tasks.generation.examples import Examples
from nlp_tasks.generation.writer import Prompt, Writer, Written
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.local_transformers import library


class Generator:
    """The stage of the kind `generate`."""

    batch_documents = 512
    batch_chars = 8_000_000

    def __init__(self, setup: Setup) -> None:
        self._parameters: GenerateParameters = setup.parameters
        self._beat = setup.beat
        self._template = template.parse(self._parameters.prompt, examples=True)
        self._examples = _examples(setup)
        self._writer = open_writer(setup)

    def run(self, documents: Sequence[Document]) -> list[Result]:
        """A GenerationRow for each document, with a schema also GenerationFieldRows; or a DocumentError if it is
        blank, lacks a field of the prompt, or is too long."""
        prompts = [self._prompt(document) for document in documents]
        good = [prompt for prompt in prompts if isinstance(prompt, Prompt)]
        written = iter(self._writer.write(good, self._beat) if good else ())
        return [self._rows(next(written)) if isinstance(prompt, Prompt) else prompt for prompt in prompts]

    def _prompt(self, document: Document) -> Prompt | DocumentError:
        self._beat()
        names = self._template.names
        if template.TEXT in names and not document.text.strip():
            return DocumentError("EMPTY_TEXT", "the text is blank")
        try:
            values = template.values(document, names)
            if self._examples is not None:
                values[template.EXAMPLES] = self._examples.text(document)
        except DocumentError as error:
            return error
        return Prompt(document.key, self._template, values)

    def _rows(self, found: Written | DocumentError) -> Result:
        if isinstance(found, DocumentError):
            return found
        row = GenerationRow(
            found.text,
            found.finish_reason,
            found.n_prompt_tokens,
            found.n_tokens,
            found.n_cut_chars,
            self._parameters.model or None,
        )
        return [row, *fields.rows(found.text)] if self._parameters.schema else [row]


def open_writer(setup: Setup) -> Writer:
    """The server, the folder, or the model that docmill trained."""
    parameters: GenerateParameters = setup.parameters
    how = Sampling(parameters.temperature, parameters.top_k, parameters.top_p)
    stops = stopping.strings_of(parameters.stop)
    if parameters.server:
        from nlp_tasks.generation.server import Server

        return Server(parameters, stops, setup.servers)
    if parameters.model:
        return _of_folder(parameters, how, stops, setup.device)
    from nlp_tasks.generation.own_model import OwnModel

    assert setup.model_dir is not None
    most, seed = parameters.max_tokens, parameters.seed
    return OwnModel(setup.model_dir, how, seed, most, stops, setup.device)


def _of_folder(parameters: GenerateParameters, how: Sampling, stops: tuple[str, ...], device: str) -> Writer:
    library("generate", ModelFileError)
    from nlp_tasks.generation import language_model
    from nlp_tasks.generation.constraint import Constraint
    from nlp_tasks.generation.language_model import Decoding
    from nlp_tasks.generation.prompts import PromptEncoder, Reading

    reading = Reading(
        system=parameters.system,
        chat=parameters.chat == "auto",
        cut=parameters.too_long == "cut",
        most_tokens=parameters.max_prompt_tokens,
    )

    def encoder(tokenizer: Any, config: Any) -> PromptEncoder:
        return PromptEncoder(tokenizer, config, reading)

    def decoding(tokenizer: Any, n_scores: int) -> Decoding:
        constraint = None
        if parameters.schema:
            constraint = Constraint(json_schema.parse(parameters.schema), tokenizer, n_scores)
        return Decoding(how, parameters.seed, parameters.max_tokens, stops, constraint)

    return language_model.open_folder(Path(parameters.model), encoder, decoding, device)


def _examples(setup: Setup) -> Examples | None:
    parameters: GenerateParameters = setup.parameters
    if not parameters.examples:
        return None
    assert setup.labelled is not None
    return Examples(
        setup.labelled(),
        template.parse(parameters.example, what="example"),
        parameters.examples,
        seed=parameters.seed,
        nearest=parameters.examples_by == "nearest",
        beat=setup.beat,
    )
