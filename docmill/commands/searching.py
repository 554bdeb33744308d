"""docmill search, docmill index."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.options import Json, Where
from docmill.commands.output import console, one_line, print_json, say, shown, warn

if TYPE_CHECKING:
    from scheduler.search import Answer, FoundDocument
    from scheduler.search.excerpts import Excerpt


def search(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS", help='Words, "phrases", +word, -word, label:X, before:DAY, field:value.'
        ),
    ],
    collection: Annotated[
        str | None, typer.Option(metavar="NAME", help="Search this collection; all if not given.")
    ] = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="At most N documents.")] = 10,
    hybrid: Annotated[
        bool,
        typer.Option("--hybrid", help="Combine the words with the vectors of the newest similarity job."),
    ] = False,
    json: Json = False,
) -> None:
    """Search the latest documents by words, the best first.

    Korean is found by its morphemes (인상했다 finds 인상), English in every inflection. Put -- before a query that
    begins with -. docs/search.md has the whole language.

    Example: docmill search 기준금리 인상 --collection inbox
    """
    from scheduler.search import SearchRequest
    from scheduler.search import search as find
    from scheduler.store import store

    query = " ".join(_as_typed(words))
    answer = find(store(), SearchRequest(query, collection, where, limit, hybrid=hybrid))
    _say_what_is_missing(answer)
    if json:
        print_json([hit.as_row() for hit in answer.hits])
        return
    for hit in answer.hits:
        _print(hit)
    if not answer.hits:
        say(
            "no document has these words"
            + ("" if answer.n_waiting else "; docmill collections lists what there is")
        )


def index(
    again: Annotated[
        bool, typer.Option("--again", help="Empty the index first and build all of it.")
    ] = False,
) -> None:
    """Bring the full text index up to date now.

    A scheduler does this by itself, soon after documents were added. Ctrl-C is safe: what is indexed stays.

    Example: docmill index
    """
    from db import fulltext
    from scheduler.search.indexing import index_all
    from scheduler.store import store

    opened = store()
    if again:
        with opened.write() as session:
            fulltext.start_again(session)
    with opened.read() as session:
        n_waiting = fulltext.count(session)

    def tell(n: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{n:,} of {n_waiting:,} documents", end="", file=sys.stderr, flush=True)

    n = index_all(opened, tell)
    if n and sys.stderr.isatty():
        print(file=sys.stderr)
    say(f"the index is up to date: {n:,} documents were indexed")


def _as_typed(words: list[str]) -> list[str]:
    """A shell takes the quotes of a phrase away: an argument with spaces is one, unless it has quotes itself."""
    return [
        f'"{word}"' if len(words) > 1 and " " in word and '"' not in word and ":" not in word else word
        for word in words
    ]


def _say_what_is_missing(answer: Answer) -> None:
    if answer.to_go:
        warn(f"index: {answer.to_go} to go: the scheduler does it (docmill up), or docmill index now")
    if not answer.is_whole:
        warn("more documents match than were ranked: these have the words most; add a word or a condition")


def _print(hit: FoundDocument) -> None:
    label = f", {one_line(hit.label)}" if hit.label else ""
    say(f"{hit.rank:>3}  {one_line(hit.document_key)}  ({one_line(hit.collection)}{label})  {hit.score:.2f}")
    _print_excerpt(hit.excerpt)


def _print_excerpt(excerpt: Excerpt) -> None:
    """An excerpt, indented: marked words are underlined; in a pipe it is one line, and they stand between brackets."""
    from rich.padding import Padding
    from rich.text import Text

    from scheduler.search import excerpts

    is_terminal = sys.stdout.isatty()
    text = Text("... " if excerpt.begins_inside else "")
    for characters, is_marked in excerpts.pieces(excerpt):
        words = shown(characters)
        text.append(
            words if is_terminal or not is_marked else f"[{words}]", "bold underline" if is_marked else ""
        )
    text.append(" ..." if excerpt.ends_inside else "")
    if is_terminal:
        console().print(Padding(text, (0, 0, 0, 5)))
    else:
        say(f"     {text.plain}")
