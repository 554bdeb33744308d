"""docmill repro, docmill verify: run documents of a job again, here, without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from docmill.commands.options import JobId, Json, Key
from docmill.commands.output import console, print_json, say, warn
from docmill.commands.shell import FAILED, INTERRUPTED, SOME_BAD
from docmill.commands.tables import print_table

Device = Annotated[str, typer.Option(metavar="DEVICE", help="cpu or cuda:0.")]


def repro(
    job: JobId,
    key: Key,
    device: Device = "cpu",
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="After this time, print where it hangs and exit; a worker's limit if not given.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run one document of a job here and show what happens.

    It runs alone in this process, and nothing is written to the store. The result is printed; for an error, a
    segmentation fault or a hang, the traceback is printed. The exit status is 0 for a result, 3 for an error.

    Example: docmill repro 42 report-7
    """
    from docmill.verification import reruns
    from nlp_tasks.errors import DocumentError

    found = reruns.find(job, key)
    warn(f"job {job}, {found.job.kind.name}, document {key!r}: {len(found.document.text):,} characters")
    with reruns.watching(timeout) as beat:
        result = _tried(lambda: reruns.run_one(found, device, beat))
    if isinstance(result, DocumentError):
        say(f"{result.code}: {result.detail}")
        raise typer.Exit(SOME_BAD)
    rows = [{"table": row.table} | asdict(row) for row in result]
    if json:
        print_json(rows)
        return
    for row in rows:
        say("  ".join(f"{name}={_short(value)}" for name, value in row.items()))
    say(f"ok: {len(rows)} rows")


def _tried(run: Callable[[], Any]) -> Any:
    """The result. For an error that a worker would blame on the document, the traceback is printed first."""
    import traceback

    from workers.running import faults

    try:
        return run()
    except KeyboardInterrupt:
        # Whoever interrupts a hanging document wants to know where it was.
        traceback.print_exc()
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if faults.is_not_the_documents(error) and not faults.is_sticky(error):
            raise
        traceback.print_exc()
        return faults.as_document_error(error)


def verify(
    job: Annotated[
        int | None, typer.Argument(metavar="[JOB]", help="The job's number, as submit printed it.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every job and model of the store, as after a restore.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="The number of documents, chosen at random; 100 if not given, and 5 of each job with --all.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of the random sample.")] = 0,
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Recompute a sample of a finished job, and compare; with --all, verify the whole store.

    Numbers may differ by a thousandth, as they do between devices; by 0.02 if a neural model computed in 16 bits, as
    on a GPU. Documents that killed or blocked a worker are left out. With --all, the outcomes of every job are counted
    again, and the files of every model are read and compared with what was registered. Nothing is written. The exit
    status is 1 if anything differs.

    Example: docmill verify 42 --sample 500
    """
    if all_ == (job is not None):
        raise ValueError("name a job, or say --all for the whole store")
    if job is None:
        _verify_all(5 if sample is None else sample, seed, device, json=json)
        return
    _verify_job(job, 100 if sample is None else sample, seed, device, json=json)


def _verify_job(job: int, sample: int, seed: int, device: str, *, json: bool) -> None:
    from docmill.verification import reruns

    checked = reruns.verify(job, sample, seed, device)
    rows = [asdict(difference) for difference in checked.differences]
    if json:
        print_json(
            {
                "job": job,
                "n_checked": checked.n_checked,
                "n_left_out": checked.n_left_out,
                "n_pruned": checked.n_pruned,
                "tolerance": checked.tolerance,
                "differences": rows,
            }
        )
    else:
        if rows:
            print_table(rows, ("document_key", "table", "what", "stored", "again"), "")
        n_bad = len({row["document_key"] for row in rows})
        out = f", {checked.n_left_out:,} left out (no result to compare)" if checked.n_left_out else ""
        pruned = f", {checked.n_pruned:,} pruned (counted in v_pruned)" if checked.n_pruned else ""
        say(f"job {job}: {checked.n_checked:,} documents recomputed, {n_bad:,} differ{out}{pruned}")
    if rows:
        raise typer.Exit(FAILED)


def _verify_all(sample: int, seed: int, device: str, *, json: bool) -> None:
    from docmill.verification import whole_store

    with _counting_jobs(quiet=json) as tell:
        found = whole_store.verify(sample, seed, device, tell)
    faults = [asdict(fault) for fault in found.faults]
    rows = [{"job": job, **asdict(difference)} for job, difference in found.differences]
    if json:
        print_json(
            asdict(found)
            | {"left_out": {str(job): why for job, why in found.left_out.items()}, "differences": rows}
        )
    else:
        if faults:
            print_table(faults, ("what", "fault"), "")
        if rows:
            print_table(rows, ("job", "document_key", "table", "what", "stored", "again"), "")
        for job, why in found.left_out.items():
            say(f"job {job} was counted, and not recomputed: {why}")
        still = f" ({found.n_open:,} of them not ended)" if found.n_open else ""
        say(
            f"{found.n_jobs:,} jobs counted{still}, {found.n_models:,} model versions read, "
            f"{found.n_checked:,} documents recomputed: {len(faults):,} faults, {len(rows):,} differences"
        )
    if faults or rows:
        raise typer.Exit(FAILED)


@contextmanager
def _counting_jobs(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    out = console(stderr=True)
    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        bar = progress.add_task("jobs", total=None)
        yield lambda n, of: progress.update(bar, completed=n, total=of)


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return repr(value)
