"""docmill schedule add, edit, list, show, history, run, enable, disable, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands import schedule_options as options
from docmill.commands import schedule_rows
from docmill.commands.options import Json, parse
from docmill.commands.output import print_json, say, shown
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from scheduler.requests import JobRequest

app = Commands(help="Submit jobs at set times.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


Cron = typer.Option(
    metavar="CRON",
    help="Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly.",
)
Job = typer.Option(
    metavar="JOB",
    help="The arguments of submit, or `train` and those of train. If repeated, the jobs run one by one.",
)
Zone = typer.Option(metavar="ZONE", help="The time zone of --cron and --deadline.")


@app.command()
def add(
    name: Name,
    cron: Annotated[str, Cron],
    job: Annotated[list[str], Job],
    tz: Annotated[str, Zone] = "UTC",
    catchup: options.Catchup = None,
    catchup_within: options.CatchupWithin = None,
    overlap: options.Overlap = None,
    deadline: options.Deadline = None,
    pause_on_failure: options.PauseOnFailure = None,
    max_errors: options.MaxErrors = None,
    notify: options.Notify = None,
    to: options.To = None,
) -> None:
    """Add a schedule of jobs. A nightly plan is scheduled by its file: docmill night schedule FILE.

    Example: docmill schedule add nightly --cron "0 2 * * *" --tz Asia/Seoul --job "summarize --collection inbox --new"
    """
    from db import notifications, schedules
    from db.sql import clock
    from scheduler import cron as cron_times
    from scheduler.store import store

    _check_name(name)
    requests = [parse_job(text) for text in job]
    cron_times.check(cron, tz)
    policies = options.policies(
        schedules.DEFAULT,
        catchup=catchup,
        catchup_within=catchup_within,
        overlap=overlap,
        deadline=deadline,
        pause_on_failure=pause_on_failure,
        max_errors=max_errors,
    )
    rules = options.rules(notify, to)
    with store().write() as session:
        _check(session, requests)
        next_at = cron_times.next_after(cron, tz, clock(session))
        as_json = [request.as_json() for request in requests]
        schedules.add(session, name, cron, tz, as_json, next_at, policies)
        notifications.configure(session, schedules.owner(name), rules)
    say(
        f"schedule {name}: next at {schedule_rows.local(next_at, tz)} ({tz}); a running `docmill scheduler` or `up` "
        "fires it"
    )


@app.command()
def edit(
    name: Name,
    cron: Annotated[str | None, Cron] = None,
    job: Annotated[list[str] | None, Job] = None,
    tz: Annotated[str | None, Zone] = None,
    catchup: options.Catchup = None,
    catchup_within: options.CatchupWithin = None,
    overlap: options.Overlap = None,
    deadline: options.Deadline = None,
    pause_on_failure: options.PauseOnFailure = None,
    max_errors: options.MaxErrors = None,
    notify: options.Notify = None,
    to: options.To = None,
) -> None:
    """Change a schedule; what is not given stays.

    The changes hold from its next time on: a run that has begun or waits is not changed. --job replaces all jobs, and
    --to all destinations; `--to none` tells nobody.

    Example: docmill schedule edit nightly --cron "30 1 * * *" --overlap queue --deadline 07:00
    """
    from db import notifications, schedules
    from db.sql import clock
    from scheduler import cron as cron_times
    from scheduler.store import store

    requests = [parse_job(text) for text in job or []]
    given = (
        cron,
        job,
        tz,
        catchup,
        catchup_within,
        overlap,
        deadline,
        pause_on_failure,
        max_errors,
        notify,
        to,
    )
    if not any(value is not None and value != [] for value in given):
        raise ValueError("nothing to change: give an option, such as --cron; `docmill schedule edit --help`")
    with store().write() as session:
        row = schedules.lock(session, schedules.by_name(session, name).id)
        policies = options.policies(
            schedules.policies_of(row),
            catchup=catchup,
            catchup_within=catchup_within,
            overlap=overlap,
            deadline=deadline,
            pause_on_failure=pause_on_failure,
            max_errors=max_errors,
        )
        owner = schedules.owner(name)
        rules = _edited_rules(notifications.rules_of(session, owner), notify, to)
        if requests:
            _check(session, requests)
            row.requests = [request.as_json() for request in requests]
        if cron is not None or tz is not None:
            row.cron, row.time_zone = cron or row.cron, tz or row.time_zone
            cron_times.check(row.cron, row.time_zone)
            row.next_at = cron_times.next_after(row.cron, row.time_zone, clock(session))
        schedules.set_policies(row, policies)
        notifications.configure(session, owner, rules)
        next_at, zone, paused = row.next_at, row.time_zone, row.paused_at is not None
    when = "it is paused" if paused else f"next at {schedule_rows.local(next_at, zone)} ({zone})"
    say(f"schedule {name} is changed: {when}")


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List the schedules.

    Each is listed with what it does, when it fires next, and what became of its last run. Each job is shown as
    `--job` accepts it, with its model, parameters and priority.

    Example: docmill schedule list
    """
    from db import schedules
    from scheduler.store import store

    with store().read() as session:
        last = schedules.last_runs(session)
        rows = [
            schedule_rows.row(schedule, last.get(schedule.id), as_words)
            for schedule in schedules.active(session)
        ]
    if json:
        print_json([row | row.pop("exact") for row in rows])
    else:
        columns = ("name", "cron", "time_zone", "next", "last", "state", "ended", "fault", "jobs")
        spare = ("ended", "time_zone", "cron")
        print_table(rows, columns, "no schedules yet: docmill schedule add --help", spare=spare)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one schedule whole.

    Its jobs, policies, destinations and last runs.

    Example: docmill schedule show nightly
    """
    from db import notifications, runs, schedules
    from scheduler.store import store

    with store().read() as session:
        row = schedules.by_name(session, name)
        rules = notifications.rules_of(session, schedules.owner(name))
        last = runs.history(session, row.id, 5)
        history = [schedule_rows.run(session, run, row.time_zone) for run in last]
        whole = schedule_rows.row(row, last[0] if last else None, as_words)
        lines = schedule_rows.in_full(row, whole, rules)
    if json:
        print_json(whole | whole.pop("exact") | schedule_rows.exact(row, rules) | {"runs": _exact(history)})
        return
    say(shown("\n".join(lines)))
    if history:
        say("")
        print_table(history, schedule_rows.RUN_COLUMNS, "", spare=schedule_rows.SPARE_RUN_COLUMNS)


@app.command()
def history(
    name: Name,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most N runs.")] = 20,
    json: Json = False,
) -> None:
    """List the runs of a schedule.

    The newest come first. Times that were skipped or missed are listed too, with the reason.

    Example: docmill schedule history nightly
    """
    from db import runs, schedules
    from scheduler.store import store

    with store().read() as session:
        row = schedules.by_name(session, name)
        rows = [
            schedule_rows.run(session, run, row.time_zone) for run in runs.history(session, row.id, limit)
        ]
    if json:
        print_json(_exact(rows))
    else:
        empty = f"schedule {name} has not fired yet"
        print_table(rows, schedule_rows.RUN_COLUMNS, empty, spare=schedule_rows.SPARE_RUN_COLUMNS)


@app.command()
def enable(name: Name) -> None:
    """Let a paused schedule fire again.

    It fires from its next time on. Times that passed meanwhile are not caught up: `docmill schedule run` does it now.

    Example: docmill schedule enable nightly
    """
    from db import schedules
    from db.sql import clock
    from scheduler import cron as cron_times
    from scheduler.store import store

    with store().write() as session:
        row = schedules.by_name(session, name)
        next_at = cron_times.next_after(row.cron, row.time_zone, clock(session))
        was_paused = schedules.resume(session, name, next_at)
        shown_at, zone = row.next_at, row.time_zone
    already = "" if was_paused else "was not paused; "
    say(f"schedule {name}: {already}next at {schedule_rows.local(shown_at, zone)} ({zone})")


@app.command()
def disable(name: Name) -> None:
    """Pause a schedule.

    It does not fire until it is enabled. Its jobs go on; runs that wait for their turn are skipped.

    Example: docmill schedule disable nightly
    """
    from db import schedules
    from scheduler.store import store

    with store().write() as session:
        schedules.pause(session, name, "disabled by hand")
    say(f"schedule {name} is paused: docmill schedule enable {name}")


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
    from scheduler import firing
    from scheduler.store import store

    submitted = firing.run_now(store(), name)
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
        where=given["where"],
        also=also,
        corrections=given.get("corrections", True),
    )


def as_words(request: dict[str, Any]) -> str:
    """A request as `--job` accepts it; `parse_job` reads it back."""
    import shlex

    if request.get("do") == "night":
        return shlex.join(["night", request["path"]])
    if "do" in request:
        return shlex.join(str(value) for value in request.values())
    kind = request["kind"]
    words = ["train", kind.removeprefix("train-")] if kind.startswith("train-") else [kind]
    for name in (request["collection"], *request.get("also", ())):
        words += ["--collection", name]
    words += ["--model", request["model"]] if request.get("model") else []
    for name, value in request.get("parameters", {}).items():
        words += ["-p", f"{name}={value}"]
    words += ["--priority", str(request["priority"])] if request.get("priority", 5) != 5 else []
    words += ["--new"] if request.get("only_new") else []
    words += ["--where", request["where"]] if request.get("where") else []
    words += [] if request.get("corrections", True) else ["--no-corrections"]
    return shlex.join(words)


def _check(session: Any, requests: list[JobRequest]) -> None:
    """Refuse now what would fail when the schedule fires."""
    from db import documents, where
    from workers import kinds

    for request in requests:
        if request.where is not None:
            where.parse(request.where)
        kinds.parameters_of(kinds.find(request.kind), request.parameters, request.model)
        for name in (request.collection, *request.also):
            documents.collection_id(session, name)


def _check_name(name: str) -> None:
    """Refuse a name that no line of a table and no mail header can hold."""
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError(f"{name!r} is no name for a schedule: use letters, digits, - and _")


def _edited_rules(before: list[Any], notify: str | None, to: list[str] | None) -> list[Any]:
    """The rules after an edit: --notify alone changes the events of the destinations that are there."""
    if to:
        return options.rules(notify, to)
    return options.rules(notify, [rule.destination for rule in before]) if notify is not None else before


def _exact(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs with whole times, for programs."""
    return [row | row.pop("exact") for row in rows]
