"""Places in the cache of keys and values: a document takes one when it begins, and leaves it when it has finished.

Every place has its own length: the cache of a row is written from its beginning, and a mask hides what is behind its
end. So a document can begin while others are in the middle, and no row is padded to another's length. Rows that are in
use are always the first ones: when one leaves, the last takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

#: Lengths of buffers are multiples of this.
_STEP = 16
#: Scores (rows x different ends x vocabulary) that one reading of prompts computes.
_MOST_SCORES = 1 << 25
#: A buffer that has too few rows grows by at least this factor.
_GROWTH = 1.25


class Buffer:
    """Keys and values of one layer for R rows of at most L tokens."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None  # (R, H, L, D)
        self.values: Tensor | None = None  # (R, H, L, D)

    def reserve(self, like: Tensor, values_like: Tensor, n: int, rows: int, length: int) -> None:
        """Room for so many rows of this length; what the first `n` hold is kept."""
        if self.keys is not None:
            if self.keys.shape[0] >= rows and self.keys.shape[2] >= length:
                return
            if self.keys.shape[0] < rows:
                # Shorter rows follow longer ones: every few of them would need some more room, and a copy of all.
                rows = max(rows, int(_GROWTH * self.keys.shape[0]))
        self.keys = _larger(self.keys, like, n, rows, length)
        self.values = _larger(self.values, values_like, n, rows, length)

    def put(self, row: int, keys: Tensor, values: Tensor) -> None:
        """(H, T, D) each: a row's beginning."""
        assert self.keys is not None
        assert self.values is not None
        self.keys[row, :, : keys.shape[1]] = keys
        self.values[row, :, : values.shape[1]] = values

    def move(self, source: int, target: int, length: int) -> None:
        assert self.keys is not None
        assert self.values is not None
        self.keys[target, :, :length] = self.keys[source, :, :length]
        self.values[target, :, :length] = self.values[source, :, :length]


def _larger(before: Tensor | None, like: Tensor, n: int, rows: int, length: int) -> Tensor:
    _, heads, _, size = like.shape
    # What is behind the end of a row is masked, but must be a number.
    made = like.new_zeros(rows, heads, length, size)
    if before is not None and n:
        kept = min(length, before.shape[2])
        made[:n, :, :kept] = before[:n, :, :kept]
    return made


class Rows:
    """What the layers of a cache share in one step."""

    def __init__(self) -> None:
        self.index = torch.zeros(0, dtype=torch.long)  # (n,)
        #: The place of each row's next token.
        self.ends = torch.zeros(0, dtype=torch.long)  # (n,)
        #: The longest row, with its next token.
        self.longest = 0


class Layer(CacheLayerMixin):  # type: ignore[no-untyped-call, unused-ignore]
    """A layer of transformers' cache, whose rows have their own ends."""

    def __init__(self, buffer: Buffer, rows: Rows) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._buffer, self._rows = buffer, rows
        self.is_initialized = True

    def update(
        self,
        key_states: Tensor,  # (n, H, 1, D)
        value_states: Tensor,  # (n, H, 1, D)
        *_: Any,
        **__: Any,
    ) -> tuple[Tensor, Tensor]:
        """Write the next token of each row; returns keys and values (n, H, longest, D)."""
        keys, values, rows = self._buffer.keys, self._buffer.values, self._rows
        assert keys is not None
        assert values is not None
        keys[rows.index, :, rows.ends] = key_states[:, :, 0]
        values[rows.index, :, rows.ends] = value_states[:, :, 0]
        n = len(rows.index)
        return keys[:n, :, : rows.longest], values[:n, :, : rows.longest]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The buffer is made when rows begin."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002
        return self._rows.longest, 0

    def get_seq_length(self) -> int:
        return self._rows.longest - 1

    def get_max_length(self) -> int:
        return -1


