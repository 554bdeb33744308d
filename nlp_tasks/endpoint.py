"""How programs ask for a kind one request at a time, in the form of OpenAI's API: `Kind.endpoint`.

A request is a JSON object, of which `request` makes texts, parameters and a model; an answer is the JSON object that
`answer` makes of the result rows. Whoever serves the endpoint knows no kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias


class BadRequestError(ValueError):
    """What a request asks for cannot be done. The message is for whoever wrote it."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    #: Texts, each of which becomes a document; for a kind over files, the ids of uploaded files.
    inputs: tuple[str, ...]
    #: Names and values, as the kind's parameters.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: As for `docmill submit --model`; None for the only one there is.
    model: str | None = None
    #: What changes only the form of the answer; JSON.
    form: Mapping[str, Any] = field(default_factory=dict)


#: The result rows of one document, by table.
Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Results:
    """What became of a request's documents, all of which have a result."""

    #: For each document, in the order of the inputs.
    rows: Sequence[Rows]
    #: The model as it was asked for, or the one that was used.
    model: str | None
    form: Mapping[str, Any]
    #: For a kind that makes texts of files: those made of each document, as (key, text).
    made: Sequence[Sequence[tuple[str, str]]] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a program has uploaded, and that is in the store (`Setup.uploads`)."""

    id: str
    filename: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, and what its requests and answers look like."""

    #: Such as "/v1/summarize".
    path: str
    #: Raises BadRequestError.
    request: Callable[[Mapping[str, Any]], Asked]
    #: Raises BadRequestError for a form that does not fit the results.
    answer: Callable[[Results], dict[str, Any]]
    #: For a kind over files: the text of the document that stands for an uploaded file ...
    file_text: Callable[[Upload], str] | None = None
    #: ... and the texts that were made of one, from its rows: key and version of each; None for no version.
    made: Callable[[Rows], Sequence[tuple[str, int | None]]] | None = None


#: Fields that say something about the request itself, and no parameter.
_ABOUT_IT = ("input", "model", "user", "metadata")


def one_text(body: Mapping[str, Any]) -> Asked:
    """A request with one text in `input`; what else it has are parameters of the kind."""
    text = body.get("input")
    if not isinstance(text, str):
        raise BadRequestError('input must be a string: the text, as in {"input": "..."}', param="input")
    return Asked((text,), without(body, _ABOUT_IT), model_of(body))


def without(body: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The fields of other names."""
    return {name: value for name, value in body.items() if name not in names}


def model_of(body: Mapping[str, Any]) -> str | None:
    """The field `model`."""
    model = body.get("model")
    if model is not None and (not isinstance(model, str) or not model.strip()):
        raise BadRequestError("model must be the name of a model: NAME, NAME@3 or NAME@alias", param="model")
    return model
