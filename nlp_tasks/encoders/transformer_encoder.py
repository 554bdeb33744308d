"""Encoders of transformers: windows of tokens, the model, pooling, and layers after it.

Windows of all texts are sorted by length and go through the model in batches of a number of tokens, so that little is
spent on padding. On a GPU the model computes in bfloat16 where that is fast; pooling and layers compute in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from nlp_tasks import heartbeat
from nlp_tasks.batching import by_length
from nlp_tasks.encoders import Embedded, Long, packed_linear, pooling
from nlp_tasks.encoders.description import Description, Module
from nlp_tasks.encoders.layers import Head
from nlp_tasks.encoders.windows import Cutter, Windows
from nlp_tasks.errors import ModelFileError
from nlp_tasks.local_transformers import OFFLINE, library
from nlp_tasks.onnx_graphs.slot import Network, Slot
from nlp_tasks.torch_device import weights_type

#: Tokens in a batch, including padding. On a CPU, small batches stay in its cache.
BATCH_TOKENS, BATCH_TOKENS_ON_CPU = 65_536, 2_048
#: Models with an encoder and a decoder, of which only the encoder is used, and its class.
ENCODERS = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel"}
#: Models that count positions from the padding id on, so that not all of max_position_embeddings can be used.
COUNTED_AFTER_PADDING = ("camembert", "longformer", "mpnet", "roberta", "xlm-roberta")
#: The longest window of a model without a limit of its own.
WINDOW_TOKENS = 8_192


class LastHiddenStates(torch.nn.Module):
    """A model of transformers that takes tensors by position and gives one."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return hidden_states(self.model, input_ids, attention_mask)


