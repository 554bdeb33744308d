"""The table of calls names what there is."""

from __future__ import annotations

import re

import pytest

from tests.deploy.calls import CALLS, Call
from workers.metrics.catalogue import METRICS

#: A whole name, and not only how all begin.
NAMED = [call for call in CALLS if re.search(r"docmill_[a-z]", call.answers)]


@pytest.mark.parametrize("call", NAMED, ids=lambda call: call.what)
def test_a_metric_that_is_looked_for_exists(call: Call) -> None:
    names = re.findall(r"docmill_[a-z_]+", call.answers)
    assert names
    assert set(names) <= METRICS.keys()


def test_some_metrics_are_looked_for() -> None:
    assert NAMED
