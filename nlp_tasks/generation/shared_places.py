"""Places that rows of one model share: whether its rows can be written together, which a few tokens show."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nlp_tasks.generation.places import CausalPlaces, OwnPositions, Places, Seq2SeqPlaces, start_of

log = logging.getLogger("docmill.worker")


def of_model(model: Any, device: str) -> Callable[[], Places] | None:
    """How rows of this model are written together; None if that does not give what the model gives alone."""
    if model.config.is_encoder_decoder:
        positions = OwnPositions(model.get_decoder())
        open_places: Callable[[], Places] = partial(Seq2SeqPlaces, model, device, positions)
    else:
        open_places = partial(CausalPlaces, model, device)
    try:
        is_right = _is_as_alone(model, open_places(), device)
    except (AttributeError, TypeError, ValueError, RuntimeError, NotImplementedError, KeyError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        log.info("%s: rows of different lengths cannot be written together: %s", type(model).__name__, error)
        return None
    if not is_right:
        log.warning("%s: rows written together differ; each is written alone", type(model).__name__)
    return open_places if is_right else None


def _is_as_alone(model: Any, places: Places, device: str) -> bool:
    """Whether rows of different lengths that begin at different times have the scores that each has alone."""
    top = model.get_input_embeddings().weight.shape[0]
    first, second = [n % top for n in (7, 3, 11, 5, 13, 2)], [n % top for n in (3, 8)]
    with torch.inference_mode():
        begun = places.begin([first], [4], 2)
        own = int(begun[0].argmax())
        places.step([own])
        places.begin([second], [4], 2)
        together = places.step([own, own])
        expected = torch.cat([_alone(model, first, [own, own], device), _alone(model, second, [own], device)])
    spread = float(expected.float().std())
    near = 1e-3 if model.dtype == torch.float32 else 0.1
    return bool(((together - expected).abs().float().max() <= near * max(spread, 1e-3)).item())


def _alone(model: Any, prompt: list[int], written: list[int], device: str) -> Tensor:
    """Scores (1, V) after a prompt and some tokens, computed at once and without a cache."""
    if model.config.is_encoder_decoder:
        return model(  # type: ignore[no-any-return]
            input_ids=torch.tensor([prompt], device=device),
            decoder_input_ids=torch.tensor([[start_of(model), *written]], device=device),
            use_cache=False,
        ).logits[:, -1]
    ids = torch.tensor([[*prompt, *written]], device=device)
    return model(input_ids=ids, use_cache=False).logits[:, -1]  # type: ignore[no-any-return]
