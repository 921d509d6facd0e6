"""Somebody else's delineator, scored as ours is."""

from fractions import Fraction

import numpy as np
import pytest

from edge_runtime.inference.landmarks import LANDMARKS
from model_build.delineation import study
from model_build.delineation.peers import METHODS, delineated, read, write
from model_build.delineation.report import comparison, drawing
from model_build.delineation.scoring import Tally
from model_build.recipe_study import BASE
from tests.synthetic import ecg, steady

FS = Fraction(500)


@pytest.mark.parametrize("method", METHODS)
def test_it_finds_the_waves_of_a_plain_lead(method):
    times = steady(60, 1.0, 20)
    places = delineated(ecg(times, 22, 500)[:, 0].astype(np.float32), FS, method)
    peaks = places[:, LANDMARKS.index("qrs_peak")] / 500
    assert all(np.abs(peaks - t).min() < 0.02 for t in times[1:-1])
    inner = places[2:-2]
    assert np.isfinite(inner).mean() > 0.9
    for wave in ("p", "qrs", "t"):
        onset, peak, end = (
            inner[:, LANDMARKS.index(f"{wave}_{side}")] for side in ("onset", "peak", "end")
        )
        known = np.isfinite(onset) & np.isfinite(end)
        assert np.all((onset < peak)[known] & (peak < end)[known])


def test_where_it_fails_it_has_found_nothing():
    assert delineated(np.zeros(5000, np.float32), FS, "dwt").shape == (0, len(LANDMARKS))


def test_results_are_kept_and_shown_beside_ours(tmp_path):
    tallies = {name: Tally.of([-8.0, 2.0, 6.0], missed=1, extra=0) for name in LANDMARKS}
    write({"dwt": {"ludb": tallies}}, tmp_path / "peers.json")
    ways = {"ours": {"ludb": tallies}, "theirs": read(tmp_path / "peers.json")["dwt"]}
    assert "| P onset | 85.7; +0.0, 7.2 | 85.7; +0.0, 7.2 |" in comparison(ways)
    assert drawing(ways) == drawing(ways)


def test_ours_is_nearer_to_the_marks_than_theirs():
    """What docs/intervals.md says, on the committed results."""
    ours = study.pooled()[BASE]["ludb"]
    for theirs in read().values():
        for name in LANDMARKS:
            assert ours[name].f1 > theirs["ludb"][name].f1, name
            assert ours[name].sd_ms < theirs["ludb"][name].sd_ms, name
