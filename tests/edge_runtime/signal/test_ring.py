"""The ring against a plain list, and what it allocates."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.signal.ring import RingBuffer


@given(
    capacity=st.integers(1, 40),
    start=st.integers(0, 10**9),
    steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60)), max_size=12),
    span=st.tuples(st.integers(-20, 120), st.integers(0, 80)),
)
def test_holds_what_a_list_would(capacity, start, steps, span) -> None:
    ring = RingBuffer(capacity, 2)
    held: dict[int, float] = {}
    at = start
    ring.skip_to(start)
    for missing, n in steps:
        at += missing
        ring.skip_to(at)
        values = np.arange(at, at + n, dtype=np.float64)
        ring.write(at, np.stack([values % 1000, -(values % 1000)], axis=1).astype(np.float32))
        held |= {at + i: float(v % 1000) for i, v in enumerate(values)}
        at += n

    first, end = start + span[0], start + span[0] + span[1]
    got = ring.read(first, end)

    assert got.shape == (end - first, 2)
    oldest = max(start, at - capacity)
    for row, index in zip(got, range(first, end), strict=True):
        if index in held and index >= oldest:
            assert row.tolist() == [held[index], -held[index]]
        else:
            assert np.isnan(row).all()
    assert (ring.first, ring.end) == (oldest, at)


def test_refuses_to_go_back() -> None:
    ring = RingBuffer(10, 1)
    ring.write(100, np.zeros((5, 1), np.float32))
    with pytest.raises(ValueError, match="already written"):
        ring.write(104, np.zeros((1, 1), np.float32))
    with pytest.raises(ValueError, match="already written"):
        ring.skip_to(104)
    with pytest.raises(ValueError, match="holds nothing"):
        RingBuffer(0, 1)


def test_what_is_read_is_a_copy() -> None:
    ring = RingBuffer(10, 1)
    ring.write(0, np.ones((5, 1), np.float32))
    ring.read(0, 5)[:] = 7
    assert ring.read(0, 5).max() == 1


def test_writing_allocates_nothing_that_grows_with_the_samples() -> None:
    ring = RingBuffer(500 * 60, 2)
    chunk = np.ones((5000, 2), np.float32)
    ring.write(0, chunk)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for i in range(1, 60):  # wraps ten times
            ring.write(i * 5000, chunk)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 300,000 samples went through; a few Python ints and array headers are all that was made.
    assert peak - before < 2000
    assert after - before < 1000
