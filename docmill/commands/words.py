"""docmill words nearest, analogy and export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.options import Json
from docmill.commands.output import print_json, say, users_umask, warn
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from scheduler.words import NearWords

app = Commands(help="Word vectors: the nearest words, analogies, and the vectors as a file.")

Model = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="NAME or NAME@VERSION; the only model of words if not given."),
]
Number = Annotated[int, typer.Option("-n", "--n", metavar="N", min=1, max=10_000, help="At most N words.")]


@app.command()
def nearest(
    word: Annotated[list[str], typer.Argument(metavar="WORD...", help="One word, or several.")],
    n: Number = 10,
    model: Model = None,
    json: Json = False,
) -> None:
    """List the words nearest to a word, or to several words together.

    The score is the cosine of the vectors, for several words that of their mean direction. A word that the model does
    not have as it is written is cut into morphemes or subwords, as texts are. The model is made by
    `docmill train words`. This needs the models folder.

    Example: docmill words nearest 금리 --model news
    """
    from scheduler import words
    from scheduler.store import store

    _print(words.nearest(store(), word, n, model), json=json)


@app.command()
def analogy(
    a: Annotated[str, typer.Argument(metavar="A", help="A word ...")],
    b: Annotated[str, typer.Argument(metavar="B", help="... and what it is to be compared with ...")],
    c: Annotated[str, typer.Argument(metavar="C", help="... as is this word with those that are listed.")],
    n: Number = 10,
    model: Model = None,
    json: Json = False,
) -> None:
    """List the words that are to C as B is to A: those nearest to B - A + C.

    The three words themselves are left out. Small collections seldom have enough text for this.

    Example: docmill words analogy 한국 서울 일본
    """
    from scheduler import words
    from scheduler.store import store

    _print(words.analogy(store(), a, b, c, n, model), json=json)


def _print(found: NearWords, *, json: bool) -> None:
    rows = [asdict(word) for word in found.words]
    if json:
        print_json(rows)
        return
    warn(f"compared by the model {found.model}")
    shown = [row | {"score": f"{row['score']:.3f}"} for row in rows]
    print_table(shown, ("rank", "word", "score", "count"), "the model has no other words")
