"""Patterns of paths: `filings/**/*.{pdf,hwpx}`. Opens no files.

`*` and `?` stand for characters within one name, `[ab]` for one of them, `**` for any number of folders, `{a,b}` for
each of the alternatives. Hidden files have to be named.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MAGIC = re.compile(r"[*?[{]")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
#: More alternatives are a mistake.
_MAX_ALTERNATIVES = 1_000


@dataclass(frozen=True)
class Pattern:
    """A pattern under the folder in which its first special character is."""

    text: str
    root: Path
    #: Each as the regular expressions of its steps; None stands for `**`.
    alternatives: Sequence[Sequence[re.Pattern[str] | None]]

    def matches(self, name: str) -> bool:
        """Whether a file is meant; its path is relative to the root, with "/" between the parts."""
        parts = name.split("/")
        return any(_matches(steps, parts, is_folder=False) for steps in self.alternatives)

    def enters(self, name: str) -> bool:
        """Whether a file in this folder, or below it, can be meant."""
        parts = name.split("/")
        return any(_matches(steps, parts, is_folder=True) for steps in self.alternatives)


def of(text: str) -> Pattern | None:
    """The pattern; None for a path without special characters. ValueError for far too many alternatives."""
    steps = text.split("/")
    first = next((n for n, step in enumerate(steps) if _MAGIC.search(step)), None)
    if first is None:
        return None
    root = "/".join(steps[:first]) or ("/" if first else ".")
    rest = "/".join(steps[first:])
    alternatives = [_steps(each) for each in _expanded(rest, text)]
    if all(None not in each and not _has_wildcard(rest) for each in alternatives) and not _BRACES.search(
        rest
    ):
        return None
    return Pattern(text, Path(root), alternatives)


def _has_wildcard(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _expanded(text: str, whole: str) -> list[str]:
    """The text once for each alternative of its braces, from the innermost on."""
    pending, found = [text], []
    while pending:
        each = pending.pop()
        braces = _BRACES.search(each)
        if braces is None:
            found.append(each)
        else:
            pending += [each[: braces.start()] + one + each[braces.end() :] for one in braces[1].split(",")]
        if len(found) + len(pending) > _MAX_ALTERNATIVES:
            raise ValueError(f"{whole!r} has more than {_MAX_ALTERNATIVES:,} alternatives in its braces")
    return found[::-1]


def _steps(text: str) -> list[re.Pattern[str] | None]:
    steps: list[re.Pattern[str] | None] = []
    for step in text.split("/"):
        if step == "**" and steps and steps[-1] is None:
            continue
        if step not in ("", "."):
            steps.append(None if step == "**" else re.compile(fnmatch.translate(step)))
    if steps and steps[-1] is None:
        steps.append(re.compile(".*", re.DOTALL))
    return steps


def _matches(steps: Sequence[re.Pattern[str] | None], parts: Sequence[str], *, is_folder: bool) -> bool:
    """Whether the parts match all steps; for a folder, whether more parts may do so. Follows all ways at once."""
    at = _past_stars(steps, {0})
    for part in parts:
        found: set[int] = set()
        for n in at:
            if n == len(steps):
                continue
            step = steps[n]
            if step is None:
                found.add(n)
            elif step.match(part):
                found.add(n + 1)
        at = _past_stars(steps, found)
    return any(n < len(steps) for n in at) if is_folder else len(steps) in at


def _past_stars(steps: Sequence[re.Pattern[str] | None], at: set[int]) -> set[int]:
    """The same places, and those after a `**` that stands for no folder."""
    return at | {n + 1 for n in at if n < len(steps) and steps[n] is None}
