"""What a view is, and the one expression that the two databases write differently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: `SECONDS[a, b]` in a query: the seconds from one time to another.
_SECONDS = re.compile(r"SECONDS\[([^,\]]+), ([^\]]+)\]")
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

    def query_for(self, dialect: str) -> str:
        """The query as this database writes it."""
        return _SECONDS.sub(_WRITTEN[dialect], self.query)


#: The columns that name a document.
DOCUMENT = {
    "collection": "name of the document's collection",
    "document_key": "the document's key in its collection",
}
