"""RR statistics against plain numpy over the same past."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.signal.intervals import DEPTH, LOG_STEPS, IntervalTrack, log_rr

lengths = st.integers(30, 900)


def track_of(rr, stretch=None, accepted=None):
    at = 1000 + np.concatenate(([0], np.cumsum(rr))).astype(np.int64)
    stretch = np.zeros(len(at), dtype=np.int64) if stretch is None else stretch
    accepted = np.ones(len(at), dtype=np.bool_) if accepted is None else accepted
    return IntervalTrack().advance(at, stretch, accepted)


def test_logarithm_is_exact_to_a_step():
    n = np.arange(25, 1001)
    assert log_rr(n) / LOG_STEPS == pytest.approx(np.log(n / 250), abs=0.51 / LOG_STEPS)
    assert log_rr(np.array([1, 5000])).tolist() == log_rr(np.array([25, 1000])).tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(lengths, min_size=1, max_size=400))
def test_past_statistics_are_those_of_numpy(rr):
    seen = track_of(rr)
    steps = log_rr(np.array(rr)).astype(np.int64)
    sizes = ((300, (10, 50, 90)), (60, (25, 75)), (10, (50,)))
    means, quantiles = seen.means((300, 60, 10)), seen.quantiles(sizes)
    for i in {1, (len(rr) + 1) // 2, len(rr)}:
        column = 0
        for j, (n, percents) in enumerate(sizes):
            past = steps[max(0, i - 1 - n) : i - 1]  # of beat i, whose own RR is steps[i - 1]
            assert seen.known[i] == min(i - 1, DEPTH)
            assert means[i, j] == (past.sum() / len(past) if len(past) else 0)
            for percent in percents:
                if len(past):
                    rank = ((len(past) - 1) * percent + 50) // 100
                    assert quantiles[i, column] == np.sort(past)[rank]
                column += 1


@settings(max_examples=30, deadline=None)
@given(st.lists(lengths, min_size=4, max_size=120))
def test_irregularity_is_that_of_numpy(rr):
    seen = track_of(rr)
    steps = log_rr(np.array(rr)).astype(np.int64)
    medians, counts = seen.changes(30)
    for lag in (1, 2, 3):
        change = np.abs(steps[lag:] - steps[:-lag])[-30:]
        assert counts[lag - 1, -1] == len(change)
        assert medians[lag - 1, -1] == np.sort(change)[(len(change) - 1) // 2]
    step = np.diff(steps)
    large = np.abs(step)[-30:] > 5000
    assert seen.share_of_changes(30, 5000)[-1] == large.mean()
    turns = (np.sign(step[1:]) * np.sign(step[:-1]) < 0)[-30:]
    assert seen.turning_points(30)[-1] == turns.mean()


def test_a_gap_leaves_one_interval_out():
    stretch = np.array([0, 0, 1, 1])
    seen = track_of([200, 700, 210], stretch)
    assert seen.ok.tolist() == [False, True, False, True]
    assert seen.known.tolist() == [0, 0, 1, 1]


def test_refused_peaks_measure_from_the_last_accepted():
    accepted = np.array([True, False, True, True])
    seen = track_of([80, 120, 210], accepted=accepted)
    assert seen.rr.tolist()[1:] == log_rr(np.array([80, 200, 210])).tolist()
    assert seen.known.tolist() == [0, 0, 0, 1]
