"""Prompts as a model reads them: filled in, in the model's chat template, cut to its window, as tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlp_tasks.errors import DocumentError
from nlp_tasks.generation.template import TEXT
from nlp_tasks.generation.writer import Prompt

#: The window of a model that names none.
_WINDOW = 2_048
#: Tokenizers without a limit say a number above this.
_NO_LIMIT = 1_000_000_000
#: Special tokens inside halves of others are removed to this depth.
_NESTED = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as tokens."""

    ids: list[int]
    #: How many tokens may be written after it.
    room: int
    n_cut_chars: int = 0


@dataclass(frozen=True)
class Reading:
    """How prompts are read."""

    system: str = ""
    #: Put the prompt into the tokenizer's chat template, if it has one.
    chat: bool = True
    #: Cut the document's text if the prompt is too long; if not, the document is refused.
    cut: bool = True
    #: The most tokens of a prompt; 0 for what the model's window leaves.
    most_tokens: int = 0


class PromptEncoder:
    """A tokenizer, and the window of its model."""

    def __init__(self, tokenizer: Any, config: Any, how: Reading) -> None:
        self.tokenizer, self.how = tokenizer, how
        self.is_seq2seq = bool(config.is_encoder_decoder)
        named = getattr(config, "max_position_embeddings", None)
        limits = [one for one in (named, tokenizer.model_max_length) if one and one < _NO_LIMIT]
        self._window = int(min(limits, default=_WINDOW))
        #: The most tokens of an encoder-decoder's text, with the one it starts with.
        self._written = int(named or _WINDOW) - 1
        self._is_chat = how.chat and bool(getattr(tokenizer, "chat_template", None))
        special = sorted(map(re.escape, _special_tokens(tokenizer)), key=len, reverse=True)
        self._special = re.compile("|".join(special) or "(?!)")

    def encode(self, prompt: Prompt, max_tokens: int) -> Encoded:
        """DocumentError if it is too long, and must not or cannot be cut, or if nothing is left of it."""
        values = {name: self._without_special(value) for name, value in prompt.values.items()}
        ids = self._ids(prompt.template.fill(values))
        if not ids:
            raise DocumentError("EMPTY_TEXT", "the prompt has no tokens but special ones")
        limit = self._limit(max_tokens)
        if len(ids) <= limit:
            return Encoded(ids, self._room(ids))
        whole = values.get(TEXT, "")
        if not self.how.cut or not whole or limit < 1:
            raise _too_long(len(ids), limit, max_tokens)
        text, over = whole, len(ids) - limit
        while text and len(ids) > limit:
            text = self._shorter(text, over)
            ids = self._ids(prompt.template.fill(values | {TEXT: text}))
            over = max(1, len(ids) - limit)
        if not text:
            raise _too_long(len(ids), limit, max_tokens)
        return Encoded(ids, self._room(ids), len(whole) - len(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of written tokens, without special ones."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)  # type: ignore[no-any-return]

    def _limit(self, max_tokens: int) -> int:
        limit = self._window if self.is_seq2seq else self._window - max_tokens
        return min(limit, self.how.most_tokens or limit)

    def _room(self, ids: Sequence[int]) -> int:
        return self._written if self.is_seq2seq else self._window - len(ids)

    def _ids(self, text: str) -> list[int]:
        system = self.how.system
        if not self._is_chat:
            return self._tokens(f"{system}\n\n{text}" if system else text, special=True)
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": text})
        written = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self._tokens(written, special=False)

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"])

    def _shorter(self, text: str, n: int) -> str:
        """The text without about its last `n` tokens, at least one character shorter."""
        if not self.tokenizer.is_fast:
            n_tokens = max(1, len(self._tokens(text, special=False)))
            return text[: min(len(text) - 1, len(text) * max(0, n_tokens - n) // n_tokens)]
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        places = found["offset_mapping"]
        kept = len(places) - n
        return text[: min(len(text) - 1, places[kept][0])] if 0 < kept < len(places) else ""

    def _without_special(self, value: str) -> str:
        """The value without texts that the tokenizer reads as special tokens: a document must not end its part of the
        prompt and go on as somebody else."""
        for _ in range(_NESTED):
            found = self._special.sub("", value)
            if found == value:
                return value
            value = found
        # Deeper ones are no accident. A blank between the halves makes no new one, and the time stays linear.
        return self._special.sub(" ", value)


def _special_tokens(tokenizer: Any) -> set[str]:
    """The texts that are special tokens. Not every one has a role, such as the end of a text, that the tokenizer lists
    it by; and tokens of the chat template count, even if they are not declared to be special."""
    template = str(getattr(tokenizer, "chat_template", None) or "")
    added = tokenizer.added_tokens_decoder.values()
    named = {one.content for one in added if one.special or (one.content.strip() and one.content in template)}
    return named | set(tokenizer.all_special_tokens)


def _too_long(n: int, limit: int, max_tokens: int) -> DocumentError:
    return DocumentError(
        "PROMPT_TOO_LONG",
        f"the prompt has {n:,} tokens; beside max_tokens={max_tokens} the model has room for {max(0, limit):,}",
    )
