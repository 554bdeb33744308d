"""The fault matrix: every fault on every store, every checker after each, as a table. Exit status 1 unless all
figures are 0 and work went on in time.

    python -m tests.faults.matrix [--only WORDS] [--store sqlite|postgresql] [--repeat N]
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterable, Sequence

from tests.faults.catalogue import FAULTS
from tests.faults.checkers import Findings
from tests.faults.stack import Database, Stack
from tests.faults.trial import BOTH, N_DOCUMENTS, RECOVERY_SECONDS, Fault, Row, run

HEAD = (
    f"{'fault':44} {'store':10} {'documents':>9} {'faults':>6} {'lost':>5} {'unexp.':>6} {'dupl.':>5} {'wrong':>5} "
    f"{'other':>5} {'seconds':>7}"
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--store", choices=BOTH)
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args(arguments)
    print(HEAD, flush=True)
    rows = [
        row
        for database in ([given.store] if given.store else BOTH)
        for row in trials(database, [fault for fault in FAULTS if given.only in fault.name] * given.repeat)
    ]
    show(rows)
    n_bad = sum(not row.is_clean for row in rows)
    print(
        f"recovery within {RECOVERY_SECONDS:.1f} s asked for; {len(rows) - n_bad} of {len(rows)} trials clean"
    )
    return 1 if n_bad else 0


def show(rows: Sequence[Row]) -> None:
    """The sums, a line for each store."""
    for database in BOTH:
        if of_store := [row for row in rows if row.database == database]:
            _show(_sum(database, of_store))


def trials(database: Database, faults: Iterable[Fault]) -> list[Row]:
    """Run faults one after the other on one stack; a trial that breaks it gets the next one a fresh stack."""
    rows: list[Row] = []
    stack: Stack | None = None
    try:
        for fault in (fault for fault in faults if database in fault.databases):
            own = fault.own_stack(database) if fault.own_stack else None
            if own is None and stack is None:
                stack = fresh(database)
            row = _trial(own or stack, fault)  # type: ignore[arg-type]
            rows.append(row)
            _show(row)
            if own is not None:
                own.stop()
            elif row.complaint and stack is not None:
                stack.stop()
                stack = None
    finally:
        if stack is not None:
            stack.stop()
    return rows


def fresh(database: Database) -> Stack:
    stack = Stack(database)
    stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
    return stack


def _trial(stack: Stack, fault: Fault) -> Row:
    began = time.monotonic()
    try:
        row = run(stack, fault)
    except Exception as error:
        traceback.print_exc()
        show_logs(stack)
        complaint = f"{type(error).__name__}: {str(error)[:200]}"
        return Row(fault.name, stack.database, 0, 0, Findings(), time.monotonic() - began, complaint)
    if not row.is_clean:
        show_logs(stack)
    return row


def show_logs(stack: Stack) -> None:
    """What the parts said that is worth a look."""
    for name in ("scheduler", "worker"):
        lines = [line for line in stack.log(name).splitlines() if "WARNING" in line or "ERROR" in line]
        print(f"--- {name}", *lines[-25:], sep="\n", file=sys.stderr)


def _sum(database: Database, rows: Sequence[Row]) -> Row:
    findings = sum((row.findings for row in rows), Findings())
    slowest = max(row.recovery_seconds for row in rows)
    n_documents, n_faults = sum(row.n_documents for row in rows), sum(row.n_faults for row in rows)
    return Row("ALL", database, n_documents, n_faults, findings, slowest)


def _show(row: Row) -> None:
    found = row.findings
    other = found.miscounted + found.stuck + found.missing_jobs
    print(
        f"{row.fault:44} {row.database:10} {row.n_documents:9} {row.n_faults:6} {found.lost:5} {found.unexpected:6} "
        f"{found.duplicated:5} {found.wrong:5} {other:5} {row.recovery_seconds:7.1f}  {row.complaint}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
