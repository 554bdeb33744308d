"""Sizes of batches are learnt by length: never beyond what ran out of memory, larger where that is faster."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from db.batch_sizes import Learnt
from workers.running.sizes import MOST_TIMES, SAMPLES, Sizes, bucket_of

ASKED = (64, 64_000)


def run(sizes: Sizes, longest: int, rate: float, n: int = SAMPLES, overhead: float = 0.01) -> int:
    """Full batches of documents of one length on a device that takes `overhead` seconds a batch, and computes `rate`
    characters a second; the size at the end."""
    for _ in range(n):
        most, chars = sizes.limits(longest, *ASKED)
        size = min(most, max(1, chars // longest))
        sizes.ran(longest, size, size * longest, overhead + size * longest / rate, *ASKED)
    return sizes.limits(longest, *ASKED)[0]


def test_the_runners_wish_is_the_start() -> None:
    assert Sizes({}, grows=True).limits(100, *ASKED) == ASKED


def test_out_of_memory_limits_this_length_and_all_greater_ones() -> None:
    sizes = Sizes({}, grows=False)
    assert sizes.ran_out(1000, 40, 64) == 20
    assert sizes.limits(1000, *ASKED)[0] == 20
    assert sizes.limits(50_000, *ASKED)[0] == 20
    assert sizes.limits(100, *ASKED)[0] == 64, "shorter ones take less memory"


def test_larger_batches_are_kept_while_they_are_faster() -> None:
    sizes = Sizes({}, grows=True)
    assert run(sizes, 100, rate=10e6, n=10 * SAMPLES) > 64
    most, chars = sizes.limits(100, *ASKED)
    assert chars == ASKED[1] * most // ASKED[0], "characters grow along"
    assert sizes.changes()[bucket_of(100)].settled


def test_a_device_that_is_not_faster_keeps_the_runners_size() -> None:
    sizes = Sizes({}, grows=True)
    assert run(sizes, 100, rate=1e5, n=10 * SAMPLES, overhead=0.0) == 64
    assert sizes.changes()[bucket_of(100)] == Learnt(64, None, settled=True)


def test_a_cpu_does_not_try() -> None:
    sizes = Sizes({}, grows=False)
    assert run(sizes, 100, rate=10e6, n=10 * SAMPLES) == 64
    assert sizes.changes() == {}


def test_what_was_learnt_is_not_tried_again() -> None:
    sizes = Sizes({bucket_of(100): Learnt(256, None, settled=True)}, grows=True)
    assert run(sizes, 100, rate=10e6, n=10 * SAMPLES) == 256
    assert sizes.changes() == {}


def test_a_batch_that_is_not_full_says_nothing() -> None:
    sizes = Sizes({}, grows=True)
    for _ in range(10 * SAMPLES):
        sizes.ran(100, 3, 300, 0.01, *ASKED)
    assert sizes.limits(100, *ASKED) == ASKED


def test_a_size_that_is_still_tried_is_not_kept() -> None:
    sizes = Sizes({}, grows=True)
    run(sizes, 100, rate=10e6, n=SAMPLES)
    assert sizes.limits(100, *ASKED)[0] == 128
    assert sizes.changes() == {}


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["ran", "out"]), st.integers(1, 4000), st.integers(1, 2000)), max_size=60
    )
)
def test_nothing_that_ran_out_of_memory_is_tried_again(events: list[tuple[str, int, int]]) -> None:
    sizes = Sizes({}, grows=True)
    failures: list[tuple[int, int]] = []
    for what, longest, n in events:
        most, _ = sizes.limits(longest, *ASKED)
        assert 1 <= most <= MOST_TIMES * ASKED[0]
        if what == "ran":
            sizes.ran(longest, most, most * longest, 0.001 * most**0.5, *ASKED)
        else:
            failed = min(n, most)
            if failed > 1:
                sizes.ran_out(longest, failed, ASKED[0])
                failures.append((longest, failed))
        for length, failed in failures:
            assert sizes.limits(length, *ASKED)[0] < failed
            assert sizes.limits(2 * length, *ASKED)[0] < failed
