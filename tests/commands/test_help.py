"""Every command says what it does, shows how, and stands in the docs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from docmill.cli import SECTIONS, app

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def _commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if getattr(command, "invoke_without_command", False):
            yield (*path, name), command
        if hasattr(command, "commands"):
            yield from _commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(_commands(typer.main.get_command(app)))
GROUPS = sorted({path[0] for path in COMMANDS if len(path) > 1})


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_has_help_with_an_example_that_names_it(path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, [*path, "--help"])
    assert said.exit_code == 0
    example = said.stdout.partition("Example: ")[2].partition("\n\n")[0]
    assert f"docmill {' '.join(path)}" in " ".join(example.split())
    usage = said.stdout.splitlines()[0]
    assert usage.startswith(f"Usage: docmill {' '.join(path)}")
    assert "{" not in usage
    assert COMMANDS[path].help.splitlines()[0].endswith("."), "the list of commands shows the first sentence"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_and_its_options_stand_in_the_docs(path: tuple[str, ...]) -> None:
    section = DOCS.partition(f"### docmill {' '.join(path)}\n")[2].partition("\n### ")[0]
    assert section
    for parameter in COMMANDS[path].params:
        for name in parameter.opts if parameter.param_type_name == "option" else ():
            if name.startswith("--") and name != "--help":
                assert f"`{name}" in section, f"{' '.join(path)}: {name}"


def test_the_docs_name_no_command_that_is_not_there() -> None:
    named = {
        line.removeprefix("### docmill ") for line in DOCS.splitlines() if line.startswith("### docmill ")
    }
    assert named == {" ".join(path) for path in COMMANDS}


def test_the_list_of_commands_has_sections_and_cuts_no_sentence() -> None:
    said = CliRunner().invoke(app, ["--help"]).stdout
    sections = [line for line in said.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert sections == ["Options:", *(f"{title}:" for title in SECTIONS)]
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        section = said.partition(f"\n{command.rich_help_panel}:\n")[2].partition("\n\n")[0]
        assert f"  {name} " in section, name
    for path in ([], *([name] for name in GROUPS)):
        assert "..." not in CliRunner().invoke(app, [*path, "--help"]).stdout.replace("[ARGS]...", "")


def test_usage_shows_what_may_be_omitted_in_one_pair_of_brackets() -> None:
    assert "[OPTIONS] [RUN]\n" in CliRunner().invoke(app, ["digest", "--help"]).stdout
    assert "[OPTIONS] [KEY]...\n" in CliRunner().invoke(app, ["documents", "remove", "--help"]).stdout


def test_a_wrong_choice_is_told_without_words_of_the_library() -> None:
    said = CliRunner().invoke(app, ["digest", "--to", "x", "--language", "fr"])
    assert "'fr' is not one of 'en', 'ko'" in said.stderr
    assert "Value error" not in said.stderr
