"""The docmill command. What a command needs is imported when it runs, so that --help is fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from docmill.commands import (
    about,
    alive,
    backing_up,
    batches,
    checking,
    collections,
    copying_pages,
    devices,
    digest,
    documents,
    evaluating,
    exporting,
    following,
    jobs,
    keys,
    kinds,
    labelling,
    limits,
    managing,
    metrics,
    models,
    nights,
    notifications,
    output,
    processes,
    quarantine,
    retention,
    schedules,
    searching,
    serving,
    similar,
    sql,
    store,
    submitting,
    watching_folders,
    words,
    workers,
)
from docmill.commands.shell import CommandGroup, Commands, section_of


class InSections(CommandGroup):
    """The sections in their order, where Typer puts commands that have commands last."""

    def list_commands(self, ctx: Any) -> list[str]:
        order = list(SECTIONS)
        return sorted(
            super().list_commands(ctx), key=lambda name: order.index(section_of(self.commands[name]))
        )


app = Commands(
    name="docmill",
    cls=InSections,
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


#: The sections of `docmill --help`, in order: what stands in each.
SECTIONS: dict[str, tuple[Callable[..., None] | tuple[str, Commands], ...]] = {
    "Documents": (
        documents.add, watching_folders.watch_folder,
        ("documents", managing.app), ("collections", collections.app),
    ),
    "Jobs": (
        kinds.kinds, submitting.submit, jobs.status, following.watch, jobs.cancel, jobs.pause, jobs.resume,
        submitting.retry, ("limits", limits.app),
    ),
    "Results": (
        searching.search, similar.similar, ("words", words.app), jobs.results, sql.sql, exporting.export, digest.digest,
        copying_pages.pages, evaluating.evaluate,
    ),
    "Models and labels": (submitting.train, ("models", models.app), ("label", labelling.app)),
    "Every night": (
        ("night", nights.app), ("schedule", schedules.app), ("notifications", notifications.app),
        ("retention", retention.app),
    ),
    "When something is wrong": (
        store.doctor, checking.repro, checking.verify, devices.devices, alive.alive, ("quarantine", quarantine.app),
    ),
    "Running docmill": (
        processes.up, processes.worker, processes.scheduler, serving.serve, processes.flower, metrics.metrics,
        processes.demo, ("keys", keys.app), ("batches", batches.app), ("workers", workers.app), ("db", store.app),
        searching.index,
        backing_up.backup, backing_up.restore,
    ),
}  # fmt: skip

for title, commands in SECTIONS.items():
    for command in commands:
        if isinstance(command, tuple):
            app.add_typer(command[1], name=command[0], rich_help_panel=title)
        else:
            app.command(rich_help_panel=title)(command)


def main() -> None:
    """Run the command; exit statuses are in docmill.commands.shell."""
    output.survive_any_encoding()
    output.keep_private()
    app()


if __name__ == "__main__":
    main()
