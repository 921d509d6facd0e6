"""Tentative peaks: what they leave no trace in, and how they come through the path."""

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.signal.history import BeatHistory
from edge_runtime.signal.observations import BeatsReady, PeakFound
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.qrs_constants import shipped_constants
from edge_runtime.signal.spec import read_spec
from tests import synthetic
from tests.edge_runtime.signal.plain_beats import COLUMN, beat, column, feed, rhythm

RATE = 500
WITH_TENTATIVE = ("any_rr_to_q50_60", "any_rr_to_mean_10", "any_rr_to_rr", "p_coherence")
"""Columns that other tentative peaks enter; coherence counts the last 12 beats of any kind."""


def test_tentative_peaks_leave_no_trace_in_what_firm_beats_are_compared_with():
    windows, at = rhythm([200] * 40)
    extra = [10, 11, 25, 39]
    noisy = np.insert(windows, extra, beat(qrs=0.3, p=-0.2, t=0.0, width=20.0)[None], axis=0)
    among = np.insert(at, extra, at[extra] - 90)
    tentative = np.array(extra) + np.arange(len(extra))
    firm = np.setdiff1d(np.arange(len(among)), tentative)
    clean, mixed = (
        feed(BeatHistory(), windows, at),
        feed(BeatHistory(), noisy, among, (), tentative),
    )
    assert mixed.tentative.nonzero()[0].tolist() == tentative.tolist()
    assert np.array_equal(mixed.window[firm], clean.window)
    assert np.array_equal(mixed.template[firm], clean.template)
    for name in COLUMN.keys() - set(WITH_TENTATIVE):
        assert np.array_equal(column(mixed, name)[firm], column(clean, name)), name
    after = firm[10]
    assert column(mixed, "any_rr_to_rr")[after] == pytest.approx(np.log(90 / 200), abs=1e-3)
    assert column(clean, "any_rr_to_rr").max() == 0.0


def test_a_tentative_peak_measures_its_rr_against_the_last_firm_one():
    windows, at = rhythm([200] * 20 + [60, 60])
    mixed = feed(BeatHistory(), windows, at, tentative=[21])
    rr = column(mixed, "rr")
    assert rr[21] == pytest.approx(np.log(60 / 200), abs=1e-3)
    assert rr[22] == pytest.approx(np.log(120 / 200), abs=1e-3)
    assert column(mixed, "tentative").nonzero()[0].tolist() == [21]


def test_every_firm_peak_is_told_and_no_tentative_one() -> None:
    """Beats come in order, tentative ones among them, each with its whole window."""
    constants = replace(shipped_constants(), tentative_threshold=-1e6)
    running = SignalPath(
        synthetic.opened(RATE), read_spec(), PathConfig(), lambda: QrsDetector(constants)
    )
    x = synthetic.ecg(synthetic.steady(75, 0.7, 29), 30, RATE, noise_mv=0.02)
    seen = [one for chunk in synthetic.chunks(x, RATE) for one in running.feed(chunk)]
    seen += running.finish()
    beats = [one for one in seen if isinstance(one, BeatsReady)]
    at = np.concatenate([b.at for b in beats])
    tentative = np.concatenate([b.block.tentative for b in beats])
    assert tentative.sum() > 10
    assert at[~tentative].tolist() == [one.at for one in seen if isinstance(one, PeakFound)]
    assert (np.diff(at) >= 0.2 * RATE - 1).all()
    assert np.concatenate([b.block.valid for b in beats])[tentative][2:-2].all()
    late = max(int((b.decided - b.at).max()) for b in beats)
    assert late <= running.label_latency
