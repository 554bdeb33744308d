"""Vectors of queries by an imported model, several at a time as a web server makes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scheduler.search import query_vectors
from tests import encoder_folders

pytest.importorskip("transformers")


@pytest.fixture
def _often_interrupted() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_often_interrupted")
def test_queries_at_the_same_time_do_not_change_each_others_vectors(tmp_path: Path) -> None:
    folder = encoder_folders.transformer(tmp_path / "model")
    long = "goal striker cup match " * 5 + "bank rates money loan " * 15
    alone = query_vectors._embedded(folder, long)
    assert alone is not None
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: query_vectors._embedded(folder, long), range(100)))
    for each in found:
        assert each is not None
        np.testing.assert_allclose(each.vector, alone.vector, atol=1e-4)
