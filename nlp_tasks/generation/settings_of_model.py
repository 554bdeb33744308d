"""What a model's generation_config.json asks for beside its end tokens: penalties, forced and suppressed tokens.

transformers' own processors do it, for one row at a time, because rows are at different places of their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nlp_tasks.errors import ModelFileError
from nlp_tasks.local_transformers import library

#: From the tokens so far (with the prompt, or the start token of a decoder), and scores (1, V): new scores.
Process = Callable[[Sequence[int], Tensor], Tensor]


def processors(model: Any, n_given: int, most: int, device: str) -> list[Process]:
    """For a text that begins after `n_given` tokens and has at most `most`. Empty for most models."""
    g = library("generate", ModelFileError)
    config = model.generation_config
    ends = end_tokens(model)
    found: list[Any] = []
    if config.repetition_penalty not in (None, 1.0):
        found.append(g.RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
    if config.no_repeat_ngram_size:
        found.append(g.NoRepeatNGramLogitsProcessor(config.no_repeat_ngram_size))
    if config.bad_words_ids:
        found.append(g.NoBadWordsLogitsProcessor(config.bad_words_ids, torch.tensor(ends)))
    if config.min_length and ends:
        found.append(g.MinLengthLogitsProcessor(config.min_length, ends, device=device))
    if config.min_new_tokens and ends:
        least = config.min_new_tokens
        found.append(g.MinNewTokensLengthLogitsProcessor(n_given, least, ends, device=device))
    if config.forced_bos_token_id is not None:
        found.append(g.ForcedBOSTokenLogitsProcessor(config.forced_bos_token_id))
    if config.forced_eos_token_id is not None:
        found.append(
            g.ForcedEOSTokenLogitsProcessor(n_given + most, config.forced_eos_token_id, device=device)
        )
    if config.suppress_tokens is not None:
        found.append(g.SuppressTokensLogitsProcessor(config.suppress_tokens, device=device))
    if config.begin_suppress_tokens is not None:
        forced = n_given > 1 or config.forced_bos_token_id is None
        begin = n_given if forced else n_given + 1
        found.append(
            g.SuppressTokensAtBeginLogitsProcessor(config.begin_suppress_tokens, begin, device=device)
        )
    return [_of_row(one, device) for one in found]


def end_tokens(model: Any) -> list[int]:
    """The tokens after which a text ends."""
    found = model.generation_config.eos_token_id
    found = model.config.eos_token_id if found is None else found
    if found is None:
        return []
    return [int(one) for one in found] if isinstance(found, list | tuple) else [int(found)]


def _of_row(processor: Any, device: str) -> Process:
    def process(ids: Sequence[int], scores: Tensor) -> Tensor:
        return processor(torch.tensor([list(ids)], device=device), scores)  # type: ignore[no-any-return]

    return process
