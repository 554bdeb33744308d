"""Texts by a model that docmill trained on pairs (`docmill train summarizer --pairs`): headlines, answers, replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nlp_tasks.errors import DocumentError
from nlp_tasks.generation import choosing, stopping
from nlp_tasks.generation.choosing import Sampling
from nlp_tasks.generation.writer import LENGTH, STOP, Prompt, Written
from nlp_tasks.summarization.abstractive import encoder_input, model
from nlp_tasks.summarization.abstractive.decoding import Decoding, write

#: Token positions in a batch, including padding.
_BATCH_PLACES = model.BATCH_PLACES


class OwnModel:
    """The model of a folder that docmill wrote."""

    def __init__(
        self,
        model_dir: Path,
        sampling: Sampling,
        seed: int,
        max_tokens: int,
        stops: Sequence[str],
        device: str,
    ) -> None:
        self._model = model.load(model_dir, device)
        self._seed, self._stops, self._device = seed, stops, device
        self._how = Decoding(
            beams=1,
            no_repeat=0,
            max_tokens=max_tokens,
            min_tokens=0,
            sample=not sampling.is_greedy,
            temperature=sampling.temperature or 1.0,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
        )

    def write(
        self, prompts: Sequence[Prompt], beat: Callable[[], None] = lambda: None
    ) -> list[Written | DocumentError]:
        """See writer.Writer. It reads the beginning of a prompt: `encoder_input.SOURCE_TOKENS` tokens."""
        read = [encoder_input.read(prompt.text, self._model.subwords) for prompt in prompts]
        order = sorted(range(len(prompts)), key=lambda index: -len(read[index]))
        found: dict[int, Written] = {}
        while order:
            n = max(1, _BATCH_PLACES // max(1, len(read[order[0]])))
            chosen, order = order[:n], order[n:]
            batch = encoder_input.batch([read[index] for index in chosen], self._device)
            seeds = [choosing.seed_of(prompts[index].key, self._seed) for index in chosen]
            for index, ids in zip(
                chosen, write(self._model.network, batch, self._how, seeds, beat), strict=True
            ):
                found[index] = self._written(len(read[index]), ids)
        return [found[index] for index in range(len(prompts))]

    def _written(self, n_read: int, ids: list[int]) -> Written:
        text = self._model.subwords.decode(ids)
        kept = stopping.before(text, self._stops)
        is_cut = kept == text and len(ids) >= self._how.max_tokens
        return Written(kept, LENGTH if is_cut else STOP, n_read, len(ids))
