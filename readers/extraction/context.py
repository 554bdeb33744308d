"""What the reader of a format may ask for: the budget, and the text of a document inside its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from readers.extraction.limits import Budget
from readers.extraction.records import Member
from readers.extraction.source import Source


@dataclass(frozen=True, slots=True)
class Context:
    """`member(source)` never raises but when the budget of the whole file is spent."""

    budget: Budget
    media_type: str
    member: Callable[[Source], Member]
    #: The same of a file in an archive, which may hold records (JSON, tables, Parquet): each is a document.
    archived: Callable[[Source], Member]
    #: "main", "whole", or "auto": the main content where a page has navigation.
    html: str = "auto"
