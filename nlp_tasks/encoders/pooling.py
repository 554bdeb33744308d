"""Pooling: from the vectors of a text's tokens to one vector.

The modes and their numbers are those of sentence-transformers (Reimers and Gurevych 2019). Texts are padded at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from nlp_tasks.errors import ModelFileError

#: Older configurations have a yes or no for each mode; several vectors are concatenated in this order.
OLDER = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def modes(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The modes of a configuration, in the order of their vectors. ModelFileError names an unknown one."""
    given = config.get("pooling_mode")
    if given is None:
        given = [mode for name, mode in OLDER.items() if config.get(name)] or ["mean"]
    found = (given,) if isinstance(given, str) else tuple(given)
    for mode in found:
        if mode not in _POOLS:
            raise ModelFileError(f"no pooling mode {mode!r}: there are {', '.join(_POOLS)}")
    return found


@dataclass(frozen=True)
class _Tokens:
    """The last hidden states of some texts."""

    hidden: torch.Tensor  # (B, S, D)
    #: Which tokens count.
    counted: torch.Tensor  # (B, S)
    lengths: torch.Tensor  # (B,)
    #: The place of the first token that counts.
    first: int


def pool(
    hidden: torch.Tensor, lengths: torch.Tensor, chosen: tuple[str, ...], n_left_out: int = 0
) -> torch.Tensor:
    """One vector for each text  # (B, S, D), (B,) -> (B, len(chosen) * D). The first `n_left_out` tokens, those of a
    prompt, do not count."""
    places = torch.arange(hidden.shape[1], device=hidden.device)
    counted = (places < lengths[:, None]) & (places >= n_left_out)
    tokens = _Tokens(hidden, counted, lengths, n_left_out)
    return torch.cat([_POOLS[mode](tokens) for mode in chosen], dim=1)


def _at(tokens: _Tokens, places: torch.Tensor) -> torch.Tensor:
    return tokens.hidden[torch.arange(places.shape[0], device=places.device), places].float()


def _cls(tokens: _Tokens) -> torch.Tensor:
    return _at(tokens, torch.clamp(tokens.lengths - 1, max=tokens.first))


def _last(tokens: _Tokens) -> torch.Tensor:
    return _at(tokens, tokens.lengths - 1)


def _max(tokens: _Tokens) -> torch.Tensor:
    return tokens.hidden.masked_fill(~tokens.counted[:, :, None], -torch.inf).amax(dim=1).float()


def _sum(tokens: _Tokens) -> torch.Tensor:
    """Products in the numbers of the model, sums in float32."""
    weights = tokens.counted[:, :, None].to(tokens.hidden.dtype)
    return (tokens.hidden * weights).sum(dim=1, dtype=torch.float32)


def _count(tokens: _Tokens) -> torch.Tensor:
    return tokens.counted.sum(dim=1, keepdim=True).clamp(min=1).float()


def _mean(tokens: _Tokens) -> torch.Tensor:
    return _sum(tokens) / _count(tokens)


def _mean_by_root(tokens: _Tokens) -> torch.Tensor:
    return _sum(tokens) / _count(tokens).sqrt()


def _weighted_mean(tokens: _Tokens) -> torch.Tensor:
    """Weighted by place: 1 for the first token, 2 for the second (Muennighoff 2022)."""
    n_places = tokens.hidden.shape[1]
    numbers = torch.arange(1, n_places + 1, device=tokens.hidden.device)
    weights = (tokens.counted * numbers).float()
    total = weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    return (tokens.hidden.float() * weights[:, :, None]).sum(dim=1) / total


_POOLS: dict[str, Callable[[_Tokens], torch.Tensor]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_by_root,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
