"""docmill limits set, list, remove."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Json
from docmill.commands.output import duration, print_json, say
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from db.limits import Limit, Scope, State

app = Commands(help="How much of the workers a collection, a kind or a submitter may have.")

Collection = Annotated[
    str | None, typer.Option(metavar="NAME", help="Jobs over this collection; all if not given.")
]
Kind = Annotated[str | None, typer.Option(metavar="KIND", help="Jobs of this kind; all if not given.")]
Submitter = Annotated[
    str | None, typer.Option(metavar="NAME", help="Jobs that this name submitted; all if not given.")
]


@app.command(name="set")
def set_(
    collection: Collection = None,
    kind: Kind = None,
    submitter: Submitter = None,
    weight: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0.001,
            max=1000,
            help="Each of these jobs gets X times the workers of another job of its kind and priority.",
        ),
    ] = None,
    chunks_at_once: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N chunks of them run at once.")
    ] = None,
    documents_per_minute: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N documents a minute.")
    ] = None,
    device_time_per_night: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="At most so much time of devices, all together, from noon to noon: 90m, 12h.",
        ),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="The time zone of that noon, such as Asia/Seoul; else UTC."),
    ] = None,
) -> None:
    """Set the share or the limits of some jobs.

    All jobs that it holds for share one limit; several limits may hold for a job, and it keeps to each. What is not
    given stays as it is. A limit holds at once for every chunk that starts, and interrupts none. Without --collection,
    --kind and --submitter it holds for all jobs.

    Example: docmill limits set --kind summarize --chunks-at-once 2
    """
    from db import limits
    from scheduler.store import store

    given: dict[str, Any] = {
        "weight": weight,
        "chunks_at_once": chunks_at_once,
        "documents_per_minute": documents_per_minute,
        "device_seconds_per_night": _seconds(device_time_per_night),
        "time_zone": _zone(time_zone),
    }
    given = {name: value for name, value in given.items() if value is not None}
    if not set(given) - {"time_zone"}:
        raise ValueError(
            "say what to limit: --weight, --chunks-at-once, --documents-per-minute or --device-time-per-night"
        )
    scope = _scope(collection, kind, submitter)
    with store().write() as session:
        limit = replace(limits.of(session, scope) or limits.Limit(), **given)
        _check(session, scope)
        limits.put(session, scope, limit)
    say(f"{scope.words}: {_words(limit)}")


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List the limits, and how far each is used now.

    Example: docmill limits list
    """
    from db import limits
    from scheduler.store import store

    with store().read() as session:
        found = limits.states(session)
    if json:
        print_json([_facts(state) for state in found])
        return
    columns = ("collection", "kind", "submitter", "weight", "at once", "a minute", "a night", "now")
    print_table([_row(state) for state in found], columns, "no limits: docmill limits set --help")


@app.command()
def remove(collection: Collection = None, kind: Kind = None, submitter: Submitter = None) -> None:
    """Remove the limits that were set for some jobs.

    Name the same collection, kind and submitter as when they were set.

    Example: docmill limits remove --kind summarize
    """
    from db import limits
    from scheduler.store import store

    scope = _scope(collection, kind, submitter)
    with store().write() as session:
        limits.remove(session, scope)
    say(f"{scope.words}: no limits")


def _scope(collection: str | None, kind: str | None, submitter: str | None) -> Scope:
    from db.limits import Scope
    from scheduler import submitters
    from workers import kinds

    if kind is not None:
        kinds.find(kind)
    return Scope(collection or "", kind or "", submitters.checked(submitter) if submitter is not None else "")


def _check(session: Any, scope: Scope) -> None:
    """NotFoundError for a collection that is not there."""
    from db import documents

    if scope.collection:
        documents.collection_id(session, scope.collection)


def _seconds(text: str | None) -> int | None:
    from docmill.commands.schedule_options import duration as parsed

    return None if text is None else parsed(text, "--device-time-per-night")


def _zone(name: str | None) -> str | None:
    from scheduler.cron import check_time_zone

    if name is not None:
        check_time_zone(name)
    return name


def _words(limit: Limit) -> str:
    """ "at most 2 chunks at once; at most 600 documents a minute" """
    n = limit.chunks_at_once
    said = [f"weight {limit.weight:g}"] if limit.weight is not None else []
    said += [f"at most {n} {'chunk' if n == 1 else 'chunks'} at once"] if n is not None else []
    if limit.documents_per_minute is not None:
        said.append(f"at most {limit.documents_per_minute:,} documents a minute")
    if limit.device_seconds_per_night is not None:
        time = duration(limit.device_seconds_per_night)
        said.append(f"at most {time} of devices from noon to noon ({limit.time_zone})")
    return "; ".join(said)


def _row(state: State) -> dict[str, Any]:
    limit = state.limit
    night = limit.device_seconds_per_night
    used = f", {duration(state.seconds_used)} used tonight" if night is not None else ""
    return {
        "collection": state.scope.collection or None,
        "kind": state.scope.kind or None,
        "submitter": state.scope.submitter or None,
        "weight": None if limit.weight is None else f"{limit.weight:g}",
        "at once": None if limit.chunks_at_once is None else f"{limit.chunks_at_once} chunks",
        "a minute": None
        if limit.documents_per_minute is None
        else f"{limit.documents_per_minute:,} documents",
        "a night": None if night is None else f"{duration(night)} ({limit.time_zone})",
        "now": f"{state.n_held} {'chunk runs' if state.n_held == 1 else 'chunks run'}{used}",
    }


def _facts(state: State) -> dict[str, Any]:
    return {
        **asdict(state.scope),
        **asdict(state.limit),
        "n_held": state.n_held,
        "next_at": state.next_at,
        "seconds_used": round(state.seconds_used, 3),
        "holds_back": state.reason,
    }
