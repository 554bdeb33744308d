"""Answers that a JSON Schema allows: at every step, only tokens that lead to one (llguidance computes which).

An answer also has to end in time: when the tokens that are left come near what its shortest end needs, only tokens are
allowed after which it can still be ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlp_tasks.errors import ModelFileError
from nlp_tasks.generation import closing

#: Only what JSON without \\u escapes can say, and no blanks: half surrogates and NUL cannot be written.
_OPTIONS = {"whitespace_flexible": False, "json_allowed_escapes": 'bfnrt\\"'}
#: Near the end, this many of the best tokens are tried.
_TRIED = 48


class Constraint:
    """A schema, compiled for a tokenizer."""

    def __init__(self, schema: Mapping[str, Any], tokenizer: Any, n_scores: int) -> None:
        self._guide = library()
        self.schema, self.n_scores = schema, n_scores
        try:
            self.tokens = self._guide.hf.from_tokenizer(tokenizer, n_vocab=n_scores)
            self.grammar = self._guide.LLMatcher.grammar_from_json_schema(
                json.dumps(schema), overrides=_OPTIONS
            )
            self._first = self._guide.LLMatcher(self.tokens, self.grammar)
            if said := self._first.get_error():
                raise ValueError(said)
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(
                f"the schema cannot be followed with the tokenizer of this model: {error}"
            ) from error
        #: While more tokens than this are left, every beginning of an answer can be completed.
        self.ample = closing.longest_rest(schema) + 4
        #: The tokens of a shortest answer.
        self.least = self.length(closing.shortest(schema))

    def follower(self, most: int) -> Follower:
        """For one answer of at most `most` tokens."""
        return Follower(self, self._first.deep_copy(), most)

    def length(self, text: bytes) -> int:
        """The tokens that a text takes."""
        return len(self.tokens.tokenize_bytes(text))


class Follower:
    """Where one answer is in the schema."""

    def __init__(self, constraint: Constraint, matcher: Any, most: int) -> None:
        self._constraint, self._matcher = constraint, matcher
        self._mask = np.zeros((1, -(-constraint.n_scores // 32)), np.int32)
        self._bytes = b""
        #: Nothing that fits is left, because the answer was to be too short.
        self.has_failed = constraint.least > most
        #: Whether an answer was ended because few tokens were left.
        self.was_short = False

    @property
    def text(self) -> str:
        return self._bytes.decode("utf-8", "replace")

    @property
    def is_complete(self) -> bool:
        return not self.has_failed and bool(self._matcher.is_accepting())

    def restrict(self, scores: Tensor, left: int) -> None:
        """Set the scores (V,) of all tokens to -inf that lead to no answer, or to none of at most `left` tokens."""
        if self.has_failed:
            return
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        allowed = np.unpackbits(self._mask.view(np.uint8), bitorder="little")[: len(scores)].astype(bool)
        if not allowed.any():
            self.has_failed = True
            return
        if left <= self._constraint.ample:
            allowed = self._in_time(scores, allowed, left)
        scores.masked_fill_(torch.from_numpy(~allowed).to(scores.device), -torch.inf)

    def has_ended(self, id_: int) -> bool:
        """Go on with a token; whether nothing can follow it."""
        if self.has_failed:
            return True
        self._bytes += self._constraint.tokens.decode_bytes([id_])
        if not self._matcher.consume_token(id_):
            self.has_failed = True
        return self.has_failed or bool(self._matcher.is_stopped())

    def _in_time(self, scores: Tensor, allowed: Any, left: int) -> Any:
        """Those of the best allowed tokens after which the answer can be completed with the tokens that are left."""
        likely = scores.float().cpu().numpy().copy()
        likely[~allowed] = -np.inf
        n = min(_TRIED, int(allowed.sum()))
        best = np.argpartition(-likely, n - 1)[:n]
        fitting = [id_ for id_ in best.tolist() if self._needs(id_) < left]
        self.was_short |= len(fitting) < n
        if not fitting:
            fitting = self._first_of_rest()
        found = np.zeros_like(allowed)
        found[fitting] = True
        return found

    def _needs(self, id_: int) -> int:
        """The tokens that complete the answer after this one; very many if none do."""
        if id_ in self._constraint.tokens.eos_tokens:
            return 0
        return self._rest_length(self._bytes + self._constraint.tokens.decode_bytes([id_]))

    def _rest_length(self, beginning: bytes) -> int:
        try:
            return self._constraint.length(closing.rest(self._constraint.schema, beginning))
        except ValueError:
            return 1 << 30

    def _first_of_rest(self) -> list[int]:
        """The first token of the shortest end."""
        end = closing.rest(self._constraint.schema, self._bytes)
        return list(self._constraint.tokens.tokenize_bytes(end)[:1])


def library() -> Any:
    """The package llguidance. ModelFileError says how to install it, if it is missing."""
    try:
        import llguidance
        import llguidance.hf
    except ImportError as missing:
        raise ModelFileError(
            "schema needs the package llguidance on the workers: pip install 'docmill[generation]'"
        ) from missing
    return llguidance
