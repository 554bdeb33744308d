"""The mutants still fit the code that they break: a move of files must not leave one behind."""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS, Mutant, fits


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_fits(mutant: Mutant) -> None:
    assert fits(mutant), f"{mutant.path} has to hold, once: {mutant.before}"


def test_every_name_is_used_once() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
