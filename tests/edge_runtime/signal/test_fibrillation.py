"""The waveform judged: what is fibrillation, what is not, and that chunks do not matter."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.signal.fibrillation import (
    HOP,
    WINDOW,
    FibrillationMeter,
    Limits,
    band_pass,
    measure,
)
from tests import synthetic

FS = 250
Floats = NDArray[np.float64]


def fibrillation(seconds: float, hz: float = 4.5, height_mv: float = 0.5) -> Floats:
    """A sine whose frequency and height wander, as in textbooks' pictures."""
    rng = np.random.default_rng(3)
    n = round(seconds * FS)
    wander = np.cumsum(rng.normal(0, 0.02, n))
    phase = 2 * np.pi * np.cumsum(hz + wander) / FS
    height = 1 + 0.3 * np.sin(2 * np.pi * 0.4 * np.arange(n) / FS)
    return height_mv * height * np.sin(phase) + rng.normal(0, 0.02 * height_mv, n)


def beating(bpm: float, seconds: float) -> Floats:
    r_s = synthetic.steady(bpm, 0.5, seconds)
    return synthetic.ecg(r_s, seconds, FS)[:, 0].astype(np.float64)


def judged(x: Floats, at: int = 0) -> list[tuple[int, bool]]:
    meter = FibrillationMeter()
    meter.start(at)
    return [(j.end, j.measures is not None) for j in meter.process(x)]


@pytest.mark.parametrize("hz", [3.0, 4.5, 6.0])
@pytest.mark.parametrize("height_mv", [0.12, 0.5, 2.0])
def test_a_wandering_sine_is_fibrillation_in_every_window(hz: float, height_mv: float) -> None:
    found = judged(fibrillation(10, hz, height_mv))
    assert found == [(end * FS, True) for end in range(4, 11)]


@pytest.mark.parametrize("bpm", [30, 75, 150, 220])
def test_a_beating_heart_is_not(bpm: float) -> None:
    assert not any(is_like for _, is_like in judged(beating(bpm, 30)))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(10 * FS),
        np.random.default_rng(1).normal(0, 0.3, 10 * FS),
        fibrillation(10, height_mv=0.03),
        np.cumsum(np.random.default_rng(2).normal(0, 0.02, 10 * FS)),
    ],
    ids=["flat", "white noise", "too small", "wander"],
)
def test_what_is_no_fibrillation(x: Floats) -> None:
    assert not any(is_like for _, is_like in judged(x))


def test_each_limit_alone_decides() -> None:
    x = fibrillation(4)
    measures = measure(x, band_pass(x))
    assert measures.fibrillatory(Limits())
    for name in Limits.__slots__:
        strict = -1.0 if name.startswith("most") else 99.0
        assert not measures.fibrillatory(Limits(**{name: strict})), name


def test_windows_end_at_whole_seconds_of_the_index() -> None:
    assert [end for end, _ in judged(beating(75, 6), at=130)] == [1250, 1500]


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 1700), max_size=8), save=st.integers(0, 1700))
def test_neither_chunks_nor_a_restart_change_a_bit(cuts: list[int], save: int) -> None:
    x = np.concatenate([beating(80, 2), fibrillation(5)])
    whole = FibrillationMeter()
    whole.start(77)
    expected = whole.process(x)
    meter, found = FibrillationMeter(), []
    meter.start(77)
    edges = sorted({0, len(x), save, *(cut for cut in cuts if cut < len(x))})
    for begin, end in pairwise(edges):
        if begin == save:
            other = FibrillationMeter()
            other.restore(meter.snapshot())
            meter = other
        found += meter.process(x[begin:end])
    assert found == expected


def test_lost_packets_do_not_hide_fibrillation() -> None:
    x, meter, found = fibrillation(20), FibrillationMeter(), []
    for second in range(20):
        meter.start(second * HOP + 25)  # a tenth of each second is missing
        found += meter.process(x[second * HOP + 25 : (second + 1) * HOP])
    assert [j.measures is not None for j in found] == [True] * len(found)
    assert len(found) >= 15


def test_a_long_gap_begins_anew() -> None:
    meter = FibrillationMeter()
    meter.start(0)
    meter.process(fibrillation(5))
    meter.start(5 * FS + HOP + 1)
    assert not meter.process(fibrillation(3))
    assert WINDOW == 4 * FS


def test_windows_that_are_mostly_bridged_are_not_judged() -> None:
    x, meter, found = fibrillation(20), FibrillationMeter(), []
    for second in range(20):
        meter.start(second * HOP + 100)
        found += meter.process(x[second * HOP + 100 : (second + 1) * HOP])
    assert not any(j.measures for j in found)
