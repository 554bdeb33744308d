"""The table of calls names what there is."""

from __future__ import annotations

import re

from tests.deploy import calls
from workers.metrics.catalogue import METRICS


def test_the_metrics_that_are_looked_for_exist() -> None:
    # Whole names, and not only how all begin.
    names = {name for call in calls.METRICS for name in re.findall(r"docmill_[a-z_]+", call.answers)}
    assert names
    assert names <= METRICS.keys()
