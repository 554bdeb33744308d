"""docmill night: check, plan, run and show nightly plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands import night_rows
from docmill.commands.options import Json
from docmill.commands.output import duration, print_json, say, warn
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.nights.reading import NightFile

app = Commands(help="Nightly plans: only what changed, explained before it runs.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The night's TOML file.")]
NightId = Annotated[int, typer.Argument(metavar="NIGHT", help="The night's number, as run printed it.")]


@app.command()
def check(file: File, json: Json = False) -> None:
    """Check a night's file; print its steps and what each waits for.

    It says, too, if a schedule of this name has another copy of the file. The exit status is 2 if the file cannot be
    used; each problem is printed with its line.

    Example: docmill night check filings.toml
    """
    from scheduler.nights import reading
    from scheduler.nights.reading import NightFileError

    try:
        found = reading.read(file)
    except NightFileError as error:
        for problem in error.problems:
            warn(f"{file}, line {problem.line}: {problem.words}")
        raise typer.Exit(2) from None
    about = list(_about_schedule(found, file))
    names = {step.number: step.name for step in found.steps}
    if json:
        steps = [
            {
                "step": step.number,
                "name": step.name,
                "waits_for": [names[number] for number in step.waits_for],
            }
            for step in found.steps
        ]
        night = {"name": found.definition.name, "collection": found.definition.collection}
        print_json(night | {"steps": steps, "notes": about})
        return
    say(
        f"{found.definition.name}: {len(found.steps)} steps over the collection {found.definition.collection}"
    )
    rows = [
        {
            "step": step.number,
            "name": step.name,
            "waits_for": ", ".join(names[number] for number in step.waits_for),
        }
        for step in found.steps
    ]
    print_table(rows, ("step", "name", "waits_for"), "no steps")
    for line in about:
        say(line)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a night's file, for editors.

    Example: docmill night schema > night.schema.json
    """
    from scheduler.nights import reading

    print_json(reading.schema())


@app.command()
def plan(
    file: File,
    documents: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="List the documents of this step, each with its reason."),
    ] = None,
    json: Json = False,
) -> None:
    """Find out what a night would do: for each step how many documents, why, and how long it takes.

    The sources are read, and nothing is stored but the plan. `docmill night run FILE --plan N` then does exactly this,
    or says what has changed since.

    Example: docmill night plan filings.toml
    """
    from scheduler.nights import applying

    night = _read(file)
    store = _made_store()
    made = applying.plan(store, night)
    if documents is not None:
        night_rows.print_documents(store, made, documents, json=json)
    elif json:
        print_json(night_rows.plan_facts(made))
    else:
        night_rows.print_plan(made, file)


