"""docmill models list, show, promote, rollback, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from docmill.commands import model_figures
from docmill.commands.options import Json
from docmill.commands.output import print_json, say, shown, users_umask
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

app = Commands(help="Trained models, their versions and champions.")

#: So many confusions are shown.
CONFUSIONS = 10

Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]
Alias = Annotated[str, typer.Option(metavar="NAME", help="The alias to move.")]


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List every version of every model.

    Each with the figures that tell most, on how many held-out documents they were measured, and what its gate
    refused; `docmill models show` has them all.

    Example: docmill models list
    """
    from db import model_versions
    from scheduler.store import store

    with store().read() as session:
        rows = model_versions.listing(session)
    for row in rows:
        del row["id"]
    if json:
        print_json(rows)
        return
    columns = ("model", "kind", "aliases", "created", "figures", "gate")
    print_table(map(_row, rows), columns, "no models yet: docmill train classify --collection NAME")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="The model's name.")],
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a classifier's figures as a page with pictures; - for stdout."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show one model's versions with all their figures.

    Where they were measured on fewer than 30 documents, a line says that this is too few to tell. Of the champion, or
    of the version named, a classifier's figures by label and its most frequent confusions follow.

    With --html they are a page in one file, which needs nothing else.

    Example: docmill models show sentiment --html sentiment.html
    """
    from db import model_versions
    from scheduler.store import store

    model, _, which = name.partition("@")
    with store().read() as session:
        every = model_versions.listing(session, model)
        versions = every
        if which:
            chosen = model_versions.resolve(session, name, every[0]["kind"]).version
            versions = [version for version in every if version["version"] == chosen]
        for version in versions:
            version |= model_versions.figures(session, version["id"])
        for version in every:
            del version["id"]
    champion = next((v for v in versions if "champion" in v["aliases"]), versions[0])
    if html is not None:
        _write_page(html, champion, every)
        return
    if json:
        print_json(versions)
        return
    say(shown("\n\n".join("\n".join(model_figures.in_full(version)) for version in versions)))
    _print_by_label(champion)


@app.command()
def promote(
    version: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="As `docmill models list` shows them.")
    ],
    alias: Alias = "champion",
    force: Annotated[bool, typer.Option("--force", help="Promote what the gate refused.")] = False,
) -> None:
    """Let jobs that ask for NAME use this version.

    A version that its gate refused becomes champion with --force only; the message gives each figure and bar.

    Example: docmill models promote sentiment@2
    """
    from db import gates, model_versions
    from scheduler.store import store

    with store().write() as session:
        promoted = model_versions.promote(session, version, alias, force=force)
        judgement = gates.of(session, promoted.id)
    say(f"{promoted.model}@{alias} is version {promoted.version} now")
    say(f"its gate: {judgement}" if judgement is not None else "no gate has judged it")


@app.command()
def rollback(
    name: Name,
    alias: Alias = "champion",
) -> None:
    """Let an alias stand for the version it stood for before.

    Example: docmill models rollback sentiment
    """
    from db import model_versions
    from scheduler.store import store

    with store().write() as session:
        restored = model_versions.rollback(session, name, alias)
    say(f"{name}@{alias} is version {restored.version} again")


@app.command()
def export(
    model: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="A similarity model; else its champion.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write; made if it is not there.")
    ],
) -> None:
    """Write a similarity model as gensim's Doc2Vec.

    FOLDER/doc2vec.model is what `Doc2Vec.load` reads: with gensim's inference and the same seed it gives, bit for
    bit, the vectors of the model that was trained. gensim's files are pickles: load them only where you trust them.

    Example: docmill models export news@2 exported/
    """
    from db import model_versions
    from scheduler.store import store
    from workers.running.opening import model_folder
    from workers.settings import settings

    with store().read() as session:
        version = model_versions.resolve(session, model, "train-similarity")
    source = model_folder(store(), settings(), version.id)
    # torch and gensim take seconds to load, and no other command of a client needs them.
    from nlp_tasks.similarity.model import rebuild

    target = folder / "doc2vec.model"
    with users_umask():
        folder.mkdir(parents=True, exist_ok=True)
        rebuild(source).save(str(target))
    say(f"{version.ref} is in {target}: gensim.models.doc2vec.Doc2Vec.load({str(target)!r}) reads it")


def _write_page(file: Path, version: dict[str, Any], versions: list[dict[str, Any]]) -> None:
    from docmill.pages import model

    if not version["model_label_metric"]:
        raise ValueError(
            f"{version['model']}@{version['version']} was made by {version['kind']} and has no figures by label: "
            f"only classifiers have a page; `docmill models show {version['model']}` prints all its figures"
        )
    text = model.page(version, versions)
    if str(file) == "-":
        say(text.rstrip("\n"))
    else:
        with users_umask():
            file.write_text(text, encoding="utf-8")
        say(f"wrote {file}")


def _row(version: dict[str, Any]) -> dict[str, str]:
    return {
        "model": f"{version['model']}@{version['version']}",
        "kind": version["kind"].removeprefix("train-"),
        "aliases": ", ".join(version["aliases"]),
        "created": version["created_at"].astimezone().strftime("%Y-%m-%d"),
        "figures": model_figures.in_short(version),
        "gate": model_figures.gate_in_short(version["gate"]),
    }


def _print_by_label(version: dict[str, Any]) -> None:
    """A classifier's figures by label, and its most frequent confusions."""
    if by_label := version["model_label_metric"]:
        say(f"\n{version['model']}@{version['version']}, by label:")
        columns = ("label", "precision", "recall", "f1", "support", "n_predicted", "threshold")
        some = columns if any(row["threshold"] is not None for row in by_label) else columns[:-1]
        print_table(by_label, some, "")
    wrong = [row for row in version["model_confusion"] if row["true_label"] != row["predicted_label"]]
    if wrong:
        say("\nmost frequent confusions:")
        wrong.sort(key=lambda row: -row["n_documents"])
        print_table(wrong[:CONFUSIONS], ("true_label", "predicted_label", "n_documents"), "")
