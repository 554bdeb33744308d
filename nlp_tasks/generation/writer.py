"""What writes texts for prompts: a model of a folder, one that docmill trained, or a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nlp_tasks.errors import DocumentError
from nlp_tasks.generation.template import Template

#: Why a text ends: the model ended it (or wrote a stop string), or it has as many tokens as it may have.
STOP, LENGTH = "stop", "length"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is to go on from."""

    #: The document's.
    key: str
    template: Template
    #: A value for each name in the template.
    values: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.template.fill(self.values)


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote."""

    text: str
    finish_reason: str
    #: None where a server does not tell.
    n_prompt_tokens: int | None
    n_tokens: int | None
    #: Characters of the document that were cut off because the prompt was too long.
    n_cut_chars: int = 0


class Writer(Protocol):
    """A loaded model."""

    def write(
        self, prompts: Sequence[Prompt], beat: Callable[[], None] = lambda: None
    ) -> list[Written | DocumentError]:
        """One text, or error, for each prompt."""
        ...
