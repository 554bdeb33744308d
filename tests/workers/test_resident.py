"""Models stay loaded within a budget of measured memory; the least recently used one leaves first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workers.running import faults
from workers.running.resident import MOST, Resident


class Device:
    """Memory of which the test says what is used. A model that was let go frees its bytes at the next release."""

    def __init__(self, capacity: int = 10**9) -> None:
        self.capacity, self.held = capacity, {}
        self.n_opened = 0
        self.models = Resident(lambda: sum(self.held.values()), self._release, budget=100)

    def _release(self) -> None:
        kept = {runner.name for runner in self._runners()}
        self.held = {name: size for name, size in self.held.items() if name in kept}

    def _runners(self) -> list[Any]:
        return [kept.runner for kept in self.models._kept.values()]

    def opener(self, name: str, size: int) -> Callable[[], Any]:
        def open_it() -> Any:
            if sum(self.held.values()) + size > self.capacity:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            self.held[name] = size
            self.n_opened += 1
            return Model(name)

        return open_it

    def use(self, name: str, size: int = 40, expected: int = 0) -> Any:
        found = self.models.get(name)
        return found or self.models.open(name, self.opener(name, size), expected, faults.is_out_of_memory)

    @property
    def names(self) -> list[str]:
        return [runner.name for runner in self._runners()]


class Model:
    batch_documents = batch_chars = 1

    def __init__(self, name: str) -> None:
        self.name = name


def test_a_model_that_is_used_again_is_not_loaded_again() -> None:
    device = Device()
    assert device.use("a") is device.use("a")
    assert device.n_opened == 1


def test_the_least_recently_used_leaves_when_the_budget_is_full() -> None:
    device = Device()
    for name in ("a", "b", "a", "c"):
        device.use(name)
    assert device.names == ["a", "c"], "b was used longest ago"
    assert device.models.n_bytes == 80


def test_room_is_made_before_loading_where_the_size_is_known() -> None:
    """Not after it: a GPU would be out of memory by then."""
    device = Device(capacity=100)
    device.use("a", 60)
    device.use("b", 60, expected=60)
    assert device.names == ["b"]
    assert device.n_opened == 2, "no try failed"
    device.use("a", 60)
    assert device.n_opened == 3, "its size was remembered"


def test_a_model_that_does_not_fit_beside_others_makes_them_leave_one_by_one() -> None:
    device = Device(capacity=100)
    for name, size in (("a", 30), ("b", 30), ("c", 30)):
        device.use(name, size)
    device.use("d", 65)
    assert device.names == ["c", "d"] or device.names == ["d"]
    assert sum(device.held.values()) <= 100


def test_a_model_that_fits_nowhere_raises_and_is_no_reason_to_load_forever() -> None:
    device = Device(capacity=100)
    device.use("a")
    with pytest.raises(RuntimeError, match="out of memory"):
        device.use("giant", 200)
    assert device.names == []


def test_another_error_makes_nobody_leave() -> None:
    device = Device()
    device.use("a")

    def broken() -> Any:
        raise ValueError("no such architecture")

    with pytest.raises(ValueError, match="architecture"):
        device.models.open("b", broken, 0, faults.is_out_of_memory)
    assert device.names == ["a"]


def test_a_model_larger_than_the_budget_stays_alone() -> None:
    device = Device()
    device.use("a")
    device.use("giant", 300)
    assert device.names == ["giant"]
    device.use("b")
    assert device.names == ["b"]


def test_what_a_model_takes_while_it_works_counts_as_its_own() -> None:
    """An index that is loaded with the first batch."""
    device = Device()
    device.use("a")
    device.held["a"] += 50
    device.use("b", 5)
    assert [kept.n_bytes for kept in device.models._kept.values()] == [90, 5]
    device.use("c", 30)
    assert device.names == ["b", "c"]


def test_making_room_spares_the_model_in_use() -> None:
    device = Device()
    device.use("a")
    device.use("b")
    assert device.models.make_room()
    assert device.names == ["b"]
    assert not device.models.make_room()


def test_small_models_are_bounded_too() -> None:
    device = Device()
    for number in range(3 * MOST):
        device.use(str(number), 1)
    assert len(device.models) == MOST
