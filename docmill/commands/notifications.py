"""docmill notifications list, test, retry."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from docmill.commands.options import Json
from docmill.commands.output import one_line, print_json, say
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

app = Commands(help="The notifications, and what could not be delivered.")

COLUMNS = ("number", "event", "about", "to", "state", "attempts", "written", "sent", "title", "fault")
#: A scheduler looks at the outbox every second.
TEST_SECONDS = 40.0


@app.command(name="list")
def list_(
    unsent: Annotated[bool, typer.Option("--unsent", help="Only those that were not delivered.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most N, the newest first.")] = 50,
    json: Json = False,
) -> None:
    """List the notifications.

    Each is pending, sent or dead. A notification that its destination did not accept for a day is dead: `docmill
    notifications retry` sends it again.

    Example: docmill notifications list --unsent
    """
    from db import notifications
    from scheduler.store import store

    with store().read() as session:
        rows = [_row(found) for found in notifications.listing(session, unsent=unsent, limit=limit)]
    if json:
        print_json([row | row.pop("exact") for row in rows])
    else:
        print_table(rows, COLUMNS, "no notifications", spare=("written", "attempts", "sent"))


@app.command(name="test")
def send_test(
    schedule: Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's name.")],
    here: Annotated[
        bool, typer.Option("--here", help="Send from this process, with the environment of this command.")
    ] = False,
    json: Json = False,
) -> None:
    """Send a test message.

    It goes to each destination of a schedule, and the command says what became of it. A running scheduler sends
    it, as it sends the others: with its environment. Exit status 1 if one was not accepted.

    Example: docmill notifications test nightly
    """
    from db import notifications, schedules
    from docmill.commands import notification_test
    from scheduler.store import store

    opened = store()
    with opened.read() as session:
        owner = schedule
        if owner not in notifications.owners(session):
            owner = schedules.owner(schedules.by_name(session, schedule).name)
        rules = notifications.rules_of(session, owner)
    if not rules:
        raise ValueError(f"{owner} tells nobody: docmill schedule edit {schedule} --to webhook:env:HOOK_URL")
    found = notification_test.run(
        opened, owner, [rule.destination for rule in rules], here=here, seconds=TEST_SECONDS
    )
    if json:
        print_json([{"to": one.destination, "state": one.state, "fault": one.fault} for one in found])
    else:
        for one in found:
            say(f"{one.destination}: {one.words}")
    if not all(one.is_sent for one in found):
        raise typer.Exit(1)


@app.command()
def retry(
    number: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[NUMBER]...", help="As `docmill notifications list` shows them; all if omitted."
        ),
    ] = None,
) -> None:
    """Send again now what was not delivered.

    Example: docmill notifications retry
    """
    from db import notifications
    from scheduler.store import store

    with store().write() as session:
        n = notifications.retry(session, number or None)
    say(
        f"{n} {'notification is' if n == 1 else 'notifications are'} sent again by the next running scheduler"
    )


def _row(found: Any) -> dict[str, Any]:
    return {
        "number": found.id,
        "event": found.event,
        "about": found.owner,
        "to": found.destination,
        "state": found.state,
        "attempts": found.n_attempts,
        "written": found.created_at,
        "sent": found.sent_at,
        "title": found.title,
        "fault": one_line(found.fault) if found.fault else None,
        "exact": {
            "id": found.uid,
            "body": found.body,
            "details": found.details,
            "next_attempt": found.not_before if found.state == "pending" else None,
        },
    }
