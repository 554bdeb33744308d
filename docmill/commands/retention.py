"""docmill retention plan, run, set, show, off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from docmill.commands.options import Json, Yes
from docmill.commands.output import console, duration, print_json, say, shown, warn
from docmill.commands.shell import FAILED, INTERRUPTED, Commands
from docmill.commands.tables import print_table

app = Commands(help="What may be pruned, and when: old outcomes, texts, vectors, models.")

File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="The policy, a TOML file; the one that is set, if not given."),
]


@app.command()
def plan(file: File = None, json: Json = False) -> None:
    """Print what a policy would prune now; nothing is changed.

    A policy says, for each sort of things, how old they have to be: `[outcomes]` of ended jobs with their results,
    `[chunks]` (lists of document numbers) of ended jobs, `[documents]` (texts of old versions), `[vectors]` and
    `[models]` that are not in use, `[runs]` of schedules, `[nights]` with their plans, `[notifications]` that were
    sent, `[exports]` (what exports of changed rows remember), `[batches]` (requests of programs, with their
    files). What a view shows of a document is never pruned, nor is a model that an alias stands for.
    docs/retention.md describes the file.

    Example: docmill retention plan retention.toml
    """
    from scheduler import retention
    from scheduler.store import store

    policy = retention.parse(*_text(file))
    with _telling("counted", quiet=json) as tell:
        counts = retention.plan(store(), policy, tell)
    _report(counts, "would be pruned", json=json)
    if not json and counts:
        words = f" {file}" if file is not None else ""
        say(f"nothing was pruned: `docmill retention run{words} --yes` does it")


@app.command()
def run(file: File = None, yes: Yes = False, json: Json = False) -> None:
    """Prune what a policy says.

    Without --yes, it prints what would be pruned, as `plan` does. It works in small steps, and gives way to running
    jobs. Ctrl-C is safe: the same command prunes the rest. Outcomes that go are counted in table `pruned`, so that
    every job still adds up.

    Example: docmill retention run retention.toml --yes
    """
    if not yes:
        plan(file, json)
        return
    from scheduler import retention
    from scheduler.store import store
    from workers.settings import settings

    policy = retention.parse(*_text(file))
    with _telling("pruned", quiet=json) as tell:
        counts = retention.run(store(), policy, settings().models_path, tell)
    _report(counts, "were pruned", json=json)


@app.command(name="set")
def set_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, a TOML file.")],
) -> None:
    """Let schedulers apply a policy, from now on, once a day or as often as it says.

    The store keeps a copy of the file: what runs is what was set. `docmill retention plan FILE` shows before what it
    will prune.

    Example: docmill retention set retention.toml
    """
    from db.retention import passes
    from scheduler import retention
    from scheduler.store import store

    text, where = _text(file)
    policy = retention.parse(text, where)
    with store().write() as session:
        passes.set_policy(session, text)
    say(f"schedulers apply {file} now, and then every {duration(policy.every)}")


@app.command()
def show(json: Json = False) -> None:
    """Show the policy that schedulers apply, and what the last passes pruned.

    Example: docmill retention show
    """
    from db.retention import passes
    from scheduler.store import store

    with store().read() as session:
        stored = passes.stored(session)
        found: list[dict[str, Any]] = [
            {
                "pass": each.id,
                "started_at": each.started_at,
                "ended_at": each.ended_at,
                "pruned": each.counts,
            }
            for each in passes.latest(session, 10)
        ]
    if json:
        policy = (
            None
            if stored is None
            else {"policy": stored.policy, "set_at": stored.set_at, "next_at": stored.next_at}
        )
        print_json({"policy": policy, "passes": found})
        return
    if stored is None:
        say("no policy is set: schedulers prune nothing. docmill retention set FILE")
    else:
        say(stored.policy.rstrip())
        say(f"\nset {shown(stored.set_at)}, next pass {shown(stored.next_at)}")
    if found:
        say("")
        rows = [each | {"pruned": _words(Counter(each["pruned"]))} for each in found]
        print_table(rows, ("pass", "started_at", "ended_at", "pruned"), "")


@app.command()
def off() -> None:
    """Let schedulers prune nothing any more.

    Example: docmill retention off
    """
    from db.retention import passes
    from scheduler.store import store

    with store().write() as session:
        there = passes.remove_policy(session)
    if not there:
        warn("docmill: no policy was set")
        raise typer.Exit(FAILED)
    say("schedulers prune nothing any more")


def _text(file: Path | None) -> tuple[str, str]:
    """A policy and where it comes from, for messages."""
    from db.retention import passes
    from scheduler.retention import STORED
    from scheduler.store import store

    if file is not None:
        try:
            return file.read_text(encoding="utf-8"), str(file)
        except UnicodeDecodeError:
            raise ValueError(f"{file}: this is not UTF-8: save it as UTF-8") from None
    with store().read() as session:
        stored = passes.stored(session)
    if stored is None:
        raise ValueError("no policy is set: name a file, or `docmill retention set FILE`")
    return stored.policy, STORED


@contextmanager
def _telling(done: str, *, quiet: bool) -> Iterator[Callable[[Counter[str]], None]]:
    """Show how far it is."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    so_far: Counter[str] = Counter()

    def tell(counts: Counter[str]) -> None:
        so_far.clear()
        so_far.update(counts)
        progress.update(bar, description=f"{counts['outcomes']:,} outcomes {done}")

    out = console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        bar = progress.add_task("looking", total=None)
        try:
            yield tell
        except KeyboardInterrupt:
            progress.stop()
            warn(f"docmill: interrupted: {_words(so_far) or 'nothing'} {done}; the same command goes on")
            raise typer.Exit(INTERRUPTED) from None


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in sorted(counts.items()))


def _report(counts: Counter[str], done: str, *, json: bool) -> None:
    if json:
        print_json(dict(sorted(counts.items())))
    elif not counts:
        say(f"nothing {done.replace('were', 'was')}: nothing is old enough and superseded")
    else:
        print_table(
            [{"what": what, "n_rows": n} for what, n in sorted(counts.items())], ("what", "n_rows"), ""
        )
        say(f"these {done}")
