"""What all commands share in a shell: exit statuses, errors in one line, the form of the help."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from docmill.commands import about
from nlp_tasks.errors import ModelFileError

F = TypeVar("F", bound=Callable[..., Any])

#: The command failed; something named does not exist; a check found a problem.
FAILED = 1
#: The command line (or a DOCMILL_* variable) cannot be understood.
USAGE = 2
#: The work was done, and some of the documents or records are bad.
SOME_BAD = 3
#: The job was cancelled.
CANCELLED = 4
#: Ctrl-C.
INTERRUPTED = 130
#: The reader of the output has closed it (`docmill results 1 | head`).
READER_LEFT = 141


class Command(TyperCommand):
    """A command whose errors are one line on stderr. An error that docmill does not know is a defect and keeps its
    traceback."""

    def invoke(self, ctx: Any) -> Any:
        with errors_in_one_line(ctx):
            return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without Typer's "Value error, " before what is wrong with a value."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """JOB and [RUN], where newer versions of Typer write {JOB} and [[RUN]]."""
        pieces = (piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx))
        return [_TWICE.sub(r"[\1]", piece) for piece in pieces]


#: An optional argument whose own name has brackets: [[RUN]], [[KEY...]].
_TWICE = re.compile(r"\[\[(\w+)(?:\.\.\.)?\]\]")


def section_of(command: Any) -> str:
    """The section of the help that a command stands in. Typer calls it a panel, and ignores it without rich."""
    panel = command.rich_help_panel
    return panel if isinstance(panel, str) else "Commands"


class CommandGroup(TyperGroup):
    """A command that has commands: its help lists them in sections, each with its whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            sections.setdefault(section_of(command), []).append((name, command.get_short_help_str(1_000)))
        width = max((len(name) for rows in sections.values() for name, _ in rows), default=0)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), sentence) for name, sentence in rows])


class CommandWithOthers(CommandGroup):
    """A command that has commands of its own: `docmill collections`, `docmill collections remove`."""

    def invoke(self, ctx: Any) -> Any:
        if ctx.args or ctx._protected_args:
            return super().invoke(ctx)
        with errors_in_one_line(ctx):
            return super().invoke(ctx)


@contextmanager
def errors_in_one_line(ctx: Any) -> Iterator[None]:
    """What a command raises inside becomes a line on stderr and an exit status."""
    warn_of_unknown_settings()
    try:
        if ctx.find_root().params.get("verbose"):
            about.say_where()
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.flush()
        print("docmill: interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The interpreter must not complain when it exits either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(READER_LEFT) from None
    except Exception as error:
        found = known(error)
        if found is None:
            raise
        status, words = found
        sys.stdout.flush()
        print(f"docmill: {words}", file=sys.stderr)
        raise typer.Exit(status) from None


class Commands(typer.Typer):
    """A group of such commands."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("cls", CommandGroup)
        super().__init__(
            no_args_is_help=not options.get("invoke_without_command", False),
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            **options,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        return super().command(name, cls=Command, **options)


def warn_of_unknown_settings() -> None:
    """A DOCMILL_* variable that is no setting is most likely misspelled."""
    if not any(name.upper().startswith("DOCMILL_") for name in os.environ):
        return
    from workers.settings import unknown_names

    for name, close in unknown_names(os.environ).items():
        hint = f"did you mean {close}?" if close else "the settings are in docs/commands.md"
        print(f"docmill: {name} is not a setting, so it is ignored: {hint}", file=sys.stderr)


def known(error: Exception) -> tuple[int, str] | None:
    """(exit status, message) of an error whose message is for the user; None for a defect."""
    if type(error) is ValueError:
        # Not its subclasses: the user did not cause a UnicodeDecodeError, for example.
        return USAGE, _with_its_place(str(error))
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        # Python keeps bytes of an argument that the locale's encoding cannot decode as surrogates.
        return USAGE, "the arguments are not text in this locale's encoding: set LC_ALL=C.UTF-8"
    if isinstance(error, OSError):
        return FAILED, _os_words(error)
    if "pydantic" in sys.modules and (words := _settings_words(error)):
        return USAGE, words
    if isinstance(error, ModelFileError):
        return FAILED, _line(str(error))
    return _store_words(error) if "sqlalchemy" in sys.modules else None


def _settings_words(error: Exception) -> str | None:
    """A bad DOCMILL_* variable; its value is not repeated, since it may hold a password."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or not error.title.endswith("Settings"):
        return None
    first = error.errors(include_input=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    return f"DOCMILL_{name}: {first['msg'].removeprefix('Value error, ')}"


def _store_words(error: Exception) -> tuple[int, str] | None:
    from sqlalchemy.exc import OperationalError

    from db.database_errors import is_damage, is_infrastructure_error, words
    from db.errors import StoreError

    if isinstance(error, StoreError):
        return FAILED, _line(str(error))
    if is_damage(error) or isinstance(error, OperationalError) or is_infrastructure_error(error):
        from db.store import Store
        from workers.settings import settings

        fix = "`docmill doctor` checks everything"
        if is_damage(error):
            fix = "`docmill restore BACKUP --replace` puts a backup in its place"
        return FAILED, f"{Store(settings().url).name}: {words(error)}; {fix}"
    return None


def _os_words(error: OSError) -> str:
    if error.strerror is None:
        return _line(str(error))
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def _with_its_place(text: str) -> str:
    """In one line, except for a line that is quoted with a mark under the place of a mistake (db.where.syntax)."""
    said, *quoted = text.rsplit("\n", 2)
    if len(quoted) == 2 and quoted[1].strip() == "^":
        return "\n".join((_line(said), *quoted))
    return _line(text)


def _line(text: str) -> str:
    """In one line: drivers write paragraphs."""
    return "; ".join(part for part in (line.strip() for line in text.splitlines()) if part)
