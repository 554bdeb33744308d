"""Writing one text at a time with transformers' own `generate`: for models whose rows cannot be written together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nlp_tasks.errors import ModelFileError
from nlp_tasks.generation.continuous import Writing
from nlp_tasks.local_transformers import library


def write(
    model: Any,
    text: Writing,
    choose: Callable[[Tensor, Sequence[Writing]], Sequence[tuple[int, bool]]],
    device: str,
    beat: Callable[[], None],
) -> None:
    """Write a text to its end. `choose` takes the tokens, so that it is written as it would be with others."""
    transformers = library("generate", ModelFileError)
    finished = False

    def take(_: Tensor, scores: Tensor) -> Tensor:
        nonlocal finished
        beat()
        [(id_, finished)] = choose(scores, [text])
        taken = torch.full_like(scores, -torch.inf)
        taken[0, id_] = 0.0
        return taken

    def stop(ids: Tensor, _: Tensor, **__: Any) -> Tensor:
        return torch.full((len(ids),), finished, dtype=torch.bool, device=ids.device)

    ids = torch.tensor([list(text.prompt)], device=device)
    with torch.inference_mode():
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            num_beams=1,
            max_new_tokens=text.most,
            max_length=None,
            logits_processor=transformers.LogitsProcessorList([take]),
            stopping_criteria=transformers.StoppingCriteriaList([stop]),
        )
