"""Continuous batching: as soon as a text is finished, its place goes to the next prompt.

Prompts are sorted by length, so that those written together need about the same room. What is written for a prompt
does not depend on the others (up to rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Protocol

import torch
from torch import Tensor

from nlp_tasks import memory_pressure
from nlp_tasks.generation.places import Places

#: Free places are given away when they are at least this share of all.
_FREE_SHARE = 1 / 8
#: A prompt of this share of the longest one in use is of a similar length.
_SIMILAR = 3 / 4
#: The most rows at a time, and the most tokens of prompts that are read in one call.
MOST_ROWS = 256


class Writing(Protocol):
    """A text that is being written, one token at a time."""

    @property
    def prompt(self) -> Sequence[int]: ...
    @property
    def most(self) -> int:
        """The maximum number of tokens written."""
        ...

    def restart(self) -> None:
        """Forget what was written."""
        ...


#: From scores (n, V) and the text of each row: the chosen tokens, and whether each text is finished with it.
Choose = Callable[[Tensor, Sequence[Writing]], Sequence[tuple[int, bool]]]


@dataclass
class Budget:
    """How much is computed at a time."""

    #: Tokens in the cache: rows times the longest.
    tokens: int
    #: Tokens of prompts, with padding, that are read in one call.
    prompt_tokens: int
    rows: int = MOST_ROWS
    #: Beyond this many rows, only prompts of similar lengths are written together: attention computes each row as if it
    #: were as long as the longest.
    mixed_rows: int = MOST_ROWS


@dataclass
class _Run:
    places: Places
    choose: Choose
    budget: Budget
    waiting: list[Writing]  # the next one is the last
    beat: Callable[[], None]
    active: list[Writing] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    #: Prompts that are being read in this moment.
    n_read: int = 0

    def until_done(self) -> None:
        while self.waiting or self.active:
            while self.waiting and (free := self._free()):
                self.beat()
                self._begin(free)
            self.beat()
            if self.active:
                self._go_on(self.places.step(self.last), 0)

    def _free(self) -> int:
        """How many places to give away now; none while only few are free."""
        longest = max(len(one.prompt) + one.most for one in (*self.active, self.waiting[-1]))
        rows = max(1, min(self.budget.rows, self.budget.tokens // longest))
        if rows > self.budget.mixed_rows:
            rows = min(rows, max(self.budget.mixed_rows, len(self.active) + self._n_similar(rows)))
        free = rows - len(self.active)
        wanted = min(max(1, int(rows * _FREE_SHARE)), len(self.waiting))
        return free if free >= wanted or not self.active else 0

    def _n_similar(self, most: int) -> int:
        """How many of the next prompts, of at most so many, are about as long as the longest one in use."""
        longest = max(len(one.prompt) for one in (*self.active, self.waiting[-1]))
        following = reversed(self.waiting[-most:])
        return sum(1 for _ in takewhile(lambda one: len(one.prompt) >= _SIMILAR * longest, following))

    def _begin(self, free: int) -> None:
        """Read the next prompts: those that fit into one call."""
        rows = len(self.active) + min(free, len(self.waiting))
        longest = len(self.waiting[-1].prompt)
        n = min(free, len(self.waiting), max(1, self.budget.prompt_tokens // longest))
        new = [self.waiting.pop() for _ in range(n)]
        first, self.n_read = len(self.active), n
        scores = self.places.begin([one.prompt for one in new], [one.most for one in new], rows)
        self.n_read = 0
        self.active += new
        self.last += [0] * n
        self._go_on(scores, first)

    def _go_on(self, scores: Tensor, first: int) -> None:
        """Add a token to each row from `first` on, and free the places of those that are finished."""
        chosen = self.choose(scores, self.active[first:])
        finished = []
        for row, (id_, is_finished) in enumerate(chosen, start=first):
            self.last[row] = id_
            if is_finished:
                finished.append(row)
        for row in reversed(finished):
            self.places.leave(row)
            self.active[row] = self.active[-1]
            self.last[row] = self.last[-1]
            self.active.pop()
            self.last.pop()


def write(
    open_places: Callable[[], Places],
    writings: Sequence[Writing],
    choose: Choose,
    budget: Budget,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Write every text to its end. If the device runs out of memory, those that are not finished begin again with half
    the budget, which stays so."""
    done: set[int] = set()

    def chosen(scores: Tensor, rows: Sequence[Writing]) -> Sequence[tuple[int, bool]]:
        found = choose(scores, rows)
        done.update(id(one) for one, (_, is_finished) in zip(rows, found, strict=True) if is_finished)
        return found

    with torch.inference_mode():
        while True:
            left = [one for one in writings if id(one) not in done]
            waiting = sorted(left, key=lambda one: (len(one.prompt), one.most))
            run = _Run(open_places(), chosen, budget, waiting, beat)
            try:
                run.until_done()
                return
            except torch.OutOfMemoryError:
                n = len(run.active) + run.n_read
                if n <= 1:
                    raise
            # After the `except` block: its frames held what was allocated.
            del run
            if not memory_pressure.relieve():
                budget.rows = max(1, min(budget.rows, n) // 2)
            for one in left:
                if id(one) not in done:
                    one.restart()
