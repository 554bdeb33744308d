"""docmill words nearest, analogy and export."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.options import Json
from docmill.commands.output import print_json, say, users_umask, warn
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table
from scheduler.exports.word_format import WordFormat

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


@app.command()
def export(
    to: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="A file, or a folder with --format; {date}, {time} and {name} are filled in. Replaced if it exists.",
        ),
    ],
    model: Model = None,
    format: Annotated[WordFormat | None, typer.Option(help="By the suffix of PATH if not given.")] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the N most frequent words.")
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom", help="CSV: begin with a byte order mark, by which Excel knows UTF-8.")
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="CSV: leave words as they are that a spreadsheet would run as a formula."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Export the vectors of a model's words.

    txt is the text format of word2vec, which gensim, spaCy and fastText read. CSV, JSON Lines, Parquet and XLSX have a
    row for each word: rank, word, count, and v1, v2, ... The file is there whole or not at all, and beside it
    PATH.manifest.json says what it holds.

    Example: docmill words export --model news --to vectors.txt
    """
    from scheduler.exports import word_vectors
    from scheduler.store import store

    wanted = word_vectors.WordExport(to, model, format, top, bom=bom, raw=raw)
    with users_umask():
        made = word_vectors.export(store(), wanted)
    if json:
        print_json(asdict(made))
    else:
        say(f"{made.to}: the vectors of {made.n_rows:,} words of {made.what}")
    for note in made.notes:
        warn(f"note: {note}")


def _print(found: NearWords, *, json: bool) -> None:
    rows = [asdict(word) for word in found.words]
    if json:
        print_json(rows)
        return
    warn(f"compared by the model {found.model}")
    shown = [row | {"score": f"{row['score']:.3f}"} for row in rows]
    print_table(shown, ("rank", "word", "score", "count"), "the model has no other words")
