"""Static embeddings: a vector for each token, and the mean over a text's tokens (Tulkens and van Dongen 2024).

Reads the folders of model2vec, whose vocabulary may be smaller than the tokenizer's (`mapping`) and whose tokens may
have weights, and the module StaticEmbedding of sentence-transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nlp_tasks.encoders import Embedded, Long
from nlp_tasks.encoders.description import Description, is_model2vec
from nlp_tasks.encoders.layers import Head, tensors_of, weights_of
from nlp_tasks.errors import ModelFileError

#: Texts that are tokenized at a time.
TOGETHER = 512
#: Tokens that model2vec reads of a text if its configuration does not say.
MODEL2VEC_TOKENS = 512


@dataclass
class StaticEncoder:
    """An open model. See `Encoder`."""

    description: Description
    tokenizer: Any
    table: torch.Tensor  # (V, D)
    #: A token that has no meaning, which model2vec leaves out.
    left_out: int | None
    #: Tokens that count of a text that is truncated; 0 for all.
    max_tokens: int
    head: Head
    device: str

    def __post_init__(self) -> None:
        self.dimensions = self.head.body(self.table[:1]).shape[1]

    def embed(
        self, texts: Sequence[str], prompt: str, long: Long, beat: Callable[[], None] = lambda: None
    ) -> Embedded:
        """See `Encoder.embed`. A text without known tokens has a zero vector."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        counts = np.zeros(len(texts), np.int64)
        n_prompt = len(self._ids([prompt], "mean")[0]) if prompt else 0
        for first in range(0, len(texts), TOGETHER):
            some = [prompt + text for text in texts[first : first + TOGETHER]]
            part = slice(first, first + len(some))
            vectors[part], counts[part] = self._means(self._ids(some, long))
            beat()
        return Embedded(vectors, np.maximum(counts - n_prompt, 0))

    @torch.inference_mode()
    def _means(self, ids: list[list[int]]) -> tuple[Any, list[int]]:
        lengths = [len(each) for each in ids]
        flat = torch.tensor([id_ for each in ids for id_ in each], dtype=torch.long, device=self.device)
        offsets = torch.tensor([0, *np.cumsum(lengths)[:-1].tolist()], device=self.device)
        means = torch.nn.functional.embedding_bag(flat, self.table, offsets, mode="mean")
        return self.head.end(self.head.body(means)).cpu().numpy(), lengths

    def _ids(self, texts: list[str], long: Long) -> list[list[int]]:
        if self.max_tokens and long == "truncate":
            self.tokenizer.enable_truncation(self.max_tokens)
        else:
            self.tokenizer.no_truncation()
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [[id_ for id_ in each.ids if id_ != self.left_out] for each in encoded]


def load(description: Description, device: str) -> StaticEncoder:
    """The model of a folder. ModelFileError names what is missing."""
    from tokenizers import Tokenizer

    static, *after = description.modules
    if not (static.folder / "tokenizer.json").is_file():
        raise ModelFileError(f"{static.folder / 'tokenizer.json'} is missing")
    tokenizer = Tokenizer.from_file(str(static.folder / "tokenizer.json"))
    tokenizer.no_padding()
    by_model2vec = is_model2vec(static.config)
    max_tokens = static.config.get("max_length", MODEL2VEC_TOKENS) if by_model2vec else 0
    return StaticEncoder(
        description,
        tokenizer,
        _table(static.folder).to(device),
        _unknown(tokenizer) if by_model2vec else None,
        int(max_tokens or 0),
        Head(after, device),
        device,
    )


def _table(folder: Path) -> torch.Tensor:
    """One vector for each token of the tokenizer, with its weight  # (V, D)."""
    tensors = tensors_of(folder)
    found = tensors.get("embedding.weight", tensors.get("embeddings"))
    if found is None:
        raise ModelFileError(f"{weights_of(folder)} has no embeddings: it has {', '.join(sorted(tensors))}")
    table = found.float()
    if "mapping" in tensors:
        table = table[tensors["mapping"].long()]
    if "weights" in tensors:
        table = table * tensors["weights"].float()[:, None]
    return table


def _unknown(tokenizer: Any) -> int | None:
    """The token for what is unknown; None if there is none."""
    token = getattr(tokenizer.model, "unk_token", None)
    if token is not None:
        found: int | None = tokenizer.token_to_id(token)
        return found
    import json

    unknown: int | None = json.loads(tokenizer.to_str())["model"].get("unk_id")
    return unknown
