"""What a view is, and the few expressions that the two databases write differently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: `SECONDS[a, b]` in a query: the seconds from one time to another.
_SECONDS = re.compile(r"SECONDS\[([^,\]]+), ([^\]]+)\]")
#: `CLOCK[]`: the database's clock at this moment. `LAUNCHED[column]`: the worker of a process, by their instances.
_LAUNCHED = re.compile(r"LAUNCHED\[([^\]]+)\]")
_OTHERS = {
    "sqlite": ("strftime('%Y-%m-%d %H:%M:%f000', 'now')", r"substr(\1, 1, instr(\1 || '.', '.') - 1)"),
    "postgresql": ("clock_timestamp()", r"split_part(\1, '.', 1)"),
}
_WRITTEN = {
    "sqlite": r"((julianday(\2) - julianday(\1)) * 86400.0)",
    "postgresql": r"CAST(EXTRACT(EPOCH FROM (\2 - \1)) AS DOUBLE PRECISION)",
}


@dataclass(frozen=True, slots=True)
class View:
    """A view and what people read about it. The texts may hold Markdown."""

    #: One sentence: what the view shows.
    about: str
    query: str
    #: A description of every column, in the query's order.
    columns: Mapping[str, str]
    #: What else there is to know.
    notes: str = ""
    #: The query on PostgreSQL, where it can be written better than for both.
    on_postgresql: str | None = None

    @property
    def queries(self) -> tuple[str, ...]:
        """What the view is made of on any database."""
        return (self.query,) if self.on_postgresql is None else (self.query, self.on_postgresql)

    def query_for(self, dialect: str) -> str:
        """The query as this database writes it."""
        clock, launched = _OTHERS[dialect]
        own = self.on_postgresql if dialect == "postgresql" else None
        query = _LAUNCHED.sub(launched, (own or self.query).replace("CLOCK[]", clock))
        return _SECONDS.sub(_WRITTEN[dialect], query)


#: The columns that name a document.
DOCUMENT = {
    "collection": "name of the document's collection",
    "document_key": "the document's key in its collection",
}
