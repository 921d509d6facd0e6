"""The quality study counts as it says, and its network learns what it is shown."""

from fractions import Fraction

import numpy as np
import pytest

from edge_runtime.signal.quality_risk import QualityConstants
from model_build.lead_quality.corpus import Case, mistakes
from model_build.lead_quality.fit import examples, fit
from model_build.lead_quality.study import Judged, Row, auc, judged
from tests import synthetic

RATE = 250


def test_missed_and_made_up_peaks_are_mistakes():
    peaks, beats = np.array([100, 210, 400, 900]), np.array([105, 300, 398, 700])
    assert mistakes(peaks, beats, 20).tolist() == [210, 300, 700, 900]
    assert mistakes(np.zeros(0, np.int64), beats, 20).tolist() == beats.tolist()


def test_a_second_is_bad_within_reach_of_a_mistake():
    case = Case("x", "", np.zeros(RATE * 30, np.float32), Fraction(RATE), np.array([12.0]))
    assert case.bad.nonzero()[0].tolist() == list(range(7, 17))


def test_the_area_is_the_share_of_pairs_in_order():
    rank = np.array([0, 0, 1, 2, 2, 1, 0])
    bad = np.array([False, True, True, True, False, False, False])
    pairs = [(b > f) + 0.5 * (b == f) for b in rank[bad] for f in rank[~bad]]
    assert auc(rank, bad) == pytest.approx(np.mean(pairs))
    row = Row.of("x", [Judged(rank, rank / 2, bad)])
    assert (row.levels, row.bad_by_level) == ((3, 2, 2), (1, 1, 1))
    assert row.auc == row.auc_of_score == pytest.approx(np.mean(pairs))


def test_there_is_no_area_without_mistakes():
    assert auc(np.array([5, 0, 0]), np.zeros(3, np.bool_)) is None


def noisy_half(seed: int) -> Case:
    """Ten minutes of beats, the last quarter buried: mistakes every second there."""
    seconds, quiet = 600, 450
    x = synthetic.ecg(synthetic.steady(72, 0.5, seconds), seconds, RATE)[:, 0].astype(np.float32)
    buried = x[quiet * RATE :]
    buried += np.random.default_rng(seed).normal(size=len(buried)).astype(np.float32)
    wrong_s = np.arange(quiet, seconds, 1.0)
    return Case("x", "noise", x, Fraction(RATE), wrong_s)


def test_what_is_learnt_is_told_as_a_level():
    constants = fit([examples(noisy_half(seed)) for seed in range(24)])
    again = QualityConstants.from_toml(constants.to_toml())
    found = judged(noisy_half(99), again)
    assert auc(found.ranks, found.bad) > 0.97
    assert set(found.ranks[-100:].tolist()) == {2}
