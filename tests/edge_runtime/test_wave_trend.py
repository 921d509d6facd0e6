"""Intervals of single beats and their trend, with a delineator that knows the truth."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from edge_runtime.events import (
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    Event,
    GapRecorded,
    IntervalsMeasured,
)
from edge_runtime.inference.landmarks import Landmarks
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.observations import BeatsReady
from edge_runtime.signal.windows import R_AT, STEP_S
from edge_runtime.wave_measures import measure
from edge_runtime.wave_trend import WaveTrend
from firmware_bridge.stream import SignalInfo, SignalKind
from tests.edge_runtime.fake_parts import blank_block

RATE = 500
TRUE = (-0.18, -0.14, -0.10, -0.04, 0.0, 0.05, 0.15, 0.25, 0.34)
"""PR 140 ms, QRS 90 ms, QT 380 ms."""
SIGNAL = SignalInfo("ecg", SignalKind.ECG, "mV", RATE, ("I", "II"), (200.0, 200.0), (0, 0))


def knows(*, p_wave: bool = True):
    places = list(TRUE) if p_wave else [math.nan] * 3 + list(TRUE[3:])

    def delineate(window):
        k = len(window)
        return Landmarks(np.tile(places, (k, 1)), np.ones((k, 2)))

    return delineate


def ready(at: list[int]) -> BeatsReady:
    places = np.array(at, np.int64)
    return BeatsReady(places, places + 300, blank_block(places, np.zeros(len(at), bool)))


def events_of(r_s: list[float], labels: str) -> list[Event]:
    events: list[Event] = []
    before = None
    for second, label in zip(r_s, labels, strict=True):
        at = round(second * RATE)
        rr = None if before is None else second - before
        told = {"at": at, "decided": at + 300}
        events.append(BeatDetected(**told, lead="I", rr_s=rr, heart_rate_bpm=None))
        events.append(BeatClassified(**told, label=BeatClass(label), scores={}))
        before = second
    return events


def played(trend: WaveTrend, events: list[Event]) -> list[Event]:
    at = [event.at for event in events if isinstance(event, BeatClassified)]
    return trend.tell([ready(at)] if at else [], events)


def spans(events: list[Event]) -> list[IntervalsMeasured]:
    return [event for event in events if isinstance(event, IntervalsMeasured)]


def steady(first: float, n: int, rr: float = 0.8) -> list[float]:
    return [first + rr * k for k in range(n)]


def test_ten_seconds_of_normal_beats_give_their_medians():
    trend = WaveTrend(SIGNAL, 0, knows())
    (told,) = spans(played(trend, events_of(steady(0.4, 14), "N" * 14)))
    assert (told.at, told.until, told.lead, told.beats) == (0, 5000, "I", 12)
    assert told.decided == round(10.0 * RATE) + 300  # of the first beat behind the span
    assert told.pr_s == pytest.approx(0.14)
    assert told.qrs_s == pytest.approx(0.09)
    assert told.qt_s == pytest.approx(0.38)
    assert told.rr_s == pytest.approx(0.8)
    assert told.qtc_bazett_s == pytest.approx(0.38 / math.sqrt(0.8), abs=1e-4)
    assert told.qtc_fridericia_s == pytest.approx(0.38 / 0.8 ** (1 / 3), abs=1e-4)
    assert told.p_wave_share == 1.0
    assert told.r_on_t == 0


def test_without_p_waves_there_is_no_pr():
    trend = WaveTrend(SIGNAL, 0, knows(p_wave=False))
    (told,) = spans(played(trend, events_of(steady(0.4, 14), "N" * 14)))
    assert told.pr_s is None
    assert told.p_wave_share == 0.0
    assert told.qt_s == pytest.approx(0.38)


@pytest.mark.parametrize(("n", "known"), [(2, False), (3, True)])
def test_fewer_than_three_normal_beats_give_no_median(n, known):
    trend = WaveTrend(SIGNAL, 0, knows())
    r_s = [*steady(0.4, n), 11.0]
    (told,) = spans(played(trend, events_of(r_s, "N" * len(r_s))))
    assert told.beats == n
    assert (told.qrs_s is not None) is known


def test_other_beats_are_not_measured():
    trend = WaveTrend(SIGNAL, 0, knows())
    r_s = steady(0.4, 14)
    (told,) = spans(played(trend, events_of(r_s, "NNNVNNSNQNNNNN")))
    assert told.beats == 9


@pytest.mark.parametrize(("coupling", "strikes"), [(0.37, 1), (0.39, 0)])
def test_a_ventricular_beat_before_the_end_of_t_strikes_it(coupling, strikes):
    # T ends 0.34 s after R; the QRS begins 0.04 s before its R.
    trend = WaveTrend(SIGNAL, 0, knows())
    r_s = [*steady(0.4, 5), 3.6 + coupling, 5.2, 11.0]
    (told,) = spans(played(trend, events_of(r_s, "NNNNNVNN")))
    assert told.r_on_t == strikes


def test_behind_a_gap_nothing_strikes_a_t_wave():
    trend = WaveTrend(SIGNAL, 0, knows())
    events = events_of([*steady(0.4, 5), 3.97, 11.0], "NNNNNVN")
    gap = GapRecorded(at=1900, decided=2101, n_missing=5, exact=True, reason="lost packet")
    assert spans(played(trend, [*events[:10], gap, *events[10:]]))[0].r_on_t == 0


def test_another_lead_ends_the_span_and_begins_anew():
    trend = WaveTrend(SIGNAL, 0, knows())
    first = events_of(steady(0.4, 5), "N" * 5)
    change = AnalysisLeadChanged(at=2200, decided=2500, lead="II", reason="better")
    out = played(trend, [*first, change])
    assert [(s.lead, s.beats) for s in spans(out)] == [("I", 5)]
    out = played(trend, events_of([*steady(4.6, 5), 11.0], "N" * 6))
    assert [(s.lead, s.beats) for s in spans(out)] == [("II", 5)]


def test_the_end_of_the_stream_tells_what_is_open():
    trend = WaveTrend(SIGNAL, 0, knows())
    assert not spans(played(trend, events_of(steady(0.4, 5), "N" * 5)))
    (told,) = trend.finish(4000)
    assert (told.beats, told.decided) == (5, 4000)
    assert trend.finish(4000) == []


def test_chunks_and_a_restart_change_nothing():
    events = events_of(steady(0.4, 60, rr=0.7), "NNNNVNNNNN" * 6)
    whole = played(WaveTrend(SIGNAL, 0, knows()), events)
    trend, out = WaveTrend(SIGNAL, 0, knows()), []
    for first in range(0, len(events), 6):
        out += played(trend, events[first : first + 6])
        state = trend.snapshot()
        trend = WaveTrend(SIGNAL, 0, knows())
        trend.restore(state)
    assert out == whole
    assert len(spans(whole)) == 4


def test_st_is_measured_against_the_level_before_the_qrs():
    seconds = (np.arange(160) - R_AT) * STEP_S
    window = np.where(seconds > 0.05, 0.2 + (seconds - 0.11) * 1.0, 0.05)[None].astype(np.float32)
    found = Landmarks(np.array([TRUE]), np.ones((1, 2)))
    said = measure(found, window, np.array([2.0], np.float32))
    # 60 ms after the QRS the line stands at 0.2 heights of 2 mV, 0.05 of them before it.
    assert_allclose(said.st_mv, [0.3], atol=0.01)
    assert_allclose(said.st_slope_mv_per_s, [2.0], atol=0.1)


def test_a_block_keeps_what_one_is_in_millivolts():
    block = BeatBlock.join([blank_block(np.array([1]), np.array([False]))] * 2)
    assert block.unit_mv.tolist() == [1.0, 1.0]
