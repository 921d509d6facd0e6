"""Scores of a delineation network to places: exact sums, sub-sample means, absent waves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from edge_runtime.inference.interpreter import Quantization
from edge_runtime.inference.landmark_reader import (
    REACH,
    LandmarkReader,
    mean_places,
    weights_table,
)
from edge_runtime.inference.landmarks import LANDMARKS
from edge_runtime.signal.windows import R_AT, STEP_S

STEPS = Quantization(0.1, 0)
READ = LandmarkReader(STEPS, STEPS, (0.5, 0.5))


def bell(*centres: float, width: float = 1.5) -> np.ndarray:
    """Scores (1, 160, 9) of a network that is sure of these places, the same for all landmarks."""
    off = (np.arange(160)[:, None] - np.array(centres)) / width
    logits = np.log(np.exp(-0.5 * off * off).sum(axis=1) + 1e-9)
    return np.repeat(logits[None, :, None], 9, axis=2)


def steps(logits: np.ndarray) -> np.ndarray:
    """Places in the table of weights."""
    return STEPS.to_int8(logits.astype(np.float32)).astype(np.int64) + 128


def test_a_place_lies_between_samples_where_the_scores_say_so():
    said = READ(STEPS.to_int8(bell(60.4).astype(np.float32)), np.full((1, 2), 50, np.int8))
    assert_allclose(said.seconds, np.full((1, 9), (60.4 - R_AT) * STEP_S), atol=1e-3)


def test_a_second_place_far_away_moves_the_first_by_nothing():
    near = mean_places(weights_table(STEPS)[steps(bell(40.0))])
    both = bell(40.0) + 0.0
    both[:, 120] = both[:, 40] - 0.2
    far = mean_places(weights_table(STEPS)[steps(both)])
    assert_array_equal(near, far)


def test_a_place_at_the_edge_stays_in_the_window():
    said = mean_places(weights_table(STEPS)[steps(bell(0.0))])
    assert (said >= 0).all()
    assert (said < REACH).all()


def test_a_wave_that_is_not_there_has_no_places():
    scores = STEPS.to_int8(bell(60.0).astype(np.float32))
    present = np.array([[-1, 1]], np.int8)  # a little less than, and more than, one half
    said = READ(scores, present)
    missing = np.isnan(said.seconds[0])
    assert [name for name, gone in zip(LANDMARKS, missing, strict=True) if gone] == [
        "p_onset", "p_peak", "p_end",
    ]  # fmt: skip
    assert said.present[0, 0] < 0.5 < said.present[0, 1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_how_beats_are_cut_into_blocks_changes_no_bit(seed, cut):
    random = np.random.default_rng(seed)
    scores = random.integers(-128, 128, (8, 160, 9)).astype(np.int8)
    present = random.integers(-128, 128, (8, 2)).astype(np.int8)
    whole = READ(scores, present)
    parts = [READ(scores[rows], present[rows]) for rows in (slice(0, cut), slice(cut, 8))]
    assert_array_equal(whole.seconds, np.concatenate([p.seconds for p in parts]))
    assert_array_equal(whole.present, np.concatenate([p.present for p in parts]))
