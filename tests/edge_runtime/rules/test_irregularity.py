"""Missed beat, pauses per minute, irregular rhythm."""

import numpy as np
import pytest

from edge_runtime.events import Phase, QualityLevel, Rhythm, RhythmEpisode
from edge_runtime.rules.facts import Readability
from edge_runtime.rules.irregularity import IrregularSettings, PauseRateSettings
from edge_runtime.rules.settings import RuleSettings
from tests.edge_runtime.rules.ward import LABEL, RATE, Ward


@pytest.mark.parametrize(("rr", "n"), [(699, 0), (700, 0), (701, 1)])
def test_a_missed_beat_is_1_75_of_the_mean(rr: int, n: int) -> None:
    ward = Ward().see("N" * 9, 400).see("N", rr)
    assert ward.raised.count("missed_beat") == n


@pytest.mark.parametrize(("rr", "n"), [(499, 0), (500, 0), (501, 1)])
def test_a_missed_beat_at_100_or_more_is_a_second(rr: int, n: int) -> None:
    assert Ward().see("N" * 9, 300).see("N", rr).raised.count("missed_beat") == n
    assert "missed_beat" not in Ward().see("N" * 9, 301).see("N", 526).raised  # by the mean


def test_a_missed_beat_needs_three_normal_ones_before_it() -> None:
    assert "missed_beat" in Ward().see("NVNNN", 400).see("N", 800).raised
    assert "missed_beat" not in Ward().see("NNVNN", 400).see("N", 800).raised
    assert "missed_beat" not in Ward().see("NNN", 400).hole().see("NN", 800).raised


def test_a_missed_beat_is_dated_to_the_beat_before_it() -> None:
    alarm = Ward().see("N" * 9, 400).see("N", 800).alarm("missed_beat")
    assert (alarm.at, alarm.decided) == (3600, 4400 + LABEL)
    assert alarm.explanation.values == {"rr_s": 1.6, "mean_rr_s": 0.8}


def pauses(n: int, rr: int = 1001) -> Ward:
    ward = Ward().see("NN", 400)
    for _ in range(n):
        ward.see("N", rr).see("N", 400)
    return ward


@pytest.mark.parametrize(("n", "rr", "alarms"), [(8, 1001, 0), (9, 1001, 1), (12, 1000, 0)])
def test_more_than_eight_pauses_a_minute(n: int, rr: int, alarms: int) -> None:
    assert pauses(n, rr).raised.count("pauses_per_minute") == alarms


def test_the_bound_of_pauses_is_one_to_fifteen() -> None:
    for outside in (0, 16):
        with pytest.raises(ValueError, match="per_minute"):
            PauseRateSettings(per_minute=outside)


def irregular(share: float, seconds: float) -> Ward:
    """Every interval differs from the one before by a fifth, or by nothing, by turns."""
    ward, rng = Ward(), np.random.default_rng(1)
    rr = 400
    while ward.at < seconds * RATE:
        if rng.random() < share:
            rr = 500 if rr == 400 else 400
        ward.see("N", rr)
    return ward


@pytest.mark.parametrize(("share", "seconds", "n"), [(0.9, 62, 1), (0.9, 59, 0), (0.3, 120, 0)])
def test_a_rhythm_is_irregular_for_a_minute(share: float, seconds: float, n: int) -> None:
    ward = irregular(share, seconds)
    assert ward.raised.count("irregular_rhythm") == n


def test_an_eighth_of_the_interval_is_no_large_change() -> None:
    for high, n in ((453, 0), (454, 1)):  # 1/8 of the mean of 400 and 453 is 53.3
        ward = Ward()
        for k in range(160):
            ward.see("N", 400 if k % 2 else high)
        assert ward.raised.count("irregular_rhythm") == n


def test_ectopic_beats_do_not_make_a_rhythm_irregular() -> None:
    ward = Ward()
    for _ in range(60):
        ward.see("NN", 400).see("V", 250).see("N", 550)
    assert "irregular_rhythm" not in ward.raised


def test_an_irregular_rhythm_ends_as_an_episode_and_with_unreadable_signal() -> None:
    ward = irregular(0.9, 70).see("N" * 120, 400)
    phases = [
        e.phase
        for e in ward.events
        if isinstance(e, RhythmEpisode) and e.rhythm is Rhythm.IRREGULAR
    ]
    assert phases == [Phase.ONSET, Phase.END]
    lost = irregular(0.9, 70)
    at = lost.at + LABEL
    lost.events += lost.book.tell(Readability(at, at, QualityLevel.UNUSABLE, False, "noise"))
    assert "irregular_rhythm" not in lost.active


def test_the_time_of_irregularity_has_bounds() -> None:
    for outside in (29.0, 301.0):
        with pytest.raises(ValueError, match="after_s"):
            RuleSettings(irregular_rhythm=IrregularSettings(after_s=outside))
