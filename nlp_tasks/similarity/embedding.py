"""The kind `embed`: the vectors of documents as results, for programs that compare texts themselves.

A vector has length 1, so that the scalar product of two of them is the score of `similarity`: with the method doc2vec,
for which it is centred as in a search, or embedding. Imports neither torch nor numpy.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_tasks.endpoint import Asked, BadRequestError, Endpoint, Results, model_of, without
from nlp_tasks.kind import IMPORTED, Kind, Runner, Setup, Stage
from nlp_tasks.parameters import parameters

FORMATS = ("float", "base64")
#: Texts of one request.
MOST_INPUTS = 2_048


@parameters
class EmbedParameters:
    """What a vector is made of. Only a model that was imported has a choice."""

    dimensions: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="keep the first numbers of a vector and scale them to length 1; for models that were trained "
            "for it (Matryoshka); 0 keeps all",
        ),
    ] = 0
    prompt: Annotated[
        str,
        Field(
            max_length=10_000,
            description="what stands before each text, or the name of one of the model's prompts (query, passage); "
            "`none` for nothing, empty for the model's default",
        ),
    ] = ""
    long: Annotated[
        Literal["truncate", "mean"],
        Field(
            description="a text that is longer than the model's input: read its beginning, or read it in windows and "
            "take the mean of their vectors"
        ),
    ] = "truncate"


@dataclass(frozen=True, slots=True)
class EmbeddingRow:
    """A document's vector."""

    table: ClassVar[str] = "embedding"

    #: float32, little-endian, of length 1.
    vector: bytes
    #: Tokens of the document.
    n_tokens: int


def _open(setup: Setup) -> Runner:
    from nlp_tasks.encoders import is_encoder
    from nlp_tasks.similarity.embedding_runner import Doc2VecEmbedder, Embedder

    assert setup.model_dir is not None
    return Embedder(setup) if is_encoder(setup.model_dir) else Doc2VecEmbedder(setup)


def _request(body: Mapping[str, Any]) -> Asked:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequestError(
            "input must be a string or a list of strings; lists of token numbers are not supported",
            param="input",
        )
    if len(texts) > MOST_INPUTS:
        raise BadRequestError(
            f"input has {len(texts):,} texts; at most {MOST_INPUTS:,} are allowed", param="input"
        )
    form = body.get("encoding_format") or "float"
    if form not in FORMATS:
        raise BadRequestError(
            f"encoding_format must be float or base64, not {form!r}", param="encoding_format"
        )
    dimensions = body.get("dimensions")
    if dimensions is not None and (
        not isinstance(dimensions, int) or isinstance(dimensions, bool) or dimensions < 1
    ):
        raise BadRequestError("dimensions must be a whole number, at least 1", param="dimensions")
    given = without(body, ("input", "model", "user", "encoding_format", "dimensions"))
    if dimensions is not None:
        given["dimensions"] = dimensions
    return Asked(tuple(texts), given, model_of(body), {"encoding_format": form})


def _answer(results: Results) -> dict[str, Any]:
    found = [rows["embedding"][0] for rows in results.rows]
    encode = _base64 if results.form.get("encoding_format") == "base64" else _floats
    n_tokens = sum(row["n_tokens"] for row in found)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(row["vector"])}
            for index, row in enumerate(found)
        ],
        "model": results.model,
        "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens},
    }


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def _floats(vector: bytes) -> list[float]:
    """Each with the 8 digits that tell one float32 from the next."""
    return [float(f"{value:.8g}") for value in struct.unpack(f"<{len(vector) // 4}f", vector)]


EMBED = Kind(
    name="embed",
    summary="Make a vector of each document by Doc2Vec or an imported model, to compare texts by scalar products",
    parameters=EmbedParameters,
    rows=(EmbeddingRow,),
    stages=(Stage("embed", _open),),
    model_from="train-similarity",
    models_from=lambda parameters: ("train-similarity", IMPORTED),  # noqa: ARG005
    rounds=True,
    endpoint=Endpoint("/v1/embeddings", _request, _answer),
    chunk_documents=1000,
    chunk_chars=4_000_000,
)

KINDS = (EMBED,)
