from __future__ import annotations

from typing import Any

import pytest

from tests.deploy import chart

Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def smallest() -> Objects:
    """What an installation with the required values alone makes."""
    return chart.render(chart.REQUIRED)


@pytest.fixture(scope="session")
def everything() -> Objects:
    return chart.render(chart.EVERYTHING)


@pytest.fixture(params=["smallest", "everything"])
def objects(request: pytest.FixtureRequest) -> Objects:
    return request.getfixturevalue(request.param)
