"""The docmill command. It loads what a command needs when that command runs: --help is instant."""

from __future__ import annotations

import os

from scheduler.commands import (
    alive,
    checking,
    devices,
    documents,
    evaluating,
    following,
    jobs,
    labels,
    models,
    processes,
    quarantine,
    schedules,
    similar,
    sql,
    store_commands,
    submitting,
)
from scheduler.commands.shell import Commands

app = Commands(
    name="docmill",
    help="Submit documents tonight; query the answers in SQL tomorrow. `docmill demo` shows it.",
)
for command in (
    documents.add, documents.collections, jobs.kinds, submitting.train, submitting.submit,
    evaluating.evaluate, jobs.status, following.watch, jobs.results, similar.similar, sql.sql, jobs.cancel,
    jobs.pause, jobs.resume, submitting.retry, checking.repro, checking.verify, store_commands.doctor,
    devices.devices, alive.alive,
    processes.up, processes.worker, processes.scheduler, processes.flower, processes.demo,
):  # fmt: skip
    app.command()(command)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(schedules.app, name="schedule")
app.add_typer(models.app, name="models")
app.add_typer(labels.app, name="label")
app.add_typer(store_commands.app, name="db")


def main() -> None:
    """Run the command; exit statuses are in scheduler.commands.shell."""
    # Texts, results and passwords are in the files that docmill makes: nobody else reads them.
    os.umask(0o077)
    app()


if __name__ == "__main__":
    main()
