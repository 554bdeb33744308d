"""What workers learn about batches outlives them, on both databases, and stays bounded."""

from __future__ import annotations

import pytest

from db import batch_sizes
from db.batch_sizes import Learnt
from db.store import Store


def remember(store: Store, learnt: dict[int, Learnt], model: str = "m", device: str = "d") -> None:
    with store.write() as session:
        batch_sizes.remember(session, model, device, learnt)


def known(store: Store, model: str = "m", device: str = "d") -> dict[int, Learnt]:
    with store.read() as session:
        return batch_sizes.known(session, model, device)


def test_what_was_learnt_is_found_by_model_and_device(store: Store) -> None:
    learnt = {8: Learnt(512, None, settled=True), 12: Learnt(16, 33, settled=True)}
    remember(store, learnt)
    assert known(store) == learnt
    assert known(store, device="another") == {}
    assert known(store, model="another") == {}


def test_what_ran_out_of_memory_stays_the_limit_whoever_writes_last(store: Store) -> None:
    remember(store, {8: Learnt(32, 64, settled=True)})
    remember(store, {8: Learnt(512, None, settled=True)})
    assert known(store)[8] == Learnt(63, 64, settled=True)
    remember(store, {8: Learnt(8, 16, settled=True)})
    assert known(store)[8] == Learnt(8, 16, settled=True)


def test_old_rows_make_room_for_new_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sizes, "MOST_ROWS", 5)
    monkeypatch.setattr(batch_sizes, "SLACK", 2)
    for number in range(12):
        remember(store, {8: Learnt(number + 1)}, model=f"m{number:02}")
    left = [number for number in range(12) if known(store, model=f"m{number:02}")]
    assert 5 <= len(left) <= 7
    assert left == list(range(12 - len(left), 12))
