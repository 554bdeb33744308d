"""Write the parts of docs/*.md that follow from the code: commands, parameters of kinds, views, tables and metrics.

    python docs/generate.py [--check]

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of a page is written by hand. With
--check nothing is written, and the exit status is 1 if a page is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- generated: ([\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Rewrite, or with --check compare, every page."""
    check = "--check" in sys.argv[1:]
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = PART.sub(_part, before)
        if after != before:
            stale.append(page.name)
            if not check:
                page.write_text(after, encoding="utf-8")
    if stale and check:
        print(f"out of date: {', '.join(stale)}: run `make docs`", file=sys.stderr)
        return 1
    if not check:
        print(f"wrote {', '.join(stale)}" if stale else "every page is up to date")
    return 0


def _part(found: re.Match[str]) -> str:
    what, _, which = found[2].partition(" ")
    return f"{found[1]}\n{PARTS[what](which).strip()}\n\n{found[3]}"


# --- commands ---------------------------------------------------------------------------------------------------


def commands(_: str) -> str:
    """Every command with its help, example, arguments and options."""
    from docmill.cli import app

    return "\n\n".join(_command(path, command) for path, command in _walk(typer.main.get_command(app)))


def _walk(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if getattr(command, "invoke_without_command", True):
            yield (*path, name), command
        if hasattr(command, "commands"):
            yield from _walk(command, *path, name)


def _command(path: tuple[str, ...], command: Any) -> str:
    words, _, example = inspect.cleandoc(command.help).partition("Example: ")
    lines = [f"### docmill {' '.join(path)}", words.strip(), f"    {' '.join(example.split())}"]
    options = [_option(parameter) for parameter in command.params if parameter.name != "help"]
    return "\n\n".join([*lines, "\n".join(options)]).rstrip()


def _option(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    choices = "|".join(annotation) if isinstance(annotation, type) and issubclass(annotation, Enum) else ""
    value = (
        (parameter.metavar or choices).strip("[]")
        if not (parameter.metavar or "").startswith("NAME[")
        else parameter.metavar
    )
    words = parameter.help or ""
    if parameter.opts == [parameter.name]:
        value += "..." if parameter.nargs == -1 and not value.endswith("...") else ""
        return f"- {f'`{value}`' if parameter.required else f'`[{value}]`'}: {' '.join(words.split())}"
    shown = getattr(parameter.default, "value", parameter.default)
    if parameter.required:
        words += " (required)"
    elif not parameter.is_flag and shown not in (None, (), [], ""):
        words += f" Default: {shown}."
    names = ", ".join(f"`{opt}{'' if parameter.is_flag else f' {value}'.rstrip()}`" for opt in parameter.opts)
    return f"- {names}: {' '.join(words.split())}"


# --- kinds ------------------------------------------------------------------------------------------------------


def parameters(kind: str) -> str:
    """The table of a kind's parameters."""
    from nlp_tasks.parameters import describe
    from nlp_tasks.registry import KINDS

    declared = describe(KINDS[kind].parameters)
    if not declared:
        return "It has no parameters."
    lines = ["| parameter | what it is | allowed | default |", "|---|---|---|---|"]
    for one in declared:
        allowed = (
            one.type
            if one.type.startswith("one of")
            else f"{one.type}{f', {one.range}' if one.range else ''}"
        )
        default = "" if one.default == "" else f"`{one.default}`"
        lines.append(f"| `{one.name}` | {one.help} | {allowed.removeprefix('one of ')} | {default} |")
    return "\n".join(lines)


# --- the store --------------------------------------------------------------------------------------------------


def views(_: str) -> str:
    """Every view with its columns."""
    from db.views import VIEWS

    return "\n\n".join(_view(name, view) for name, view in VIEWS.items())


def _view(name: str, view: Any) -> str:
    rows = [f"| `{column}` | {words} |" for column, words in view.columns.items()]
    table = "\n".join(["| column | what it is |", "|---|---|", *rows])
    return "\n\n".join(filter(None, [f"### {name}", view.about, table, view.notes]))


def tables(which: str) -> str:
    """The result tables with their columns: "results" by job and document, or "figures" by model version."""
    from db.tables import Base
    from db.tables.model import ModelFigure
    from db.tables.result import JobDetail, JobResult, VersionResult
    from nlp_tasks.registry import KINDS
    from workers.kinds import all_kinds

    all_kinds()
    bases = (ModelFigure,) if which == "figures" else (JobResult, JobDetail, VersionResult)
    about = _column_notes(row for kind in KINDS.values() for row in (*kind.rows, *kind.figure_rows))
    mappers = sorted(Base.registry.mappers, key=lambda mapper: str(mapper.class_.__tablename__))
    ours = [mapper.class_ for mapper in mappers if issubclass(mapper.class_, bases)]
    return "\n\n".join(_table(one, about[one.__tablename__]) for one in ours if one.__tablename__ in about)


def _table(table: Any, about: dict[str, str]) -> str:
    about = about | _comments(inspect.getsource(table)) if table.__module__.startswith("db.") else about
    rows = [
        f"| `{column.name}` | {_sql_type(column)}{', key' if column.primary_key else ''} | {_about(column, about)} |"
        for column in table.__table__.c
    ]
    head = ["| column | type | what it is |", "|---|---|---|"]
    return "\n\n".join(
        [f"### {table.__tablename__}", inspect.cleandoc(table.__doc__), "\n".join([*head, *rows])]
    )


def _sql_type(column: Any) -> str:
    types = {int: "integer", float: "number", str: "text", bool: "boolean", bytes: "bytes"}
    return types[column.type.python_type] + (" or NULL" if column.nullable else "")


def _about(column: Any, about: dict[str, str]) -> str:
    referred = "; ".join(f"`{key.target_fullname}`" for key in column.foreign_keys)
    words = about.get(column.name, "")
    return f"{words} ({referred})" if words and referred else words or referred


def _column_notes(rows: Iterable[Any]) -> dict[str, dict[str, str]]:
    """What the row classes say of their fields, by table."""
    return {row.table: _comments(inspect.getsource(row)) for row in rows}


def _comments(source: str) -> dict[str, str]:
    """The `#:` comments of a class, by the field that follows them."""
    found = re.findall(r"((?:^ +#: .*\n)+) +(\w+): ", source, flags=re.M)
    return {name: " ".join(re.findall(r"#: (.*)", comment)).rstrip(".") for comment, name in found}


# --- metrics ----------------------------------------------------------------------------------------------------


def metrics(_: str) -> str:
    """The table of metrics, by what exports them."""
    from workers.metrics.catalogue import METRICS, Source

    return "\n\n".join(
        f"### Of {source.value if source is not Source.STORE else '`docmill metrics`'}\n\n"
        + "\n".join(
            [
                "| metric | type | labels | what it is |",
                "|---|---|---|---|",
                *(
                    f"| `{metric.name}` | {metric.sort} | {', '.join(f'`{label}`' for label in metric.labels)} "
                    f"| {metric.help} |"
                    for metric in METRICS.values()
                    if metric.source is source
                ),
            ]
        )
        for source in Source
    )


# --- the REST interface -----------------------------------------------------------------------------------------


def operations(_: str) -> str:
    """Every operation of /v1 with its parameters, its body and its answer."""
    from docmill.web.api.openapi import document

    told = document()
    schemas = told["components"]["schemas"]
    by_tag: dict[str, list[str]] = {}
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            lines = by_tag.setdefault(one["tags"][0], [])
            lines.append(_endpoint(method.upper(), path, one, schemas))
    return "\n\n".join(f"## {tag.capitalize()}\n\n" + "\n\n".join(lines) for tag, lines in by_tag.items())


def _endpoint(method: str, path: str, one: dict[str, Any], schemas: dict[str, Any]) -> str:
    parts = [
        f"### {method} {path}",
        one["summary"],
        one["description"].replace("\n", " ").replace("  ", "\n\n"),
    ]
    query = [each for each in one["parameters"] if each["in"] == "query"]
    if query:
        rows = [
            f"| `{each['name']}` | {_json_type(each['schema'], schemas)} | {_words(each)} |" for each in query
        ]
        parts.append("\n".join(["| in the query | type | what it is |", "|---|---|---|", *rows]))
    sent = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if sent is not None:
        parts.append(_fields("in the body", sent, schemas))
    status = next(each for each in one["responses"] if each.startswith("2"))
    content = one["responses"][status]["content"]
    answer = content.get("application/json", {}).get("schema")
    if answer:
        parts.append(_fields(f"in the answer ({status})", answer, schemas))
    return "\n\n".join(parts)


def _fields(title: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = _resolved(schema, schemas)
    needed = found.get("required", ()) if "body" in title else ()
    rows = [
        f"| `{name}` | {_json_type(each, schemas)}{', needed' if name in needed else ''} | {_words(each)} |"
        for name, each in found.get("properties", {}).items()
    ]
    return "\n".join([f"| {title} | type | what it is |", "|---|---|---|", *rows])


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name] if name else schema


def _json_type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """ "integer or null", "list of {id, kind}" """
    if "$ref" in schema:
        return f"{{{', '.join(_resolved(schema, schemas).get('properties', {}))}}}"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_json_type(each, schemas) for each in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"] if each != "")
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_json_type(schema['items'], schemas)}"
    return "time" if schema.get("format") == "date-time" else str(schema.get("type", "any"))


def _words(schema: dict[str, Any]) -> str:
    """What it is, its range and its default."""
    inner = schema.get("schema", schema)
    low, high = inner.get("minimum"), inner.get("maximum")
    allowed = f"{low:,} to {high:,}" if low is not None and high is not None and high < 10**9 else ""
    default = inner.get("default")
    shown = f"default `{str(default).lower() if isinstance(default, bool) else default}`"
    parts = (schema.get("description", ""), allowed, "" if default in (None, "", [], {}) else shown)
    return "; ".join(filter(None, parts)).replace("|", "\\|")


PARTS: dict[str, Callable[[str], str]] = {
    "commands": commands,
    "parameters": parameters,
    "views": views,
    "tables": tables,
    "metrics": metrics,
    "operations": operations,
}


if __name__ == "__main__":
    sys.exit(main())
