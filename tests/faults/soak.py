"""Faults at random, for as long as asked, from a seed that is printed so that the order can be had again.

python -m tests.faults.soak --minutes N [--seed S] [--store sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence

from tests.faults.catalogue import FAULTS
from tests.faults.matrix import HEAD, show, trials
from tests.faults.trial import BOTH, Fault


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--store", choices=BOTH)
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}\n{HEAD}", flush=True)
    stores = [given.store] if given.store else list(BOTH)
    n = n_bad = 0
    for i, database in enumerate(stores):
        until = time.monotonic() + given.minutes * 60 / len(stores)
        rows = trials(database, _at_random(random.Random(given.seed + i), until))
        show(rows)
        n, n_bad = n + len(rows), n_bad + sum(not row.is_clean for row in rows)
    print(f"{n - n_bad} of {n} trials clean; the same again: --minutes {given.minutes:g} --seed {given.seed}")
    return 1 if n_bad else 0


def _at_random(chance: random.Random, until: float) -> Iterator[Fault]:
    common = [fault for fault in FAULTS if fault.own_stack is None]
    while time.monotonic() < until:
        yield chance.choice(common)


if __name__ == "__main__":
    sys.exit(main())
