"""Search: documents by words, by nearness in meaning, or both."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from docmill.web.api.operation import Call, Query, operation
from scheduler.search import SearchRequest
from scheduler.search import search as find
from scheduler.search.finding import DEEPEST, MOST_HITS


class Search(Query):
    """What is looked for."""

    query: Annotated[
        str,
        Field(min_length=1, max_length=10_000, description="words, phrases and conditions: docs/search.md"),
    ]
    collection: Annotated[str | None, Field(max_length=512)] = None
    where: Annotated[str | None, Field(max_length=10_000, description="a selection by metadata")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10
    offset: Annotated[int, Field(ge=0, le=DEEPEST, description="hits that are passed over")] = 0
    hybrid: Annotated[
        bool, Field(description="combine the words with the vectors of the newest similarity job")
    ] = False


class Hit(BaseModel):
    """A document that answers the query."""

    rank: int
    document_key: str
    collection: str
    score: Annotated[float, Field(description="BM25, or the fused score of a hybrid search")]
    label: str | None
    body_chars: int
    added_at: datetime
    excerpt: str
    marks: Annotated[
        list[tuple[int, int]], Field(description="(start, end) of each word of the query in the excerpt")
    ]


class Hits(BaseModel):
    """The hits of one page, the best first."""

    data: list[Hit]
    has_more: bool
    is_whole: Annotated[bool, Field(description="false if more documents match than were ranked")]
    n_waiting: Annotated[int, Field(description="documents that the index does not know yet")]


@operation("GET", "/search", tag="search", query=Search, answers=Hits, problems=(404,))
def search(call: Call) -> Hits:
    """The latest documents that answer a query."""
    asked = call.query(Search)
    found = find(
        call.store,
        SearchRequest(asked.query, asked.collection, asked.where, asked.limit, asked.offset, asked.hybrid),
    )
    return Hits(
        data=[Hit(**hit.as_row()) for hit in found.hits],
        has_more=found.has_more,
        is_whole=found.is_whole,
        n_waiting=found.n_waiting,
    )


OPERATIONS = (search,)
