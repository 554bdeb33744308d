"""What docmill add says of the files that a job has to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from docmill.commands.following import follow, shown_until_ended
from docmill.commands.output import say, warn
from docmill.commands.shell import SOME_BAD

if TYPE_CHECKING:
    from scheduler.files import FilesReport


def report_files(files: FilesReport, tell: Callable[[str], None] = say) -> None:
    """Which job reads them, and what is to be known of the others."""
    if files.job is not None:
        tell(f"{_files(files.n_to_read)} being extracted: job {files.job}")
    elif files.n_files and not files.n_planned and not files.n_failed_before:
        tell(f"{_files(files.n_files)} extracted already")
    if files.n_planned:
        jobs = ", ".join(map(str, files.planned_in))
        tell(f"{_files(files.n_planned)} still being extracted: job {jobs}")
    if files.n_failed_before:
        warn(
            f"{files.n_failed_before:,} failed before, and did not change: "
            f"`docmill results {files.failed_in} --errors` says why, --extract-again tries again"
        )
    if files.n_outdated:
        warn(f"{files.n_outdated:,} were extracted by an older version: --extract-again extracts them again")


def follow_extraction(files: FilesReport, facts: dict[str, Any] | None) -> int:
    """Show the jobs until they have ended; returns the exit status. As JSON, the end of the last one is told."""
    jobs = [*files.planned_in, *([files.job] if files.job is not None else [])]
    if facts is not None:
        # One value on stdout.
        for job in jobs[:-1]:
            shown_until_ended(job)
        jobs = jobs[-1:]
    statuses = [follow(job, facts) for job in jobs]
    return max(statuses, default=0) or (SOME_BAD if files.n_failed_before else 0)


def _files(n: int) -> str:
    return f"{n:,} file is" if n == 1 else f"{n:,} files are"
