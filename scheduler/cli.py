"""The docmill command. It loads what a command needs when that command runs: --help is instant."""

from __future__ import annotations

import os
import sys

import typer

from scheduler.commands import documents, jobs, models, processes, schedules, sql, store_commands

app = typer.Typer(
    name="docmill",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Submit documents tonight; query the answers in SQL tomorrow. `docmill demo` shows it.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    documents.add, documents.collections, jobs.kinds, jobs.train, jobs.submit, jobs.status, jobs.watch,
    jobs.results, jobs.cancel, jobs.pause, jobs.resume, jobs.retry, processes.up, processes.worker,
    processes.scheduler, processes.flower, processes.demo, store_commands.doctor, sql.sql,
):  # fmt: skip
    app.command()(command)
app.add_typer(schedules.app, name="schedule")
app.add_typer(models.app, name="models")
app.add_typer(store_commands.app, name="db")


def main() -> None:
    """Run the command; an error that docmill knows is one line on stderr and exit status 1."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # `docmill results | head` is no error; the interpreter must not complain at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if not _is_known(error):
            raise
        print(f"docmill: {_one_line(error)}", file=sys.stderr)
        sys.exit(1)


def _is_known(error: Exception) -> bool:
    """Errors whose message is for the user; any other one is a defect and keeps its traceback."""
    from sqlalchemy.exc import DBAPIError

    from db.errors import StoreError

    return isinstance(error, StoreError | ValueError | DBAPIError | OSError)


def _one_line(error: Exception) -> str:
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError):
        return f"the store: {str(error.orig).strip().splitlines()[0]}"
    return str(error)


if __name__ == "__main__":
    main()
