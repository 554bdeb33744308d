"""docmill schedule add, list, remove, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from scheduler.requests import JobRequest

app = typer.Typer(no_args_is_help=True, help="Submit jobs at set times.")

Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.command()
def add(
    name: Name,
    cron: Annotated[str, typer.Option(help="Minute, hour, day of month, month, day of week.")],
    job: Annotated[
        list[str],
        typer.Option(
            metavar='"KIND --collection NAME ..."',
            help="What `submit` or `train KIND` takes. Given again: the jobs run one after the other.",
        ),
    ],
    tz: Annotated[str, typer.Option(help="The time zone of --cron.")] = "UTC",
) -> None:
    """Add a schedule.

    Example: docmill schedule add nightly --cron "0 2 * * *" --tz Asia/Seoul --job "summarize --collection inbox --new"
    """
    from datetime import UTC, datetime

    from db import schedules
    from scheduler import nightly
    from scheduler.client import store

    requests = [parse_job(text) for text in job]
    next_at = nightly.next_after(cron, tz, datetime.now(UTC))
    with store().write() as session:
        _check(session, requests)
        schedules.add(session, name, cron, tz, [request.as_json() for request in requests], next_at)
    say(
        f"schedule {name}: next at {_local(next_at, tz)} ({tz}); a running `docmill scheduler` or `up` fires it"
    )


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the schedules, when they fire next and how they fired last.

    Example: docmill schedule list
    """
    from db import schedules
    from scheduler.client import store

    with store().read() as session:
        last = schedules.last_runs(session)
        rows = [_row(schedule, last.get(schedule.id)) for schedule in schedules.active(session)]
    if json:
        print_json(rows)
    else:
        columns = ("name", "cron", "time_zone", "next", "last", "fault", "jobs")
        print_table(rows, columns, "no schedules yet: docmill schedule add --help")


@app.command()
def remove(name: Name) -> None:
    """Remove a schedule; the jobs it submitted stay.

    Example: docmill schedule remove nightly
    """
    from db import schedules
    from scheduler.client import store

    with store().write() as session:
        schedules.remove(session, name)
    say(f"schedule {name} is removed")


@app.command()
def run(name: Name) -> None:
    """Submit a schedule's jobs now, as one run.

    Example: docmill schedule run nightly
    """
    from scheduler import nightly
    from scheduler.client import store

    submitted = nightly.run_now(store(), name)
    say(f"schedule {name}: submitted jobs {', '.join(str(job.job_id) for job in submitted)}")


def parse_job(text: str) -> JobRequest:
    """A job as `submit` or `train` takes it, from one string; ValueError shows what is wrong with it."""
    import shlex

    import click

    from scheduler.commands import jobs
    from scheduler.requests import JobRequest

    words = shlex.split(text)
    is_train = words[:1] == ["train"]
    words = words[1:] if is_train or words[:1] == ["submit"] else words
    shell = typer.Typer(add_completion=False)
    shell.command()(jobs.train if is_train else jobs.submit)
    command = typer.main.get_command(shell)
    try:
        given = command.make_context("--job", words).params
    except click.exceptions.UsageError as error:
        raise ValueError(f"--job {text!r}: {error.format_message()}") from None
    except click.exceptions.Exit:
        raise ValueError(f"--job {text!r}: write what you would give to docmill submit") from None
    if given["wait"] or given["json"] or given["key"] or given["after"]:
        raise ValueError(
            f"--job {text!r}: leave out --wait, --json, --key and --after: a schedule sets its own"
        )
    kind = f"train-{given['kind']}" if is_train else given["kind"]
    parameters = jobs.parse(given["parameter"])
    return JobRequest(
        kind,
        given["collection"],
        given["model"],
        parameters,
        given["priority"],
        only_new=given.get("new", False),
    )


def _check(session: Any, requests: list[JobRequest]) -> None:
    """Refuse now what would fail at night."""
    from db import documents
    from workers import kinds

    for request in requests:
        kinds.parse_parameters(kinds.find(request.kind), request.parameters)
        documents.collection_id(session, request.collection)


def _row(schedule: Any, last: Any) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "next": _local(schedule.next_at, schedule.time_zone),
        "last": _local(last.due_at, schedule.time_zone) if last else None,
        "fault": last.fault if last else None,
        "jobs": ", ".join(f"{request['kind']} {request['collection']}" for request in schedule.requests),
    }


def _local(moment: Any, time_zone: str) -> str:
    from zoneinfo import ZoneInfo

    return str(moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M"))