def hidden_states(model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """The last hidden states (B, S, D) of token ids and their mask (B, S)."""
    found: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    return found


@dataclass
class TransformerEncoder:
    """An open model. See `Encoder`."""

    description: Description
    model: Any
    cutter: Cutter
    pad_id: int
    pooling: tuple[str, ...]
    #: Whether the tokens of a prompt count in the pooling.
    pools_prompt: bool
    head: Head
    device: str
    #: Vectors are compared, and nothing is decided.
    decides: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.max_tokens = self.cutter.max_tokens
        #: Computes instead of the model, whose weights are gone then.
        self._graph: torch.nn.Module | None = None
        empty = torch.zeros(1, len(self.pooling) * self.model.config.hidden_size, device=self.device)
        self.dimensions = self.head.body(empty).shape[1]
        self._is_packed = False

    def embed(
        self, texts: Sequence[str], prompt: str, long: Long, beat: Callable[[], None] = lambda: None
    ) -> Embedded:
        """See `Encoder.embed`."""
        if self.device == "cpu" and not self._is_packed and self._graph is None:
            packed_linear.pack(self.model)
            self._is_packed = True
        windows = self.cutter.cut(texts, prompt, long, beat)
        n_left_out = 0 if self.pools_prompt or not prompt else self.cutter.prompt_tokens(prompt)
        vectors = np.zeros((len(windows.ids), self.dimensions), np.float32)
        for chosen in by_length(
            windows.lengths, BATCH_TOKENS_ON_CPU if self.device == "cpu" else BATCH_TOKENS
        ):
            vectors[chosen] = self._vectors(windows, chosen, n_left_out)
            beat()
        return self._joined(windows, vectors, len(texts))

    @torch.inference_mode()
    def _vectors(self, windows: Windows, chosen: NDArray[np.int64], n_left_out: int) -> NDArray[np.float32]:
        """The vectors of some windows, before a Normalize at the end  # (B, D)."""
        lengths = torch.from_numpy(windows.lengths[chosen]).to(self.device)
        ids = _padded([windows.ids[place] for place in chosen], self.pad_id).to(self.device)
        mask = (torch.arange(ids.shape[1], device=self.device) < lengths[:, None]).long()  # (B, S)
        hidden = self._hidden(ids, mask)  # (B, S, D)
        found: NDArray[np.float32] = (
            self.head.body(pooling.pool(hidden, lengths, self.pooling, n_left_out)).cpu().numpy()
        )
        return found

    def _hidden(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self._graph is None:
            return hidden_states(self.model, ids, mask)
        found: torch.Tensor = self._graph(ids, mask)
        return found

    def slots(self) -> list[Slot]:
        """The model, without pooling and what comes after it. To be asked for before anything is embedded: layers of
        oneDNN have no graph."""
        ids = torch.full((2, 7), self.pad_id)
        mask = torch.ones_like(ids)
        mask[1, -2:] = 0
        inputs = {"input_ids": ids, "attention_mask": mask}
        axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=self.max_tokens)}
        network = Network(LastHiddenStates(self.model), inputs, dict.fromkeys(inputs, axes), "hidden")

        def put(graph: torch.nn.Module) -> None:
            self._graph = graph
            self.model = self.model.to("meta")

        return [Slot("encoder", network, put)]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (N, D)."""
        return self.embed(texts, self.description.prompt(), "mean", heartbeat.beat).vectors

    def _joined(self, windows: Windows, vectors: NDArray[np.float32], n_texts: int) -> Embedded:
        """The vectors of texts: means of those of their windows, weighted by their tokens."""
        n_tokens = np.bincount(windows.owner, weights=windows.n_tokens, minlength=n_texts)
        if len(windows.ids) > n_texts:
            weights = np.maximum(windows.n_tokens, 1).astype(np.float32)
            sums = np.zeros((n_texts, vectors.shape[1]), np.float32)
            np.add.at(sums, windows.owner, vectors * weights[:, None])
            totals = np.bincount(windows.owner, weights=weights, minlength=n_texts)
            vectors = (sums / totals[:, None]).astype(np.float32)
        ended = self.head.end(torch.from_numpy(vectors)).numpy()
        return Embedded(ended, n_tokens.astype(np.int64))


def load(description: Description, device: str) -> TransformerEncoder:
    """The model of a folder. ModelFileError if transformers cannot read it."""
    reader, pooled, *after = description.modules
    model, tokenizer = read(reader, weights_type(device))
    lower = bool(reader.config.get("do_lower_case"))
    return TransformerEncoder(
        description,
        model.to(device).eval(),
        Cutter(tokenizer, longest(reader, tokenizer, model.config), lower=lower),
        tokenizer.pad_token_id or 0,
        pooling.modes(pooled.config),
        bool(pooled.config.get("include_prompt", True)),
        Head(after, device),
        device,
    )


def read(reader: Module, numbers: torch.dtype) -> tuple[Any, Any]:
    """The model and the tokenizer of the module that reads texts. ModelFileError if transformers cannot read them."""
    transformers = library("an encoder", ModelFileError)
    folder = reader.folder
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **OFFLINE)
        auto = ENCODERS.get(config.model_type, "AutoModel")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OFFLINE)
        with _quiet(transformers):
            model, loading = getattr(transformers, auto).from_pretrained(
                folder, use_safetensors=True, dtype=numbers, output_loading_info=True, **OFFLINE
            )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelFileError(f"transformers cannot read {folder}: {error}") from error
    missing = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
    if missing:
        raise ModelFileError(
            f"the weights in {folder} lack {len(missing)} tensors of the model, such as {missing[0]}"
        )
    return model, tokenizer


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without a report about weights that are not used: which of them are missing is checked here."""
    before = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(before)


def longest(module: Module, tokenizer: Any, config: Any) -> int:
    """The most tokens of a window: as the module says, or the tokenizer and the model; never more than the model has
    places for."""
    places = getattr(config, "max_position_embeddings", None) or -1
    usable = places if places > 0 else WINDOW_TOKENS
    if config.model_type in COUNTED_AFTER_PADDING:
        usable -= config.pad_token_id + 1
    told = module.config.get("max_seq_length") or tokenizer.model_max_length
    return int(min(told, usable))


def _padded(rows: list[list[int]], pad_id: int) -> torch.Tensor:
    """Token ids in one array, padded at the end  # (B, S)."""
    width = max(map(len, rows))
    return torch.tensor([row + [pad_id] * (width - len(row)) for row in rows])
