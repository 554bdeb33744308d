"""Full text search: the step of the loop that fills the index, and how people and programs ask.

indexing   the step of the loop
asking     what a person types, as words, phrases and conditions
finding    a request to hits with excerpts
excerpts   the part of a text that answers a query, with its words marked
nearest    documents near to a free text, by the vectors of a similarity model
"""

from scheduler.search.finding import Answer as Answer
from scheduler.search.finding import FoundDocument as FoundDocument
from scheduler.search.finding import SearchRequest as SearchRequest
from scheduler.search.finding import search as search
