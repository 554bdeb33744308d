"""Writes texts by a transformers encoder-decoder, one hypothesis each: the place of a finished one goes to the next.

The tokens are those of transformers' `generate` for each text alone (up to rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlp_tasks.generation import continuous, settings_of_model
from nlp_tasks.generation.continuous import Budget
from nlp_tasks.generation.places import Places, start_of
from nlp_tasks.generation.settings_of_model import Process
from nlp_tasks.summarization.abstractive import decoding
from nlp_tasks.summarization.abstractive.decoding import Decoding

#: Bytes of keys and values, and the least and the most tokens that they are of.
CACHE_BYTES = {"cuda": 8 << 30, "cpu": 1 << 30}
CACHE_TOKENS = 8_192, 131_072
#: Tokens that are read in one call.
READ_TOKENS = {"cuda": 16_384, "cpu": 1_024}
#: Rows of any lengths that are written together. On a GPU a step takes as long for many rows as for few.
MIXED_ROWS = {"cuda": continuous.MOST_ROWS, "cpu": 32}


@dataclass
class Row:
    """A text that is being written; see continuous.Writing."""

    prompt: Sequence[int]
    most: int
    seed: int
    processes: Sequence[Process]
    ids: list[int] = field(default_factory=list)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """See continuous.Writing."""
        self.ids = []
        self.random = np.random.default_rng(self.seed)


class ContinuousWriter:
    """Writes with greedy search or by drawing."""

    def __init__(self, model: Any, open_places: Callable[[], Places], device: str) -> None:
        self._model, self._open_places, self._device = model, open_places, device
        where = device.partition(":")[0]
        #: Reduced permanently when the device runs out of memory.
        self.budget = Budget(
            _cache_tokens(model, CACHE_BYTES[where]), READ_TOKENS[where], mixed_rows=MIXED_ROWS[where]
        )
        self._ends = frozenset(settings_of_model.end_tokens(model))
        self._given = [start_of(model)]

    def write(
        self,
        encoded: Sequence[Sequence[int]],
        seeds: Sequence[int],
        how: Decoding,
        most: int,
        beat: Callable[[], None],
    ) -> list[list[int]]:
        """The tokens written for each encoded text, at most `most`, without the end token."""
        processes = settings_of_model.processors(self._model, 1, most, self._device, how.no_repeat)
        rows = [Row(ids, most, seed, processes) for ids, seed in zip(encoded, seeds, strict=True)]

        def choose(scores: Tensor, writing: Sequence[Any]) -> list[tuple[int, bool]]:
            return self._chosen(scores, writing, how)

        if rows:
            continuous.write(self._open_places, rows, choose, self.budget, beat)
        return [row.ids for row in rows]

    def _chosen(self, scores: Tensor, rows: Sequence[Row], how: Decoding) -> list[tuple[int, bool]]:
        """The next token of each row, and whether its text ends with it."""
        scores = scores.float()
        for place, row in enumerate(rows):
            settings_of_model.process(row.processes, self._given, row.ids, scores[place : place + 1])
        if how.sample:
            scores = drawn(scores, how, [row.random for row in rows])
        chosen = []
        for row, id_ in zip(rows, scores.argmax(dim=1).tolist(), strict=True):
            is_end = id_ in self._ends
            if not is_end:
                row.ids.append(id_)
            chosen.append((id_, is_end or len(row.ids) >= row.most))
        return chosen


def _cache_tokens(model: Any, size: int) -> int:
    """The tokens whose keys and values have this many bytes."""
    config = model.config
    layers = getattr(config, "decoder_layers", 0) or getattr(config, "num_decoder_layers", 0)
    of_one: int = 2 * (layers or config.num_hidden_layers) * config.hidden_size * model.dtype.itemsize
    least, most = CACHE_TOKENS
    return max(least, min(most, size // of_one))


def drawn(scores: Tensor, how: Decoding, randoms: Sequence[np.random.Generator]) -> Tensor:
    """Scores (B, V) whose largest is a random draw, with a generator for each row."""
    chances = torch.log_softmax(scores.float() / how.temperature, dim=-1)
    return decoding.noisy(decoding.cut(chances, how.top_k, how.top_p), randoms)
