"""The full text index over the latest versions of documents.

    waiting       which documents the index does not know yet (triggers write it)
    writing       documents are put into the index, and taken out of it
    finding       the best documents for words, by BM25
    sqlite        FTS5

On PostgreSQL:

    postgres      a tsvector with a GIN index, counts of words, and lists for frequent words
    vectors       a document as a tsvector
    term_counts   in how many documents words are
    ranking       candidates and their order
    short_lists   candidates by marks in the index
    best_lists    the documents in which a frequent word weighs most; `heaviest` finds them, `packed_lists` packs them

The store knows no language: words come from nlp_tasks.search_words, already reduced to the form under which they are
found.
"""

from db.fulltext.finding import Found as Found
from db.fulltext.finding import Hit as Hit
from db.fulltext.finding import Wanted as Wanted
from db.fulltext.finding import find as find
from db.fulltext.finding import hits as hits
from db.fulltext.finding import latest as latest
from db.fulltext.waiting import count as count
from db.fulltext.waiting import next_texts as next_texts
from db.fulltext.waiting import start_again as start_again
from db.fulltext.writing import Indexed as Indexed
from db.fulltext.writing import clean as clean
from db.fulltext.writing import forget as forget
from db.fulltext.writing import maintain as maintain
from db.fulltext.writing import write as write
