"""docmill models list, show, promote, rollback, export; import is in `importing_models`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from docmill.commands import importing_models, model_figures
from docmill.commands.options import Json
from docmill.commands.output import print_json, say, shown, users_umask
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

app = Commands(help="Trained models, their versions and champions.")
app.command(name="import")(importing_models.import_)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]
Alias = Annotated[str, typer.Option(metavar="NAME", help="The alias to move.")]


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List every version of every model.

    Each is listed with its most important figures, the number of held-out documents that they were measured on, and
    the decision of its gate. `docmill models show` prints all figures.

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
    print_table(map(_row, rows), columns, "no models yet: docmill train KIND --collection NAME")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="The model's name.")],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page, with charts for classifiers; - for stdout."),
    ] = None,
    json: Json = False,
) -> None:
    """Show one model's versions with all their figures.

    If they were measured on fewer than 30 documents, a line says that this is too few to judge the model. For the
    champion, or the version that is named, the figures by label and the most frequent confusions follow, if the kind
    has them (classifiers do).

    With --html they are written as a page: one file that loads nothing else.

    Example: docmill models show sentiment --html sentiment.html
    """
    from db import model_versions
    from docmill.pages.registry import version_tables
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
    for table in version_tables(champion):
        say(f"\n{table.title}")
        print_table(table.rows, table.columns, "")


@app.command()
def promote(
    version: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="As `docmill models list` shows them.")
    ],
    alias: Alias = "champion",
    force: Annotated[bool, typer.Option("--force", help="Promote what the gate refused.")] = False,
) -> None:
    """Make a version the one that jobs with --model NAME use.

    A version that its gate refused becomes champion only with --force; the message lists each figure and threshold.

    Example: docmill models promote sentiment@2
    """
    from db import gates, model_versions
    from scheduler.store import store

    with store().write() as session:
        promoted = model_versions.promote(session, version, alias, force=force)
        judgement = gates.of(session, promoted.id)
    say(f"{promoted.model}@{alias} is now version {promoted.version}")
    say(f"its gate: {judgement}" if judgement is not None else "no gate has judged it")


@app.command()
def rollback(
    name: Name,
    alias: Alias = "champion",
) -> None:
    """Move an alias back to the version that had it before.

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
        str, typer.Argument(metavar="NAME[@VERSION]", help="The model; its champion if no version is given.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write; created if it does not exist.")
    ],
    onnx: Annotated[bool, typer.Option("--onnx", help="Write a neural model as ONNX.")] = False,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Like --onnx, and also with weights of 8 bits: the loss is measured."),
    ] = False,
) -> None:
    """Write a model for use in other programs.

    A similarity model becomes FOLDER/doc2vec.model, which gensim's `Doc2Vec.load` reads: with gensim's inference and
    the same seed, its vectors are bit for bit those of the trained model. gensim's files are pickles: load them only
    if you trust their source. Word vectors become FOLDER/vectors.txt, in word2vec's text format. Trained models of
    other kinds cannot be exported.

    With --onnx, an imported encoder (`docmill models import`), a neural classifier or a neural model of entities
    becomes FOLDER/model.onnx. Beside it are its tokenizer.json, or what else turns texts into its inputs, and a
    docmill.json, which says what the graph takes and gives. The export is refused if the model is no network, or if
    ONNX Runtime's vectors or scores differ from torch's by more than 1e-4 or lead to other labels. With --int8, the
    largest difference and the share of labels that change are measured on the held-out documents of the training, as
    far as the store still has them. It needs `pip install 'docmill[onnx]'`.

    Example: docmill models export news@2 exported/
    """
    from db import model_versions
    from nlp_tasks.kind import IMPORTED
    from scheduler.store import store
    from workers.kinds import find
    from workers.running.opening import model_folder
    from workers.settings import settings

    with store().read() as session:
        trained_by = model_versions.listing(session, model.partition("@")[0])[0]["kind"]
        version = model_versions.resolve(session, model, trained_by)
    if onnx or int8:
        _export_onnx(version, trained_by, folder, int8=int8)
        return
    if trained_by == IMPORTED:
        raise ValueError(f"{version.ref} was imported: its files are as they were, in the models folder")
    write = find(trained_by).export
    if write is None:
        raise ValueError(f"{version.ref} was made by {trained_by}, whose models cannot be exported")
    source = model_folder(store(), settings(), version.id)
    with users_umask():
        folder.mkdir(parents=True, exist_ok=True)
        target, how = write(source, folder)
    say(f"{version.ref} is in {target}: {how} reads it")


def _export_onnx(version: Any, trained_by: str, folder: Path, *, int8: bool) -> None:
    from nlp_tasks.encoders import onnx_export as encoders
    from nlp_tasks.kind import IMPORTED
    from scheduler.store import store
    from workers.kinds import find
    from workers.running.opening import model_folder
    from workers.settings import settings
    from workers.training import past_documents

    export = None if trained_by == IMPORTED else find(trained_by).export_onnx
    if trained_by != IMPORTED and export is None:
        raise ValueError(
            f"{version.ref} was made by {trained_by}, which makes no models that can be written as ONNX"
        )
    source = model_folder(store(), settings(), version.id)
    with users_umask():
        folder.parent.mkdir(parents=True, exist_ok=True)
        if export is None:
            lines: Sequence[str] = encoders.export(source, folder, int8=int8).lines()
        else:
            documents = past_documents.of_version(store(), find(trained_by), version.id) if int8 else None
            lines = export(source, folder, int8=int8, documents=documents)
    for line in lines:
        say(f"{version.ref} is in {line}")


def _write_page(file: Path, version: dict[str, Any], versions: list[dict[str, Any]]) -> None:
    from docmill.pages.registry import version_page

    text = version_page(version).write(version, versions)
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
