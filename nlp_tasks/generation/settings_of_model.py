"""What a model's generation_config.json asks for beside its end tokens: penalties, forced and suppressed tokens.

transformers' own processors do it, for one row at a time, because rows are at different places of their texts. Most of
them act at the beginning or at the end of a text only, and are not called elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nlp_tasks.errors import ModelFileError
from nlp_tasks.local_transformers import library

#: From the tokens so far (with the prompt, or the start token of a decoder), and scores (1, V): new scores.
Change = Callable[[Sequence[int], Tensor], Tensor]
#: Settings of transformers that change scores and are not done here, with the values that ask for nothing.
_NOT_DONE: dict[str, tuple[Any, ...]] = {
    "guidance_scale": (None, 1, 1.0),
    "sequence_bias": (None,),
    "encoder_repetition_penalty": (None, 1, 1.0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "exponential_decay_length_penalty": (None,),
    "watermarking_config": (None,),
    "max_time": (None,),
    "stop_strings": (None,),
    "penalty_alpha": (None, 0, 0.0),
    "remove_invalid_values": (None, False),
}


def _always(_: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Process:
    """A change of the scores of one row."""

    change: Change
    #: Whether it changes anything after this many tokens, with those that were given.
    acts_after: Callable[[int], bool] = _always


def are_all_done(model: Any) -> bool:
    """Whether `processors` does all that the settings of a model ask for."""
    config = model.generation_config
    return all(getattr(config, name, None) in nothing for name, nothing in _NOT_DONE.items())


def processors(
    model: Any, n_given: int, most: int, device: str, no_repeat: int | None = None
) -> list[Process]:
    """For a text that begins after `n_given` tokens and has at most `most`. Empty for most models. `no_repeat` is the
    size of n-grams that are not repeated (0 for none), instead of the model's own."""
    g = library("generate", ModelFileError)
    config = model.generation_config
    ends = end_tokens(model)
    found: list[Process] = []

    def add(processor: Any, acts_after: Callable[[int], bool] = _always) -> None:
        found.append(Process(_of_row(processor, device), acts_after))

    if config.repetition_penalty not in (None, 1.0):
        add(g.RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
    size = config.no_repeat_ngram_size if no_repeat is None else no_repeat
    if size:
        found.append(Process(no_repeated(size), lambda n: n >= size))
    if config.bad_words_ids:
        add(g.NoBadWordsLogitsProcessor(config.bad_words_ids, torch.tensor(ends)))
    if config.min_length and ends:
        least = config.min_length
        add(g.MinLengthLogitsProcessor(least, ends, device=device), lambda n: n < least)
    if config.min_new_tokens and ends:
        new = config.min_new_tokens
        add(
            g.MinNewTokensLengthLogitsProcessor(n_given, new, ends, device=device),
            lambda n: n < n_given + new,
        )
    if config.forced_bos_token_id is not None:
        add(g.ForcedBOSTokenLogitsProcessor(config.forced_bos_token_id), lambda n: n == 1)
    if config.forced_eos_token_id is not None:
        length = n_given + most
        add(
            g.ForcedEOSTokenLogitsProcessor(length, config.forced_eos_token_id, device=device),
            lambda n: n == length - 1,
        )
    if config.suppress_tokens is not None:
        add(g.SuppressTokensLogitsProcessor(config.suppress_tokens, device=device))
    if config.begin_suppress_tokens is not None:
        forced = n_given > 1 or config.forced_bos_token_id is None
        begin = n_given if forced else n_given + 1
        add(
            g.SuppressTokensAtBeginLogitsProcessor(config.begin_suppress_tokens, begin, device=device),
            lambda n: n == begin,
        )
    return found


def process(processes: Sequence[Process], given: Sequence[int], ids: Sequence[int], scores: Tensor) -> None:
    """Change the scores (1, V) of a row in place. `given` are the tokens before the first one written."""
    n = len(given) + len(ids)
    acting = [one for one in processes if one.acts_after(n)]
    if acting:
        tokens = [*given, *ids]
        for one in acting:
            changed = one.change(tokens, scores)
            if changed is not scores:
                scores.copy_(changed)


def no_repeated(size: int) -> Change:
    """No n-gram of this size is written twice (NoRepeatNGramLogitsProcessor, without a tensor of the tokens)."""

    def forbid(ids: Sequence[int], scores: Tensor) -> Tensor:
        begun = list(ids[len(ids) - size + 1 :])
        found = [
            ids[place + size - 1]
            for place in range(len(ids) - size + 1)
            if list(ids[place : place + size - 1]) == begun
        ]
        if found:
            scores[0, found] = -torch.inf
        return scores

    return forbid


def end_tokens(model: Any) -> list[int]:
    """The tokens after which a text ends."""
    found = model.generation_config.eos_token_id
    found = model.config.eos_token_id if found is None else found
    if found is None:
        return []
    return [int(one) for one in found] if isinstance(found, list | tuple) else [int(found)]


def _of_row(processor: Any, device: str) -> Change:
    def change(ids: Sequence[int], scores: Tensor) -> Tensor:
        return processor(torch.tensor([list(ids)], device=device), scores)  # type: ignore[no-any-return]

    return change
