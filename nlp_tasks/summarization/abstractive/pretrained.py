"""Summaries by an encoder-decoder that transformers loads from a local folder, such as KoBART, mT5, PEGASUS or BART.

Nothing is downloaded, only safetensors weights are read, and code that comes with a model is never run. Needs the
package transformers, which is imported on use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlp_tasks import memory_pressure
from nlp_tasks.errors import ModelFileError
from nlp_tasks.generation import settings_of_model, shared_places
from nlp_tasks.local_transformers import OFFLINE, library
from nlp_tasks.summarization.abstractive.continuous_writer import ContinuousWriter, drawn
from nlp_tasks.summarization.abstractive.decoding import Decoding
from nlp_tasks.summarization.abstractive.model import seed_of
from nlp_tasks.summarization.abstractive.windows import windows
from nlp_tasks.torch_device import weights_type

#: Tokens in a batch, read and written, times beams, including padding.
BATCH_TOKENS = {"cuda": 131_072, "cpu": 16_384}
#: The longest window and the longest summary, if the model has no limits of its own.
WINDOW_TOKENS, WRITTEN_TOKENS = 1024, 128


class PretrainedSummarizer:
    """A transformers model with its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self.model, self.tokenizer, self.device = model.to(device).eval(), tokenizer, device
        #: Reduced permanently when the device runs out of memory.
        self.batch_tokens = BATCH_TOKENS[device.partition(":")[0]]
        #: None if rows of this model cannot be written together, whatever they have read.
        self.continuous = _continuous_writer(self.model, device)
        named = getattr(model.config, "max_position_embeddings", WINDOW_TOKENS)
        #: Of the decoder, which begins with one token and does not read the last; 0 for no limit.
        of_decoder = getattr(model.config, "max_decoder_position_embeddings", 0)
        self._positions = int(of_decoder or getattr(model.config, "max_position_embeddings", 0) or 0)
        self.window_tokens = int(min(named, tokenizer.model_max_length))

    def summarize(
        self, texts: Sequence[str], how: Decoding, seed: int = 0, beat: Callable[[], None] = lambda: None
    ) -> list[str]:
        """One summary for each of `texts`, none of which may be blank. A text that is too long for the model is read in
        windows of whole sentences; their summaries are concatenated, truncated to the window, and summarized again."""
        lengths = self._lengths(texts)
        parts = []
        for text, n in zip(texts, lengths, strict=True):
            beat()
            parts.append(
                [text] if n <= self.window_tokens else windows(text, self._lengths, self.window_tokens)
            )
        written = iter(self._write([part for of_text in parts for part in of_text], how, seed, beat))
        summaries = [" ".join(next(written) for _ in of_text).strip() for of_text in parts]
        long = [i for i, of_text in enumerate(parts) if len(of_text) > 1 and summaries[i]]
        for i, again in zip(long, self._write([summaries[i] for i in long], how, seed, beat), strict=True):
            summaries[i] = again
        return summaries

    def _generate(
        self, encoded: Sequence[list[int]], seeds: Sequence[int], how: Decoding, beat: Callable[[], None]
    ) -> Tensor:
        transformers = library("-p pretrained", ModelFileError)
        padded = self.tokenizer.pad({"input_ids": list(encoded)}, return_tensors="pt")
        # Sampling takes the largest of the noisy scores, so that the result does not depend on the batch.
        drawing = [_drawing(how, seeds)] if how.sample else []
        with torch.inference_mode():
            written: Tensor = self.model.generate(
                input_ids=padded["input_ids"].to(self.device),
                attention_mask=padded["attention_mask"].to(self.device),
                do_sample=False,
                num_beams=how.beams,
                no_repeat_ngram_size=how.no_repeat,
                max_new_tokens=self.written_tokens(how),
                max_length=None,
                logits_processor=transformers.LogitsProcessorList(drawing),
                stopping_criteria=transformers.StoppingCriteriaList([_beating(beat)]),
            )
        return written

    def written_tokens(self, how: Decoding) -> int:
        """The maximum number of tokens written for one window: never more than the decoder has positions for."""
        own = self.model.generation_config
        wanted = how.max_tokens or own.max_new_tokens or own.max_length or WRITTEN_TOKENS
        return min(int(wanted), self._positions) if self._positions else int(wanted)

    def _write(self, texts: list[str], how: Decoding, seed: int, beat: Callable[[], None]) -> list[str]:
        """The text that the model writes for each window; nothing for one of which the tokenizer leaves nothing. With
        several beams, in batches of similar length."""
        encoded = self._encode(texts)
        filled = [index for index, ids in enumerate(encoded) if ids]
        written = [""] * len(texts)
        for index, summary in zip(
            filled,
            self._of_encoded([texts[i] for i in filled], [encoded[i] for i in filled], how, seed, beat),
            strict=True,
        ):
            written[index] = summary
        return written

    def _of_encoded(
        self,
        texts: Sequence[str],
        encoded: Sequence[list[int]],
        how: Decoding,
        seed: int,
        beat: Callable[[], None],
    ) -> list[str]:
        if how.beams == 1 and self.continuous is not None:
            seeds = [seed_of(text, seed) for text in texts]
            rows = self.continuous.write(encoded, seeds, how, self.written_tokens(how), beat)
            return self._decode(rows)
        return self._in_batches(texts, encoded, how, seed, beat)

    def _in_batches(
        self,
        texts: Sequence[str],
        encoded: Sequence[list[int]],
        how: Decoding,
        seed: int,
        beat: Callable[[], None],
    ) -> list[str]:
        order = sorted(range(len(texts)), key=lambda index: -len(encoded[index]))
        written: dict[int, str] = {}
        while order:
            beat()
            of_one = (len(encoded[order[0]]) + self.written_tokens(how)) * how.beams
            chosen = order[: max(1, self.batch_tokens // of_one)]
            seeds = [seed_of(texts[index], seed) for index in chosen]
            try:
                ids = self._generate([encoded[index] for index in chosen], seeds, how, beat)
            except torch.OutOfMemoryError:
                if len(chosen) == 1:
                    raise
                ids = None
            if ids is None:
                # Other models leave the memory before batches become smaller.
                if not memory_pressure.relieve():
                    self.batch_tokens = of_one * (len(chosen) // 2)
                continue
            written |= dict(zip(chosen, self._decode(ids), strict=True))
            order = order[len(chosen) :]
        return [written[index] for index in range(len(texts))]

    def _decode(self, ids: Any) -> list[str]:
        """The text of each row of tokens."""
        return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in ids]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, including special ones, truncated to the window."""
        if not texts:
            return []
        found = self.tokenizer(list(texts), truncation=True, max_length=self.window_tokens)
        return list(found["input_ids"])

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, including special ones, without truncation."""
        return [len(ids) for ids in self.tokenizer(list(texts), verbose=False)["input_ids"]] if texts else []


def open_folder(folder: Path, device: str) -> PretrainedSummarizer:
    """The model of a local folder, in bfloat16 on a GPU that has it; ModelFileError if it cannot be read."""
    transformers = library("-p pretrained", ModelFileError)
    if not (folder / "config.json").is_file():
        raise ModelFileError(
            f"no config.json in {folder}: `pretrained` must be a folder on this machine with a transformers model"
        )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OFFLINE)
        model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=weights_type(device),
            **OFFLINE,  # attention is scaled_dot_product_attention of torch if the model supports it
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"transformers cannot read {folder}: {error}") from error
    return PretrainedSummarizer(model, tokenizer, device)


def _continuous_writer(model: Any, device: str) -> ContinuousWriter | None:
    """None if the model asks for what only `generate` does, or if its rows cannot be written together."""
    if not settings_of_model.are_all_done(model):
        return None
    open_places = shared_places.of_model(model, device)
    return None if open_places is None else ContinuousWriter(model, open_places, device)


def _drawing(how: Decoding, seeds: Sequence[int]) -> Any:
    """A logits processor after which the largest score is a random draw, with a separate generator for each row."""
    randoms = [np.random.default_rng(seed) for seed in seeds]

    def draw(ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG001 (transformers gives both)
        return drawn(scores, how, randoms)

    return draw


def _beating(beat: Callable[[], None]) -> Any:
    """A stopping criterion that never stops. It is called for every token, and sends a heartbeat."""

    def go_on(ids: Tensor, scores: Tensor, **_: Any) -> Tensor:  # noqa: ARG001
        beat()
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    return go_on