@app.command()
def run(
    file: File,
    plan: Annotated[int | None, typer.Option(metavar="N", help="Do exactly what this plan says.")] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="With --plan: if the plan is stale, plan again and run that.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Show progress until the night has ended; Ctrl-C stops only the watching."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run a night: with a plan that was made before, or with one that is made now.

    If the plan is stale, nothing runs, and the exit status is 1: the message says what has changed. A night of this
    name that has not ended goes on: nothing is done twice. A running `docmill scheduler` or `up` does the work.

    With --wait the exit status is 0 if every step succeeded, 3 if one failed or was carried over, 4 if the night was
    cancelled.

    Example: docmill night run filings.toml --plan 87 --wait
    """
    from db.errors import ConflictError
    from db.nights import running
    from scheduler.nights import applying

    night = _read(file)
    store = _made_store()
    with store.read() as session:
        night_id = running.open_of(session, night.definition.name)
    if night_id is not None:
        warn(f"night {night_id} of {night.definition.name} has not ended: it goes on")
    elif plan is None:
        night_id, made = applying.run_latest(store, night)
        if not json:
            night_rows.print_plan(made, file)
    else:
        try:
            night_id = applying.run_plan(store, plan, night)
        except ConflictError as error:
            if not latest:
                raise
            warn(str(error))
            night_id, made = applying.run_latest(store, night)
    if not json:
        say(f"night {night_id} runs: `docmill night show {night_id}` shows it")
    if wait:
        raise typer.Exit(night_rows.follow(store, night_id, json=json))
    if json:
        print_json({"night": night_id})


@app.command()
def show(
    night: Annotated[
        str,
        typer.Argument(
            metavar="NIGHT", help="The night's number, or the name of a file's night for its last one."
        ),
    ],
    json: Json = False,
) -> None:
    """Show a night: each step with its state, its documents and what was planned.

    Example: docmill night show 12
    """
    from db.nights import running
    from scheduler.store import store

    with store().read() as session:
        if night.isdigit():
            night_id = int(night)
        else:
            found = running.newest(session, 1, night)
            if not found:
                raise ValueError(f"there is no night of {night!r}: `docmill night list` shows them")
            night_id = found[0].id
    facts = night_rows.night_facts(store(), night_id)
    if json:
        print_json(facts)
    else:
        night_rows.print_night(facts)


@app.command(name="list")
def list_(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only nights of this name.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The last N nights.")] = 20,
    json: Json = False,
) -> None:
    """List the last nights, the newest first.

    Example: docmill night list
    """
    from db.nights import running
    from scheduler.store import store

    with store().read() as session:
        rows = [night_rows.night_row(night) for night in running.newest(session, limit, name)]
    if json:
        print_json(rows)
    else:
        columns = ("night", "name", "state", "plan", "began", "took", "note")
        shown = [
            row | {"took": duration(row["seconds"]) if row["seconds"] is not None else None} for row in rows
        ]
        print_table(shown, columns, "no nights yet: docmill night run --help")


@app.command()
def diff(file: File, json: Json = False) -> None:
    """Show what a file means that the copy which the schedule runs does not, or else the last night's.

    What means the same (a comment, another order of keys) is no difference. The exit status is 0 in any case.

    Example: docmill night diff filings.toml
    """
    from scheduler.nights import comparing

    night = _read(file)
    other, where = _other_copy(night)
    lines = [] if other is None else comparing.differences(other, night)
    if json:
        print_json(
            {
                "name": night.definition.name,
                "beside": where if other is not None else None,
                "differences": lines,
            }
        )
    elif other is None:
        say(f"there is nothing to compare with: no schedule and no night of {night.definition.name}")
    else:
        say(f"{file} means the same as {where}" if not lines else f"{file}, beside {where}:")
        for line in lines:
            say(f"  {line}")


@app.command()
def cancel(night: NightId) -> None:
    """End a night: its jobs are cancelled, and its other steps do not start.

    Example: docmill night cancel 12
    """
    from scheduler.nights import advancing
    from scheduler.store import store

    with store().write() as session:
        advancing.cancel(session, night)
    say(f"night {night} is cancelled; what it has done stays")


@app.command()
def schedule(file: File) -> None:
    """Schedule a night by the [schedule] of its file, under its name.

    The schedule keeps a copy of the file: what runs is what was checked. Call it again after changing the file.

    Example: docmill night schedule filings.toml
    """
    from scheduler.nights import scheduled

    night = _read(file)
    store = _made_store()
    with store.write() as session:
        next_at = scheduled.put(session, night, file)
    told = night.definition.schedule
    assert told is not None
    say(
        f"schedule {night.definition.name}: next at {_local(next_at, told.time_zone)} ({told.time_zone}); "
        "a running `docmill scheduler` or `up` fires it"
    )


def _read(file: Path) -> NightFile:
    """A night's file; ValueError says what is wrong in one line."""
    from scheduler.nights import reading
    from scheduler.nights.reading import NightFileError

    try:
        return reading.read(file)
    except NightFileError as error:
        raise ValueError(str(error)) from None


# --- copies -------------------------------------------------------------------------------------------------------


def _about_schedule(night: NightFile, file: Path) -> list[str]:
    """Whether what the schedule runs is this file."""
    from db.errors import StoreError
    from scheduler.nights import scheduled
    from scheduler.store import store

    try:
        with store().read() as session:
            copy = scheduled.copy_of(session, night.definition.name)
    except StoreError:
        return []
    if copy is None:
        return [f"it is not scheduled: docmill night schedule {file}"] if night.definition.schedule else []
    if copy.text == night.text:
        return [f"the schedule {night.definition.name} has this file"]
    if copy.digest == night.digest:
        return [f"the schedule {night.definition.name} has an older copy of this file, which means the same"]
    return [
        f"the schedule {night.definition.name} has another copy of this file: `docmill night diff {file}` shows what "
        f"differs, `docmill night schedule {file}` takes this one"
    ]


def _other_copy(night: NightFile) -> tuple[NightFile | None, str]:
    from db.nights import running
    from scheduler.nights import reading, scheduled

    store, name = _made_store(), night.definition.name
    with store.read() as session:
        copy = scheduled.copy_of(session, name)
        if copy is not None:
            return copy, f"the copy of the schedule {name}"
        last = running.newest(session, 1, name)
        if not last:
            return None, ""
        return reading.parse(last[0].file, Path(last[0].folder)), f"the file of night {last[0].id}"


def _made_store() -> Store:
    from scheduler.store import make_store

    return make_store()


def _local(moment: Any, time_zone: str) -> str:
    from zoneinfo import ZoneInfo

    return str(moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M"))
