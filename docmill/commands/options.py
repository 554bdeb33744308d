"""Arguments and options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nlp_tasks.parameters import Parameter

JobId = Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as submit printed it.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The document's key.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Show progress until the job has ended; Ctrl-C stops only the watching."),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Really do it; without this, it is only shown what would be done.")
]
Collection = Annotated[
    str, typer.Option(metavar="NAME", help="The collection whose latest documents are used.")
]
Collections = Annotated[
    list[str],
    typer.Option(
        "--collection", metavar="NAME", help="A collection whose latest documents are used; may be repeated."
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--parameter", metavar="NAME=VALUE", help="One of the kind's parameters; may be repeated."
    ),
]
Priority = Annotated[int, typer.Option(metavar="0-9", help="0 (lowest) to 9 (highest).")]
SubmitKey = Annotated[str | None, typer.Option("--key", metavar="KEY", help="The same key twice is one job.")]
After = Annotated[int | None, typer.Option(metavar="JOB", help="Start once that job has finished.")]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="SELECTION",
        help="Only documents with such metadata: \"published >= '2026-01-01' and company = 'X'\".",
    ),
]
Submitter = Annotated[
    str | None,
    typer.Option(
        "--submitter", metavar="NAME", help="Who submits it, for `docmill limits`; user@host if not given."
    ),
]
Exclusive = Annotated[
    bool,
    typer.Option(
        "--exclusive",
        help="Run beside no other job of this collection and kind: it waits for those before it, and those that are "
        "submitted later wait for it.",
    ),
]
Unique = Annotated[
    bool,
    typer.Option(
        "--unique", help="If a job that has not ended does the same, print that one; no other job is made."
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        metavar="DEVICES", help="auto (every GPU, else one worker a core), cpu:2, cuda:0,1 or cuda:0+cpu:1."
    ),
]
PerDevice = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=16, help="Workers on each GPU, which share its memory evenly."),
]
Limit = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="At most N rows; 50 for a table if not given.")
]


class Format(StrEnum):
    """The format of printed rows."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


def parse(pairs: list[str] | None, kind: str) -> dict[str, Any]:
    """NAME=VALUE pairs as a dictionary. Paths of folders are made absolute: workers have another current folder. Texts
    of files are read here. ValueError for an unknown kind, or a file that cannot be read."""
    if not pairs:
        return {}
    from nlp_tasks.parameters import describe
    from workers.kinds import find

    described = {one.name: one for one in describe(find(kind).parameters)}
    found: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ValueError(f"-p {pair!r}: write NAME=VALUE, as in -p sentences=2")
        found[name.strip()] = _read(described.get(name.strip()), value)
    return found


def model_or_folder(
    model: str | None, parameters: dict[str, Any], kind: str
) -> tuple[str | None, dict[str, Any]]:
    """What --model names: a model, or a folder, which becomes the kind's parameter for it."""
    from workers.kinds import find

    name = find(kind).model_folder if model else ""
    if not model or not name or not _is_models_folder(model):
        return model, parameters
    if name in parameters:
        raise ValueError(f"--model {model} and -p {name}={parameters[name]}: give one of them")
    return None, {**parameters, name: str(Path(model).absolute())}


def _read(parameter: Parameter | None, value: str) -> str:
    if parameter is None:
        return value
    if parameter.is_folder and _is_models_folder(value):
        return str(Path(value).absolute())
    is_path = parameter.file == "json" and value.strip() and not value.lstrip().startswith("{")
    if parameter.file and value.startswith("@"):
        value, is_path = value[1:], True
    if not is_path:
        return value
    try:
        return Path(value).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"-p {parameter.name}: cannot read the file {value[:500]!r}: {why}") from None


def _is_models_folder(value: str) -> bool:
    """Whether it is a path, or the folder of a model: a folder of documents may have a model's name."""
    try:
        return "/" in value or (bool(value) and (Path(value) / "config.json").is_file())
    except (OSError, ValueError):
        return False
