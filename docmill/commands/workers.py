"""docmill workers, docmill workers show, drain, undrain."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Json
from docmill.commands.output import print_json, say, shown, warn
from docmill.commands.shell import FAILED, Commands, CommandWithOthers
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from db.drains import Target
    from db.registry import Listed

app = Commands(invoke_without_command=True, cls=CommandWithOthers)

What = Annotated[
    str, typer.Argument(metavar="HOST|NAME|INSTANCE", help="A host, or a worker by its name or instance.")
]
#: How often `--wait` looks.
LOOK_SECONDS = 1.0
_SHOWN = (
    "name", "state", "device", "kinds", "n_chunks", "n_documents", "docmill", "last_seen_at", "host", "pid", "instance"
)  # fmt: skip
_SPARE = ("kinds", "instance", "pid", "host", "docmill", "last_seen_at", "n_documents")


@app.callback()
def workers(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Only those of this host.")] = None,
    json: Json = False,
) -> None:
    """List the workers and schedulers of all hosts.

    A worker is starting, idle, busy, draining, drained, outdated (a newer docmill has upgraded the store) or gone (not
    seen for 90 seconds). What it holds is read from the leases. The view `v_workers` shows the same in SQL.

    Example: docmill workers --host gpu1
    """
    if ctx.invoked_subcommand is not None:
        return
    from db import registry
    from docmill.doctor.findings import start_with
    from scheduler.store import store
    from workers.settings import settings

    with store().read() as session:
        found = registry.listing(session, host)
    if json:
        print_json([asdict(one) for one in found])
        return
    where = "" if host is None else f" on {host}"
    print_table(
        [asdict(one) | {"docmill": one.docmill_version} for one in found],
        _SHOWN,
        f"no worker and no scheduler is registered{where}: start `{start_with(settings(), 'worker')}`",
        spare=_SPARE,
    )


@app.command()
def show(
    worker: Annotated[
        str, typer.Argument(metavar="NAME|INSTANCE", help="A worker or scheduler, by its name or instance.")
    ],
    json: Json = False,
) -> None:
    """Show one worker: its versions, its state, and the chunks that it holds.

    Example: docmill workers show cuda-0@gpu1
    """
    from db import registry
    from scheduler.store import store

    with store().read() as session:
        found = registry.named(session, worker)
        held = [asdict(one) for one in registry.held(session, found.instance)]
    if json:
        print_json(asdict(found) | {"holds": held})
        return
    for name, value in asdict(found).items():
        if value is not None:
            say(f"{name:<16} {shown(value)}")
    if held:
        say("")
        print_table(held, tuple(held[0]), "")


@app.command()
def drain(
    what: What,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return once they are drained; Ctrl-C stops only the waiting.")
    ] = False,
    exit_: Annotated[
        bool, typer.Option("--exit", help="Let them end once they are drained; else they stay up, idle.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Wait at most so long; the exit status is 1 then."),
    ] = None,
) -> None:
    """Let workers end their batch, give back what they hold, and claim nothing more.

    This holds from now on, also while Redis is away, and also for workers that start later on the host or under the
    name, until `docmill workers undrain`. A worker notices it at its next claim, or within 10 seconds; then it has
    DOCMILL_GRACE_SECONDS for its batch. Other workers go on with what it gave back.

    Example: docmill workers drain gpu1 --wait
    """
    from db import drains, registry
    from scheduler.store import store

    with store().write() as session:
        target = registry.target(session, what)
        drains.drain(session, target, exits=exit_, by=_me())
    there = _workers_of(target)
    say(f"{target} is drained: {_words(there) or 'no worker of it runs now'}")
    if wait or timeout is not None:
        _wait(target, timeout)


@app.command()
def undrain(what: What) -> None:
    """Let workers claim again.

    A drain is ended under the name under which it was begun: `docmill workers` lists what is drained, and since when.

    Example: docmill workers undrain gpu1
    """
    from db import drains, registry
    from scheduler.store import store

    with store().write() as session:
        registry.target(session, what)
        ended = drains.undrain_all(session, what)
        others = [str(drains.target_of(drain)) for drain in drains.listing(session)]
    if not ended:
        also = f"; drained are {', '.join(others)}" if others else ""
        warn(f"docmill: {what} was not drained{also}")
        raise typer.Exit(FAILED)
    say(f"{ended[0]} is not drained any more: its workers start again within 10 s")


def _wait(target: Target, timeout: float | None) -> None:
    """Wait until every worker that was to drain has ended its work."""
    until = float("inf") if timeout is None else time.monotonic() + timeout
    before = ""
    while left := [
        one for one in _workers_of(target) if one.state not in ("drained", "gone") or one.n_chunks
    ]:
        if (words := _words(left)) != before:
            warn(f"waiting for {words}")
        before = words
        if time.monotonic() >= until:
            warn(f"docmill: not drained after {timeout:g} s: {words}")
            raise typer.Exit(FAILED)
        time.sleep(min(LOOK_SECONDS, max(0.0, until - time.monotonic())))
    say(f"drained: {_words(_workers_of(target)) or 'no worker is left'}")


def _workers_of(target: Target) -> Sequence[Listed]:
    from db import registry
    from scheduler.store import store

    with store().read() as session:
        found = [one for one in registry.listing(session) if one.role == "worker"]
    return [one for one in found if target.is_of(one.host, one.name, one.instance)]


def _words(workers: Sequence[Any]) -> str:
    return ", ".join(f"{one.name} ({one.state})" for one in workers)


def _me() -> str:
    """Who asks, for people. A container's user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"
