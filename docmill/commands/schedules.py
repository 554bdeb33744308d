"""docmill schedule add, list, remove, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Json, parse
from docmill.commands.output import print_json, say
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from scheduler.requests import JobRequest

app = Commands(help="Submit jobs at set times.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


@app.command()
def add(
    name: Name,
    cron: Annotated[
        str,
        typer.Option(
            metavar="CRON",
            help="Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly.",
        ),
    ],
    job: Annotated[
        list[str],
        typer.Option(
            metavar="JOB",
            help="The arguments of submit, or `train` and those of train. If repeated, the jobs run one by one.",
        ),
    ],
    tz: Annotated[str, typer.Option(metavar="ZONE", help="The time zone of --cron.")] = "UTC",
) -> None:
    """Add a schedule.

    Example: docmill schedule add nightly --cron "0 2 * * *" --tz Asia/Seoul --job "summarize --collection inbox --new"
    """
    from datetime import UTC, datetime

    from db import schedules
    from scheduler import cron as cron_times
    from scheduler.store import store

    requests = [parse_job(text) for text in job]
    cron_times.check(cron, tz)
    next_at = cron_times.next_after(cron, tz, datetime.now(UTC))
    with store().write() as session:
        _check(session, requests)
        schedules.add(session, name, cron, tz, [request.as_json() for request in requests], next_at)
    say(
        f"schedule {name}: next at {_local(next_at, tz)} ({tz}); a running `docmill scheduler` or `up` fires it"
    )


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List the schedules, when they fire next and when they fired last.

    Each job is shown as `--job` accepts it, with its model, parameters and priority.

    Example: docmill schedule list
    """
    from db import schedules
    from scheduler.store import store

    with store().read() as session:
        last = schedules.last_runs(session)
        rows = [_row(schedule, last.get(schedule.id)) for schedule in schedules.active(session)]
    if json:
        print_json([row | row.pop("exact") for row in rows])
    else:
        columns = ("name", "cron", "time_zone", "next", "last", "fault", "jobs")
        print_table(rows, columns, "no schedules yet: docmill schedule add --help")


@app.command()
def remove(name: Name) -> None:
    """Remove a schedule; the jobs it submitted stay.

    Example: docmill schedule remove nightly
    """
    from db import schedules
    from scheduler.store import store

    with store().write() as session:
        schedules.remove(session, name)
    say(f"schedule {name} is removed")


@app.command()
def run(name: Name, json: Json = False) -> None:
    """Submit a schedule's jobs now, as one run.

    A job without documents is not made.

    Example: docmill schedule run nightly
    """
    from scheduler import cron as cron_times
    from scheduler.store import store

    submitted = cron_times.run_now(store(), name)
    numbers = [job.job_id for job in submitted]
    if json:
        print_json({"schedule": name, "jobs": numbers})
    elif numbers:
        say(f"schedule {name}: submitted jobs {', '.join(map(str, numbers))}")
    else:
        say(f"schedule {name}: nothing to do, so no job was made")


def parse_job(text: str) -> JobRequest:
    """A job from the arguments of `submit` or `train` in one string; ValueError says what is wrong with it."""
    import shlex

    from docmill.commands import submitting
    from scheduler.requests import JobRequest

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"--job {text!r}: {error}") from None
    is_train = words[:1] == ["train"]
    words = words[1:] if is_train or words[:1] == ["submit"] else words
    shell = Commands()
    shell.command()(submitting.train if is_train else submitting.submit)
    try:
        given = typer.main.get_command(shell).make_context("--job", words).params
    except typer.Exit:
        raise ValueError(f"--job {text!r}: write the arguments of docmill submit") from None
    except Exception as error:
        # A usage error; its class is click's or Typer's own, by the version of Typer.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        raise ValueError(f"--job {text!r}: {message()}") from None
    if given["wait"] or given["json"] or given["key"] or given["after"]:
        raise ValueError(
            f"--job {text!r}: leave out --wait, --json, --key and --after: a schedule sets its own"
        )
    kind = f"train-{given['kind']}" if is_train else given["kind"]
    parameters = parse(given["parameter"], kind)
    first, *also = given["collection"] if is_train else [given["collection"]]
    return JobRequest(
        kind,
        first,
        given["model"],
        parameters,
        given["priority"],
        only_new=given.get("new", False),
        also=also,
        corrections=given.get("corrections", True),
    )


def as_words(request: dict[str, Any]) -> str:
    """A request as `--job` accepts it; `parse_job` reads it back."""
    import shlex

    kind = request["kind"]
    words = ["train", kind.removeprefix("train-")] if kind.startswith("train-") else [kind]
    for name in (request["collection"], *request.get("also", ())):
        words += ["--collection", name]
    words += ["--model", request["model"]] if request.get("model") else []
    for name, value in request.get("parameters", {}).items():
        words += ["-p", f"{name}={value}"]
    words += ["--priority", str(request["priority"])] if request.get("priority", 5) != 5 else []
    words += ["--new"] if request.get("only_new") else []
    words += [] if request.get("corrections", True) else ["--no-corrections"]
    return shlex.join(words)


def _check(session: Any, requests: list[JobRequest]) -> None:
    """Refuse now what would fail when the schedule fires."""
    from db import documents
    from workers import kinds

    for request in requests:
        kinds.parse_parameters(kinds.find(request.kind), request.parameters)
        for name in (request.collection, *request.also):
            documents.collection_id(session, name)


def _row(schedule: Any, last: Any) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "next": _local(schedule.next_at, schedule.time_zone),
        "last": _local(last.due_at, schedule.time_zone) if last else None,
        "fault": last.fault if last else None,
        "jobs": "\n".join(as_words(request) for request in schedule.requests),
        # The JSON output has these instead of the local times and the short words.
        "exact": {
            "next": schedule.next_at,
            "last": last.due_at if last else None,
            "jobs": schedule.requests,
        },
    }


def _local(moment: Any, time_zone: str) -> str:
    from zoneinfo import ZoneInfo

    return str(moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M"))
