"""Whether docmill has the commands and options that a deployment starts."""

from __future__ import annotations

from typing import Any

import typer

from docmill.cli import app


def unknown(words: list[str]) -> list[str]:
    """What of a command line after `docmill` does not exist: the command itself, or options."""
    words, known = list(words), typer.main.get_command(app)
    while hasattr(known, "commands"):
        commands: dict[str, Any] = known.commands
        name = words.pop(0)
        if name not in commands:
            return [name]
        known = commands[name]
    options = {option for parameter in known.params for option in parameter.opts}
    return [word for word in words if word.startswith("--") and word not in options]
