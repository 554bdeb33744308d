"""A year of each zone with each pair of policies, as tests/scheduler/test_clock.py does it for one of them.

python -m tests.scheduler.years
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from itertools import product
from pathlib import Path

from db.migrations import upgrade
from db.states import Catchup, Overlap
from db.store import Store
from tests.scheduler.test_clock import ZONES, a_year


def main() -> None:
    logging.getLogger("docmill.scheduler").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        # As tests/conftest.py does it for the tests.
        os.environ |= {"DOCMILL_KIND_MODULES": "tests.kinds", "DOCMILL_HOME": f"{folder}/home"}
        template = Path(folder) / "template.db"
        store = Store(f"sqlite:///{template}")
        upgrade(store)
        store.close()
        for zone, catchup, overlap in product(ZONES, Catchup, Overlap):
            began = time.monotonic()
            a_year(template, zone, catchup, overlap)
            print(f"{zone:20} {catchup:8} {overlap:8} {time.monotonic() - began:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