class Places:
    """The rows that a decoder is writing."""

    def __init__(self, model: Any, device: str) -> None:
        self._model, self._device = model, torch.device(device)
        self._rows = Rows()
        self._buffers: list[Buffer] = []
        #: Tokens in the cache of each row in use, and those that it may come to hold.
        self.lengths: list[int] = []
        self._needs: list[int] = []
        self._window = _sliding_window(model.config)
        self._is_bool = model.config._attn_implementation == "sdpa"

    def __len__(self) -> int:
        return len(self.lengths)

    def begin(self, prompts: Sequence[Sequence[int]], most: Sequence[int], rows: int) -> Tensor:
        """Give a place to each prompt, to which at most that many tokens are added; returns the scores (M, V) of each
        one's first token. `rows` is how many rows of this length there may be, with those in use."""
        raise NotImplementedError

    def step(self, ids: Sequence[int]) -> Tensor:
        """Scores (n, V) after one more token in each row."""
        raise NotImplementedError

    def leave(self, row: int) -> None:
        """Free a row. The last row takes its place: callers do the same with what they know of rows."""
        last = len(self.lengths) - 1
        if row != last:
            for buffer in self._buffers:
                buffer.move(last, row, self.lengths[last])
            self.lengths[row], self._needs[row] = self.lengths[last], self._needs[last]
        self.lengths.pop()
        self._needs.pop()

    def _next(self) -> None:
        """Let the layers know where the next tokens go."""
        rows = self._rows
        rows.ends = torch.tensor(self.lengths, device=self._device)
        rows.index = torch.arange(len(self.lengths), device=self._device)
        rows.longest = max(self.lengths) + 1

    def _mask(self, window: int | None = None) -> Tensor:
        """What each row's next token sees: (n, 1, 1, longest)."""
        rows = self._rows
        place = torch.arange(rows.longest, device=self._device)[None]
        seen = place <= rows.ends[:, None]
        if window is not None:
            seen &= place > rows.ends[:, None] - window
        return self._as_mask(seen)[:, None, None]

    def _as_mask(self, seen: Tensor) -> Tensor:
        if self._is_bool:
            return seen
        least = torch.finfo(self._model.dtype).min
        return torch.where(seen, 0.0, least).to(self._model.dtype)


