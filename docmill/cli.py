"""The docmill command. What a command needs is imported when it runs, so that --help is fast."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands import (
    about,
    alive,
    checking,
    collections,
    devices,
    digest,
    documents,
    evaluating,
    exporting,
    following,
    jobs,
    kinds,
    labelling,
    managing,
    models,
    nights,
    notifications,
    output,
    processes,
    quarantine,
    retention,
    schedules,
    similar,
    sql,
    store,
    submitting,
    watching_folders,
)
from docmill.commands.shell import Commands

app = Commands(
    name="docmill",
    help="Submit documents tonight; query the answers in SQL tomorrow. `docmill demo` shows it.",
)


@app.callback()
def docmill(
    version: Annotated[
        bool,
        typer.Option("--version", callback=about.version, is_eager=True, help="Print docmill's version."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print on stderr which store and which Redis the command uses."),
    ] = False,
) -> None:
    # No docstring: the help of docmill itself is above.
    pass


for command in (
    documents.add, watching_folders.watch_folder, kinds.kinds, submitting.train, submitting.submit,
    evaluating.evaluate, jobs.status, following.watch, jobs.results, similar.similar, sql.sql,
    exporting.export, digest.digest, jobs.cancel,
    jobs.pause, jobs.resume, submitting.retry, checking.repro, checking.verify, store.doctor,
    devices.devices, alive.alive,
    processes.up, processes.worker, processes.scheduler, processes.flower, processes.demo,
):  # fmt: skip
    app.command()(command)
app.add_typer(managing.app, name="documents")
app.add_typer(collections.app, name="collections")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(nights.app, name="night")
app.add_typer(schedules.app, name="schedule")
app.add_typer(notifications.app, name="notifications")
app.add_typer(models.app, name="models")
app.add_typer(labelling.app, name="label")
app.add_typer(retention.app, name="retention")
app.add_typer(store.app, name="db")


def main() -> None:
    """Run the command; exit statuses are in docmill.commands.shell."""
    output.survive_any_encoding()
    output.keep_private()
    app()


if __name__ == "__main__":
    main()
