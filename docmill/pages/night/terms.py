"""In how many documents each word is: Korean morphemes, and other words in lower case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from nlp_tasks.keywords.stop_words import ENGLISH, KOREAN
from nlp_tasks.text import tokens

#: What is read of a document, and of all documents of one side, in characters.
DOCUMENT_CHARS, ALL_CHARS = 20_000, 4_000_000
#: Documents of one side.
MOST_DOCUMENTS = 2_000
#: Longer words are no words.
LONGEST = 40


@dataclass
class Counted:
    """Documents, and how many of them have each word."""

    n_documents: int = 0
    words: Counter[str] = field(default_factory=Counter)
    #: The key of one document with the word.
    example: dict[str, str] = field(default_factory=dict)


def counted(documents: Iterable[tuple[str, str]]) -> Counted:
    """Of (key, text) of documents, as many as fit."""
    found, n_chars = Counted(), 0
    for key, text in documents:
        n_chars += len(text)
        if n_chars > ALL_CHARS and found.n_documents:
            break
        words = {word for word in tokens(text[:DOCUMENT_CHARS]) if _is_word(word)}
        found.n_documents += 1
        found.words.update(words)
        for word in words:
            found.example.setdefault(word, key)
    return found


def _is_word(word: str) -> bool:
    return 2 <= len(word) <= LONGEST and not word[0].isdigit() and word not in ENGLISH | KOREAN
