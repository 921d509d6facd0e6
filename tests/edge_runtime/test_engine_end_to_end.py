"""The engine on the signal path that ships, with synthetic ECG whose truth is known.

The property at the end is the engine's promise: neither chunking nor a restart changes what it
says.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.engine import Engine
from edge_runtime.errors import PathError
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    AnalysisLeadChanged,
    BeatClassified,
    BeatDetected,
    Event,
    Notice,
    SignalQuality,
)
from edge_runtime.inference.bundle import load_bundle_set
from firmware_bridge.stream import (
    LeadStatus,
    SampleChunk,
    SampleIndex,
    StreamItem,
    Tick,
    UserMark,
)
from tests.edge_runtime.real_path import real_engine
from tests.synthetic import chunks, ecg, gap, opened, steady

RATE = 500


def run(r_s: list[float], *items: StreamItem, labels: str | None = None) -> list[Event]:
    engine = real_engine(opened(RATE), r_s, labels)
    return [e for item in items for e in engine.feed(item)] + engine.finish()


def raised(events: list[Event]) -> dict[str, AlarmRaised]:
    return {e.rule: e for e in reversed(events) if isinstance(e, AlarmRaised)}


def test_every_beat_is_found_within_400_ms_and_classified() -> None:
    beats = steady(72, 0.6, 30)
    events = run(beats, *chunks(ecg(beats, 31), 61))
    found = [e for e in events if isinstance(e, BeatDetected)]
    assert len(found) == len(beats)
    assert max(abs(e.at / RATE - r) for e, r in zip(found, beats, strict=True)) < 0.02
    assert max(e.decided - e.at for e in found) <= 0.4 * RATE
    classified = [e.at for e in events if isinstance(e, BeatClassified)]
    assert classified == [e.at for e in found]
    assert found[-1].heart_rate_bpm == pytest.approx(72, abs=0.5)
    assert not raised(events)


@pytest.mark.parametrize("noise_mv", [0.0, 0.005, 0.02])
def test_asystole_is_raised_within_ten_seconds_of_the_last_r(noise_mv: float) -> None:
    beats = steady(75, 0.6, 20)
    alarm = raised(run(beats, *chunks(ecg(beats, 40, noise_mv=noise_mv))))["asystole"]
    assert alarm.at / RATE == pytest.approx(beats[-1], abs=0.02)
    assert 4.0 <= (alarm.decided - alarm.at) / RATE <= 4.7
    # A heart that stands still takes the amplitude away, as a lost contact does.
    expected = "Asystole or electrode off" if noise_mv == 0.0 else "Asystole or poor signal"
    assert (alarm.text, alarm.priority) == (expected, "high")


def test_beats_that_go_on_at_a_fifth_of_their_height_are_found_and_named() -> None:
    beats = steady(75, 0.6, 60)
    signal = ecg(beats, 61)
    signal[30 * RATE :] *= 0.2
    events = run(beats, *chunks(signal))
    assert "amplitude collapsed" in {e.reason for e in events if isinstance(e, SignalQuality)}
    after = [e for e in events if isinstance(e, BeatClassified) and e.at > 34 * RATE]
    assert len(after) == sum(r > 34 for r in beats)
    assert {e.label for e in after} == {"N"}


def test_asystole_ends_when_beats_return() -> None:
    beats = steady(75, 0.6, 20) + steady(75, 30, 40)
    events = run(beats, *chunks(ecg(beats, 41)))
    ends = [e for e in events if isinstance(e, AlarmCleared) and e.rule == "asystole"]
    assert [round(e.at / RATE, 1) for e in ends] == [30.0]


def test_lead_off_is_told_as_such_and_not_as_asystole() -> None:
    beats = steady(75, 0.6, 20)
    signal = ecg(beats, 40)
    off = LeadStatus("ecg", SampleIndex(20 * RATE), (True,))
    before, after = signal[: 20 * RATE], signal[20 * RATE :]
    events = run(beats, *chunks(before), off, *chunks(after, first=20 * RATE))
    assert set(raised(events)) == {"lead_off"}


def test_another_lead_takes_over_from_one_that_is_off_without_a_false_alarm() -> None:
    beats = steady(75, 0.6, 40)
    signal = ecg(beats, 40, lead_gains=(1.0, 0.7))
    off_at = 20 * RATE + 190  # just before an R
    signal[off_at:, 0] = 5.0
    opening = opened(RATE, ("II", "V1"))
    engine = real_engine(opening, beats)
    off = LeadStatus("ecg", SampleIndex(off_at), (True, False))
    items: list[StreamItem] = [
        *chunks(signal[:off_at]),
        off,
        *chunks(signal[off_at:], first=off_at),
    ]
    events = [e for item in items for e in engine.feed(item)] + engine.finish()
    assert set(raised(events)) == {"lead_off"}
    change = next(e for e in events if isinstance(e, AnalysisLeadChanged))
    assert (change.at, change.lead) == (off_at, "V1")
    after = [e for e in events if isinstance(e, BeatDetected) and e.at > off_at]
    assert {e.lead for e in after} == {"V1"}
    assert after[0].rr_s is None
    assert after[0].at - off_at < 1.6 * RATE


def test_nothing_is_decided_behind_the_end_of_a_recording() -> None:
    beats = steady(75, 0.6, 20)
    for length in (20 * RATE - 1, 18 * RATE + 77):
        items: list[StreamItem] = [opened(RATE), *chunks(ecg(beats, 20)[:length], 7 * RATE)]
        assert max(e.decided for e in run(beats, *items)) < length


def test_an_unplugged_sensor_is_signal_lost_within_ten_seconds() -> None:
    beats = steady(75, 0.6, 20)
    ticks = [Tick(SampleIndex(20 * RATE + 125 * k)) for k in range(1, 80)]
    events = run(beats, *chunks(ecg(beats, 20)), *ticks)
    assert set(raised(events)) == {"signal_lost"}
    alarm = raised(events)["signal_lost"]
    assert (alarm.decided - alarm.at) / RATE <= 10


@pytest.mark.parametrize(
    ("bpm", "rule"), [(34, "extreme_bradycardia"), (165, "extreme_tachycardia")]
)
def test_a_step_in_rate_alarms_within_ten_seconds(bpm: float, rule: str) -> None:
    beats = steady(75, 0.6, 20)
    step = beats[-1] + 60 / bpm
    beats += steady(bpm, step, 45)
    alarm = raised(run(beats, *chunks(ecg(beats, 46))))[rule]
    assert alarm.at / RATE > step - 3.0  # a mean over beats may begin a little early
    assert alarm.decided / RATE - step <= 10


def test_wide_fast_beats_are_vt() -> None:
    normal, fast = steady(75, 0.6, 20), steady(150, 20.4, 26)
    beats = normal + fast + steady(75, 26.8, 35)
    labels = "N" * len(normal) + "V" * len(fast)
    labels += "N" * (len(beats) - len(labels))
    events = run(beats, *chunks(ecg(beats, 36, labels=labels)), labels=labels)
    alarm = raised(events)["ventricular_tachycardia"]
    assert alarm.at / RATE == pytest.approx(fast[0], abs=0.06)
    assert (alarm.decided - alarm.at) / RATE <= 4 * 0.4 + 1.0
    assert any(isinstance(e, AlarmCleared) and e.reason == "other beats follow" for e in events)


def test_samples_that_are_no_numbers_are_a_gap_with_advice() -> None:
    beats = steady(75, 0.6, 20)
    signal = ecg(beats, 20)
    signal[5 * RATE : 9 * RATE] = np.nan
    events = run(beats, *chunks(signal, 100))
    assert {e.code for e in events if isinstance(e, Notice)} == {"not_a_number"}
    assert "asystole" not in raised(events)


def test_an_inverted_lead_is_hinted_at_once() -> None:
    beats = steady(75, 0.6, 80)
    events = run(beats, *chunks(-ecg(beats, 81)))
    assert [e.code for e in events if isinstance(e, Notice)] == ["inverted_lead"]
    assert not [e for e in run(beats, *chunks(ecg(beats, 81))) if isinstance(e, Notice)]


@pytest.mark.parametrize("rate_hz", [50, 4000])
def test_a_rate_the_path_cannot_take_is_refused(rate_hz: int) -> None:
    with pytest.raises(PathError, match=str(rate_hz)):
        real_engine(opened(rate_hz), [])


def test_an_engine_of_the_shipped_bundles_scores_every_beat() -> None:
    beats = steady(75, 1.4, 20)
    engine = Engine.of_bundles(opened(RATE), load_bundle_set())
    events = [e for chunk in chunks(ecg(beats, 21)) for e in engine.feed(chunk)]
    scored = [e for e in events + engine.finish() if isinstance(e, BeatClassified)]
    assert len(scored) == len(beats)
    assert all(sum(e.scores.values()) == pytest.approx(1.0) for e in scored)


@cache
def eventful() -> tuple[NDArray[np.float32], tuple[float, ...], str]:
    """48 s with a pause, a run of V, noise, samples that are no numbers and an asystole."""
    beats, labels = steady(80, 0.5, 9), ""
    labels = "N" * len(beats)
    for start, end, bpm, letter in ((11.5, 15, 80, "N"), (15.2, 18, 150, "V"), (18.9, 40, 80, "N")):
        more = steady(bpm, start, end)
        beats, labels = beats + more, labels + letter * len(more)
    signal = ecg(beats, 48, labels=labels)
    signal[26 * RATE : round(26.7 * RATE)] = np.nan
    noisy = slice(30 * RATE, 34 * RATE)
    signal[noisy] += np.random.default_rng(5).normal(0, 0.8, (4 * RATE, 1)).astype(np.float32)
    return signal, tuple(beats), labels


def stream(cuts: list[int]) -> list[StreamItem]:
    """The eventful signal in chunks that end at `cuts`, with a gap, ticks, leads and a mark."""
    signal, _, _ = eventful()
    fixed: dict[int, list[StreamItem]] = {
        10 * RATE: [UserMark(SampleIndex(10 * RATE), "here")],
        22 * RATE: [Tick(SampleIndex(22 * RATE + 300)), gap(22 * RATE, 400)],
        36 * RATE: [LeadStatus("ecg", SampleIndex(36 * RATE), (True,))],
        37 * RATE: [LeadStatus("ecg", SampleIndex(37 * RATE), (False,))],
    }
    items: list[StreamItem] = [opened(RATE)]
    at = 0
    for end in sorted({*cuts, *fixed, len(signal)}):
        start = 22 * RATE + 400 if at == 22 * RATE else at
        if end <= start:
            continue
        items.append(SampleChunk("ecg", SampleIndex(start), signal[start:end].copy()))
        items += fixed.get(end, [])
        at = end
    return items


@cache
def whole() -> list[Event]:
    _, beats, labels = eventful()
    return run(list(beats), *stream([]), labels=labels)


def test_the_eventful_signal_has_every_alarm_it_should() -> None:
    rules = {e.rule for e in whole() if isinstance(e, AlarmRaised)}
    assert rules >= {"pause", "ventricular_tachycardia", "lead_off", "asystole"}


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 48 * RATE - 1), max_size=60),
    small=st.integers(0, 47 * RATE),
    restarts=st.sets(st.integers(0, 200), max_size=4),
)
def test_neither_chunking_nor_restarts_change_an_event(
    cuts: list[int], small: int, restarts: set[int]
) -> None:
    _, beats, labels = eventful()
    singles = list(range(small, small + 40))  # somewhere, sample by sample
    engine = real_engine(opened(RATE), list(beats), labels)
    events: list[Event] = []
    for number, item in enumerate(stream(cuts + singles)):
        if number in restarts:
            state = engine.snapshot()
            engine = real_engine(opened(RATE), list(beats), labels)
            engine.restore(state)
        events += engine.feed(item)
    assert events + engine.finish() == whole()
