"""Writes an encoder for use without docmill and torch: an ONNX graph, its tokenizer, and what a program must know.

The graph takes the token ids of padded texts with their mask and gives the vectors of the texts: pooling and the layers
after it are part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.encoders import Encoder, is_encoder, open_folder, pooling
from nlp_tasks.encoders.transformer_encoder import TransformerEncoder, hidden_states
from nlp_tasks.errors import ModelFileError
from nlp_tasks.onnx_graphs import exporting
from nlp_tasks.onnx_graphs.exporting import TOKENIZER, Compute, Export, Exported
from nlp_tasks.onnx_graphs.slot import Network


class TextVectors(torch.nn.Module):
    """From token ids to the vectors of texts."""

    def __init__(self, encoder: TransformerEncoder, n_left_out: int) -> None:
        super().__init__()
        self.model, self._encoder, self._n_left_out = encoder.model, encoder, n_left_out

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = hidden_states(self.model, input_ids, attention_mask)
        pooled = pooling.pool(hidden, attention_mask.sum(dim=1), self._encoder.pooling, self._n_left_out)
        return self._encoder.head.end(self._encoder.head.body(pooled))


def export(source: Path, target: Path, *, int8: bool = False, texts: Sequence[str] = ()) -> Exported:
    """Write the encoder of a folder into another one. With `int8`, a graph whose weights have 8 bits is written too,
    and what that costs is measured. ModelFileError if the model cannot be written, or gives other vectors in ONNX
    Runtime; then `target` is as it was."""
    if not is_encoder(source):
        raise ModelFileError(
            f"{source} is a model that docmill has trained, and no encoder; leave --onnx out"
        )
    encoder = transformer(open_folder(source), source)
    prompt = encoder.description.prompt()
    what = Export(
        network=network(encoder, TextVectors(encoder, n_left_out(encoder)), "vectors"),
        about=about(encoder) | {"output": {"vectors": "float32 (texts, dimensions)"}},
        write_files=partial(write_tokenizer, encoder),
        answers=lambda some, compute: computed(encoder, some, compute),
        expected=lambda some: encoder.embed(some, prompt, "truncate", heartbeat.beat).vectors,
    )
    return exporting.export(what, str(source), target, int8=int8, texts=texts)


def transformer(encoder: Encoder, source: Path) -> TransformerEncoder:
    """The encoder, if it is a network. ModelFileError if it is not."""
    if not isinstance(encoder, TransformerEncoder):
        raise ModelFileError(
            f"{source} is a table of token vectors, which needs no ONNX: its safetensors and tokenizer.json are enough"
        )
    return encoder


def network(encoder: TransformerEncoder, module: torch.nn.Module, output: str) -> Network:
    """A module from token ids and mask."""
    ids = torch.full((2, 7 + n_left_out(encoder)), encoder.pad_id)
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=encoder.max_tokens)}
    inputs = {"input_ids": ids, "attention_mask": mask}
    return Network(module, inputs, dict.fromkeys(inputs, axes), output)


def n_left_out(encoder: TransformerEncoder) -> int:
    """Tokens at the beginning that the pooling leaves out."""
    prompt = encoder.description.prompt()
    return 0 if encoder.pools_prompt or not prompt else encoder.cutter.prompt_tokens(prompt)


def computed(encoder: TransformerEncoder, texts: Sequence[str], compute: Compute) -> NDArray[np.float32]:
    """The output of a graph for texts, as one padded batch."""
    windows = encoder.cutter.cut(texts, encoder.description.prompt(), "truncate", heartbeat.beat)
    width = int(windows.lengths.max())
    ids = np.full((len(windows.ids), width), encoder.pad_id, np.int64)
    for row, window in enumerate(windows.ids):
        ids[row, : len(window)] = window
    mask = (np.arange(width) < windows.lengths[:, None]).astype(np.int64)
    return compute({"input_ids": ids, "attention_mask": mask})


def write_tokenizer(encoder: TransformerEncoder, folder: Path) -> None:
    """The tokenizer, which cuts texts to what the graph takes."""
    encoder.cutter.save(folder / TOKENIZER)


def about(encoder: TransformerEncoder) -> dict[str, Any]:
    """What a program needs beside the graph and the tokenizer."""
    return {
        "inputs": {"input_ids": "int64 (texts, tokens)", "attention_mask": "int64 (texts, tokens)"},
        "dimensions": encoder.dimensions,
        "max_tokens": encoder.max_tokens,
        "pad_id": encoder.pad_id,
        "padding": "at the end",
        "prompt": encoder.description.prompt(),
        "prompts": dict(encoder.description.prompts),
        "normalized": encoder.head.normalizes,
        "similarity": encoder.description.similarity,
    }
