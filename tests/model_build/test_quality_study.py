"""The quality study counts as it says."""

import numpy as np
import pytest

from model_build.quality_study import Row, auc, mistakes


def test_missed_and_made_up_peaks_are_mistakes():
    peaks, beats = np.array([100, 210, 400, 900]), np.array([105, 300, 398, 700])
    assert mistakes(peaks, beats, 20).tolist() == [210, 300, 700, 900]
    assert mistakes(np.zeros(0, np.int64), beats, 20).tolist() == beats.tolist()


def test_the_area_is_the_share_of_pairs_in_order():
    rank = np.array([0, 0, 1, 2, 2, 1, 0])
    bad = np.array([False, True, True, True, False, False, False])
    pairs = [(b > f) + 0.5 * (b == f) for b in rank[bad] for f in rank[~bad]]
    assert Row.of("x", rank, bad).auc == pytest.approx(np.mean(pairs))


def test_there_is_no_area_without_mistakes():
    assert auc(np.array([5, 0, 0]), np.array([0, 0, 0])) is None