def _keep(cache: Any, lengths: Sequence[int], buffers: list[Buffer], n: int, rows: int, length: int) -> None:
    """Copy what a fresh cache holds of each new row to the rows from `n` on."""
    if not buffers:
        buffers += [Buffer() for _ in cache.layers]
    length = -(-length // _STEP) * _STEP
    for buffer, layer in zip(buffers, cache.layers, strict=True):
        buffer.reserve(layer.keys, layer.values, n, max(rows, n + len(lengths)), length)
        for number, end in enumerate(lengths):
            buffer.put(n + number, layer.keys[number, :, :end], layer.values[number, :, :end])


class CausalPlaces(Places):
    """Rows of a decoder-only model."""

    def begin(self, prompts: Sequence[Sequence[int]], most: Sequence[int], rows: int) -> Tensor:
        """See Places. Prompts are padded at their end, where causal attention does not look."""
        lengths = [len(prompt) for prompt in prompts]
        longest = max(lengths)
        padded = torch.tensor([[*p, *[p[-1]] * (longest - len(p))] for p in prompts], device=self._device)
        ends = sorted({end - 1 for end in lengths})
        if len(prompts) > 1 and len(prompts) * len(ends) * self._model.config.vocab_size > _MOST_SCORES:
            half = len(prompts) // 2
            first = self.begin(prompts[:half], most[:half], rows)
            return torch.cat([first, self.begin(prompts[half:], most[half:], rows)])
        cache = DynamicCache()
        found = self._model(
            input_ids=padded,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.tensor(ends, device=self._device),
        ).logits  # (M, ends, V)
        self._needs += [length + more for length, more in zip(lengths, most, strict=True)]
        _keep(cache, lengths, self._buffers, len(self.lengths), rows, max(self._needs))
        self.lengths += lengths
        at = torch.tensor([ends.index(end - 1) for end in lengths], device=self._device)
        return found[torch.arange(len(prompts), device=self._device), at]  # type: ignore[no-any-return]

    def step(self, ids: Sequence[int]) -> Tensor:
        """See Places."""
        self._next()
        found = self._model(
            input_ids=torch.tensor(ids, device=self._device)[:, None],
            position_ids=self._rows.ends[:, None],
            attention_mask=self._masks(),
            past_key_values=Cache(layers=[Layer(buffer, self._rows) for buffer in self._buffers]),
            use_cache=True,
        ).logits
        self.lengths = [length + 1 for length in self.lengths]
        return found[:, -1]  # type: ignore[no-any-return]

    def _masks(self) -> Any:
        types = set(getattr(self._model.config, "layer_types", None) or ())
        if "sliding_attention" in types:
            near = self._mask(self._window)
            return {"full_attention": self._mask(), "sliding_attention": near}
        return self._mask(self._window)


class Seq2SeqPlaces(Places):
    """Rows of an encoder-decoder: beside what is written, each holds the keys and values of what was read."""

    def __init__(self, model: Any, device: str, positions: OwnPositions) -> None:
        super().__init__(model, device)
        self._read: list[Buffer] = []
        self._read_lengths: list[int] = []
        self._positions = positions
        self._start = start_of(model)

    def begin(self, prompts: Sequence[Sequence[int]], most: Sequence[int], rows: int) -> Tensor:
        """See Places."""
        lengths = [len(prompt) for prompt in prompts]
        longest = max(lengths)
        padded = torch.tensor([[*p, *[p[-1]] * (longest - len(p))] for p in prompts], device=self._device)
        seen = (
            torch.arange(longest, device=self._device)[None]
            < torch.tensor(lengths, device=self._device)[:, None]
        )
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        found = self._model(
            input_ids=padded,
            attention_mask=seen.long(),
            decoder_input_ids=torch.full((len(prompts), 1), self._start, device=self._device),
            past_key_values=cache,
            use_cache=True,
        ).logits
        n = len(self.lengths)
        self._needs += [1 + more for more in most]
        self._read_lengths += lengths
        _keep(cache.self_attention_cache, [1] * len(prompts), self._buffers, n, rows, max(self._needs))
        _keep(cache.cross_attention_cache, lengths, self._read, n, rows, max(self._read_lengths))
        self.lengths += [1] * len(prompts)
        return found[:, -1]  # type: ignore[no-any-return]

    def step(self, ids: Sequence[int]) -> Tensor:
        """See Places."""
        self._next()
        n, longest = len(self.lengths), max(self._read_lengths)
        read = torch.tensor(self._read_lengths, device=self._device)
        seen = torch.arange(longest, device=self._device)[None] < read[:, None]
        # Only its shape is looked at: keys and values of what was read are in the cache.
        nothing = torch.zeros((), device=self._device, dtype=self._model.dtype)
        self._positions.rows = self._rows
        try:
            found = self._model(
                encoder_outputs=BaseModelOutput(
                    last_hidden_state=nothing.expand(n, longest, self._model.config.hidden_size)
                ),
                attention_mask=self._as_mask(seen)[:, None, None],
                decoder_input_ids=torch.tensor(ids, device=self._device)[:, None],
                decoder_attention_mask=self._mask(),
                past_key_values=self._cache(n, longest),
                use_cache=True,
            ).logits
        finally:
            self._positions.rows = None
        self.lengths = [length + 1 for length in self.lengths]
        return found[:, -1]  # type: ignore[no-any-return]

    def leave(self, row: int) -> None:
        """See Places."""
        last = len(self._read_lengths) - 1
        if row != last:
            for buffer in self._read:
                buffer.move(last, row, self._read_lengths[last])
            self._read_lengths[row] = self._read_lengths[last]
        self._read_lengths.pop()
        super().leave(row)

    def _cache(self, n: int, longest: int) -> EncoderDecoderCache:
        read: list[Any] = []
        for buffer in self._read:
            assert buffer.keys is not None
            assert buffer.values is not None
            layer = Layer(buffer, self._rows)
            layer.keys, layer.values = buffer.keys[:n, :, :longest], buffer.values[:n, :, :longest]
            read.append(layer)
        written = Cache(layers=[Layer(buffer, self._rows) for buffer in self._buffers])
        cache = EncoderDecoderCache(written, Cache(layers=read))
        cache.is_updated = dict.fromkeys(range(len(read)), True)
        return cache


def _sliding_window(config: Any) -> int | None:
    """How far back tokens see, if not to the beginning."""
    types = getattr(config, "layer_types", None)
    if types is not None and "sliding_attention" not in types:
        return None
    return getattr(config, "sliding_window", None)


def start_of(model: Any) -> int:
    found = model.generation_config.decoder_start_token_id
    found = model.config.decoder_start_token_id if found is None else found
    return int(model.generation_config.bos_token_id if found is None else found)


class OwnPositions:
    """Lets a decoder use each row's own position in a step, where transformers counts one for all rows: positions that
    are embedded (BART, Marian, Pegasus), and biases by distance (T5). Made once for a model, which keeps it."""

    def __init__(self, decoder: Any) -> None:
        #: The rows of a step; None for transformers' own way.
        self.rows: Rows | None = None
        for name, module in decoder.named_modules():
            if name.endswith("embed_positions") and isinstance(module, torch.nn.Embedding):
                module.register_forward_hook(self._embed)
            if getattr(module, "has_relative_attention_bias", False):
                module.compute_bias = partial(self._bias, module, module.compute_bias)

    def _embed(self, module: Any, _: Any, found: Tensor) -> Tensor:
        if self.rows is None:
            return found
        places = self.rows.ends[:, None] + getattr(module, "offset", 0)
        return torch.nn.functional.embedding(places, module.weight)

    def _bias(self, module: Any, usual: Any, *args: Any, **kwargs: Any) -> Tensor:
        if self.rows is None:
            return usual(*args, **kwargs)  # type: ignore[no-any-return]
        ends = self.rows.ends
        bucket = module._relative_position_bucket(
            torch.arange(self.rows.longest, device=ends.device)[None] - ends[:, None],  # (n, L)
            bidirectional=False,
            num_buckets=module.relative_attention_num_buckets,
            max_distance=module.relative_attention_max_distance,
        )
        return module.relative_attention_bias(bucket).permute(0, 2, 1)[:, :, None]  # type: ignore[no-any-return]
