"""Cuts texts into the token windows that a transformer reads.

A text that fits into the model's input is one window, and so is the beginning of a longer one where `truncate` is asked
for. Otherwise a longer text is cut between tokens, and each piece has the prompt before it. Independent of any model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.encoders import Long
from nlp_tasks.errors import ModelFileError

#: Texts that are tokenized at a time.
TOGETHER = 256


@dataclass(frozen=True)
class Windows:
    """The windows of N texts."""

    ids: list[list[int]]  # (W,) with special tokens
    owner: NDArray[np.int64]  # (W,) index of the text
    lengths: NDArray[np.int64]  # (W,)
    #: Tokens that are not special, nor of the prompt.
    n_tokens: NDArray[np.int64]  # (W,)


class Cutter:
    """A tokenizer, and the most tokens of a window with special ones."""

    def __init__(self, tokenizer: Any, max_tokens: int, *, lower: bool = False) -> None:
        """`tokenizer`: of transformers, with a backend of the package tokenizers. `lower`: in lower case first."""
        if not getattr(tokenizer, "is_fast", False):
            raise ModelFileError(
                f"the tokenizer {type(tokenizer).__name__} is written in Python: convert it to a tokenizer.json"
            )
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_padding()
        if lower:
            lower_case(self._backend)
        self.max_tokens = max_tokens
        self._n_special = self._backend.num_special_tokens_to_add(False)
        self._ends_special = self._n_special > 0 and self._encode([""])[0].special_tokens_mask[-1] == 1

    def save(self, path: Path) -> None:
        """Write a tokenizer.json that cuts texts to one window, as `truncate` does."""
        self._backend.enable_truncation(self.max_tokens)
        self._backend.save(str(path))

    def prompt_tokens(self, prompt: str) -> int:
        """Tokens before the text itself: special ones at the start and those of the prompt."""
        return len(self._encode([prompt])[0].ids) - int(self._ends_special)

    def cut(self, texts: Sequence[str], prompt: str, long: Long, beat: Callable[[], None]) -> Windows:
        """The windows of texts, each with the prompt before it."""
        ids: list[list[int]] = []
        owner: list[int] = []
        for first in range(0, len(texts), TOGETHER):
            some = texts[first : first + TOGETHER]
            for place, windows in enumerate(self._windows(some, prompt, long)):
                ids += windows
                owner += [first + place] * len(windows)
            beat()
        lengths = np.array([len(window) for window in ids], np.int64)
        n_prompt = len(self._content(prompt)) if prompt else 0
        n_tokens = np.maximum(lengths - self._n_special - n_prompt, 0)
        return Windows(ids, np.array(owner, np.int64), lengths, n_tokens)

    def _windows(self, texts: Sequence[str], prompt: str, long: Long) -> list[list[list[int]]]:
        whole = self._encode([prompt + text for text in texts], truncate=long == "truncate")
        return [
            [encoded.ids] if len(encoded.ids) <= self.max_tokens else self._pieces(text, prompt)
            for encoded, text in zip(whole, texts, strict=True)
        ]

    def _pieces(self, text: str, prompt: str) -> list[list[int]]:
        """The windows of a text that is too long for one."""
        n_prompt = len(self._content(prompt)) if prompt else 0
        size = self.max_tokens - self._n_special - n_prompt
        self._backend.no_truncation()
        offsets = self._backend.encode(text, add_special_tokens=False).offsets
        if size < 1 or not offsets:
            # The prompt leaves the text no room: nothing of it is read.
            return [self._encode([prompt + text], truncate=True)[0].ids]
        starts = [offsets[place][0] for place in range(0, len(offsets), size)]
        bounds = zip(starts, [*starts[1:], len(text)], strict=True)
        # A piece may have a token more than it had inside the text, which is left out.
        pieces = self._encode([prompt + text[start:stop] for start, stop in bounds], truncate=True)
        return [piece.ids for piece in pieces]

    def _content(self, text: str) -> list[int]:
        self._backend.no_truncation()
        found: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return found

    def _encode(self, texts: list[str], *, truncate: bool = False) -> list[Any]:
        if truncate:
            self._backend.enable_truncation(self.max_tokens)
        else:
            self._backend.no_truncation()
        encoded: list[Any] = self._backend.encode_batch_fast(texts)
        return encoded


def lower_case(backend: Any) -> None:
    """Let a tokenizer put texts in lower case first."""
    from tokenizers import normalizers

    before = [backend.normalizer] if backend.normalizer is not None else []
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
