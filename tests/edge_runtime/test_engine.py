"""The engine with a path and a classifier that know the truth: what becomes which event."""

import dataclasses

import numpy as np
import pytest

from edge_runtime.errors import PathError
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    BeatClassified,
    BeatDetected,
    DeviceReported,
    Event,
    GapRecorded,
    LinkStateChanged,
    Notice,
    QualityLevel,
    SignalQuality,
    SourceOpened,
    UserMarked,
)
from edge_runtime.signal.observations import LeadChanged, QualityChanged
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    DeviceStatus,
    LeadStatus,
    LinkChanged,
    PaceMark,
    RrIntervals,
    SampleChunk,
    SampleIndex,
    SignalKind,
    StreamItem,
    Tick,
    UserMark,
)
from tests.edge_runtime.fake_parts import (
    LABEL_LATENCY,
    LATENCY,
    RATE,
    fake_engine,
    play,
    silence,
)
from tests.synthetic import chunks, gap, opened, steady


def of(events: list[Event], kind: type) -> list:  # type: ignore[type-arg]
    return [e for e in events if isinstance(e, kind)]


def rules(events: list[Event]) -> list[str]:
    return [e.rule for e in of(events, AlarmRaised)]


def test_a_beat_is_detected_then_classified_once() -> None:
    engine = fake_engine(steady(75, 1.0, 4.0), "NVNN")
    events = play(engine, opened(RATE), *chunks(silence(6), 100))
    assert isinstance(events[0], SourceOpened)
    detected, classified = of(events, BeatDetected), of(events, BeatClassified)
    assert [e.at for e in detected] == [e.at for e in classified] == [500, 900, 1300, 1700]
    assert {e.decided - e.at for e in detected} == {LATENCY}
    assert {e.decided - e.at for e in classified} == {LABEL_LATENCY}
    assert [e.rr_s for e in detected] == [None, 0.8, 0.8, 0.8]
    assert detected[-1].heart_rate_bpm == pytest.approx(75.0)
    assert [e.label for e in classified] == ["N", "V", "N", "N"]
    assert sum(classified[0].scores.values()) == pytest.approx(1.0)


def test_events_are_sorted_by_decided() -> None:
    engine = fake_engine(steady(130, 1.0, 20.0))
    decided = [e.decided for e in play(engine, opened(RATE), *chunks(silence(30), 777))]
    assert decided == sorted(decided)


def test_an_rr_across_a_gap_is_unknown() -> None:
    engine = fake_engine([1.0, 1.8, 2.6, 3.4])
    items: list[StreamItem] = [
        *chunks(silence(2.2)),
        gap(1100, 50),
        *chunks(silence(3), first=1150),
    ]
    events = play(engine, *items)
    assert [e.rr_s for e in of(events, BeatDetected)] == [None, 0.8, None, 0.8]
    (recorded,) = of(events, GapRecorded)
    assert (recorded.at, recorded.n_missing, recorded.exact) == (1100, 50, True)


def test_samples_that_jump_ahead_are_a_gap_of_unknown_length() -> None:
    engine = fake_engine([])
    events = play(engine, *chunks(silence(1)), *chunks(silence(1), first=800))
    (recorded,) = of(events, GapRecorded)
    assert (recorded.at, recorded.n_missing, recorded.exact) == (500, 300, False)


def test_asystole_comes_out_within_ten_seconds_of_the_last_r() -> None:
    events = play(fake_engine(steady(75, 1.0, 10.0)), *chunks(silence(20)))
    alarm = of(events, AlarmRaised)[-1]
    assert alarm.rule == "asystole"
    assert (alarm.decided - alarm.at) / RATE < 10


def test_silence_raises_signal_lost_and_never_asystole() -> None:
    engine = fake_engine([1.0, 1.8])
    ticks = [Tick(SampleIndex(1000 + 125 * k)) for k in range(1, 200)]
    events = play(engine, *chunks(silence(2)), *ticks)
    (alarm,) = of(events, AlarmRaised)
    assert (alarm.rule, alarm.kind, alarm.at) == ("signal_lost", "technical", 1000)
    assert (alarm.decided - alarm.at) / RATE == 5.0


def test_signal_lost_clears_after_a_second_of_signal() -> None:
    engine = fake_engine([])
    events = play(engine, *chunks(silence(1)), Tick(SampleIndex(4000)), gap(500, 4000))
    assert rules(events) == ["signal_lost"]
    back = play(engine, *chunks(silence(0.9), first=4500))
    assert not of(back, AlarmCleared)
    (end,) = of(play(engine, *chunks(silence(0.2), first=4950)), AlarmCleared)
    assert (end.at, end.decided) == (4500, 5000)


def test_a_source_that_never_sends_a_sample_is_lost_too() -> None:
    events = play(fake_engine([]), opened(RATE), *(Tick(SampleIndex(k)) for k in (1000, 2600)))
    assert rules(events) == ["signal_lost"]


def test_a_long_gap_alone_tells_signal_lost() -> None:
    events = play(fake_engine([]), *chunks(silence(1)), gap(500, 3000))
    (alarm,) = of(events, AlarmRaised)
    assert (alarm.rule, alarm.decided) == ("signal_lost", 500 + 5 * RATE)


def test_how_often_ticks_come_changes_nothing() -> None:
    def lost(step: int) -> list[Event]:
        ticks = [Tick(SampleIndex(at)) for at in range(500, 5001, step)]
        return play(fake_engine([0.5]), *chunks(silence(1)), *ticks)

    assert lost(100) == lost(450)


def test_a_chunk_may_begin_before_the_last_tick() -> None:
    engine = fake_engine([1.0, 1.8, 2.6])
    events = play(engine, *chunks(silence(2)), Tick(SampleIndex(4000)), UserMark(SampleIndex(4000)))
    events += play(engine, *chunks(silence(2), first=1000))
    assert [e.at for e in of(events, BeatDetected)] == [500, 900, 1300]
    decided = [e.decided for e in events]
    assert decided == sorted(decided)


def test_lead_off_alarms_and_stops_asystole() -> None:
    engine = fake_engine([1.0, 1.8])
    off = LeadStatus("ecg", SampleIndex(1000), (True,))
    events = play(engine, *chunks(silence(2)), off, *chunks(silence(20), first=1000))
    (alarm,) = of(events, AlarmRaised)
    assert (alarm.rule, alarm.text, alarm.priority) == ("lead_off", "Lead off: I", "medium")
    on = LeadStatus("ecg", SampleIndex(11_000), (False,))
    assert [e.rule for e in of(play(engine, on), AlarmCleared)] == ["lead_off"]


def test_lost_contact_takes_every_lead_off() -> None:
    layout = opened(RATE, ("I", "II"))
    engine = fake_engine([], opened=layout)
    no_contact = DeviceStatus(SampleIndex(500), battery_percent=80.0, contact=False)
    events = play(engine, *chunks(silence(1, 2)), no_contact)
    assert [e.text for e in of(events, AlarmRaised)] == ["Lead off: I", "Lead off: II"]
    (reported,) = of(events, DeviceReported)
    assert (reported.battery_percent, reported.contact) == (80.0, False)


def quality(at_s: float, level: QualityLevel, reason: str, lead: int = 0) -> QualityChanged:
    return QualityChanged(round(at_s * RATE), round(at_s * RATE) + 10, lead, level, reason)


def test_beats_of_an_unusable_signal_are_refused_but_their_scores_kept() -> None:
    noted = [quality(1.0, QualityLevel.UNUSABLE, "noise"), quality(4.0, QualityLevel.GOOD, "")]
    engine = fake_engine([1.5, 2.3, 3.1, 5.0, 5.8], "NVNNN", noted=list(noted))
    events = play(engine, *chunks(silence(8)))
    assert [e.label for e in of(events, BeatClassified)] == ["Q", "Q", "Q", "N", "N"]
    refused = of(events, BeatClassified)[1]
    assert refused.reason == "the signal is unusable"
    assert refused.scores["V"] == pytest.approx(0.9)
    assert [e.rr_s for e in of(events, BeatDetected)] == [None, None, None, None, 0.8]
    assert [e.level for e in of(events, SignalQuality)] == ["unusable", "good"]


def test_ten_unreadable_seconds_are_a_technical_alarm() -> None:
    noted = [quality(1.0, QualityLevel.UNUSABLE, "noise")]
    events = play(fake_engine(steady(75, 0.5, 13), noted=list(noted)), *chunks(silence(13)))
    (alarm,) = of(events, AlarmRaised)
    assert (alarm.rule, alarm.priority) == ("unreadable", "low")
    assert (alarm.decided - alarm.at) / RATE == 10.0


def test_a_fault_is_explained_once() -> None:
    noted = [
        quality(1.0, QualityLevel.UNUSABLE, "saturated"),
        quality(3.0, QualityLevel.GOOD, ""),
        quality(5.0, QualityLevel.UNUSABLE, "saturated"),
    ]
    events = play(fake_engine([], noted=list(noted)), *chunks(silence(7)))
    (notice,) = of(events, Notice)
    assert notice.code == "saturated"
    assert "gain" in notice.message


def test_refused_v_beats_still_make_vt() -> None:
    noted = [quality(0.2, QualityLevel.UNUSABLE, "noise")]
    beats = steady(150, 1.0, 4.0)
    engine = fake_engine(beats, "V" * len(beats), noted=list(noted))
    events = play(engine, *chunks(silence(6)))
    vt = next(e for e in of(events, AlarmRaised) if e.rule == "ventricular_tachycardia")
    assert vt.text.endswith("or poor signal")


@pytest.mark.parametrize(
    ("label", "score", "expected"),
    [("F", 0.9, "F"), ("F", 0.6, "N"), ("V", 0.6, "V"), ("V", 0.4, "Q"), ("q", 0.9, "Q")],
)
def test_thresholds_of_the_bundle(label: str, score: float, expected: str) -> None:
    engine = fake_engine([1.0], label, score=score, thresholds={"F": 0.7, "V": 0.5})
    (beat,) = of(play(engine, *chunks(silence(3))), BeatClassified)
    assert beat.label == expected
    assert bool(beat.reason) == (expected == "Q")


def test_a_switch_of_leads_breaks_the_rr_and_is_told() -> None:
    layout = opened(RATE, ("I", "II"))
    engine = fake_engine(
        [1.0, 1.8, 2.6, 3.4], noted=[LeadChanged(1100, 1100, 1, "better")], opened=layout
    )
    beats = of(play(engine, *chunks(silence(5, 2))), BeatDetected)
    assert [(e.lead, e.rr_s) for e in beats] == [
        ("I", None), ("I", 0.8), ("II", None), ("II", 0.8)
    ]  # fmt: skip


def test_what_devices_and_people_say_is_passed_on() -> None:
    events = play(
        fake_engine([]),
        *chunks(silence(1)),
        UserMark(SampleIndex(490), "dizzy"),
        LinkChanged(SampleIndex(500), up=False, reason="unplugged"),
        BytesSkipped(SampleIndex(500), 3, 41, "checksum"),
        PaceMark(SampleIndex(500)),
        RrIntervals(SampleIndex(500), (0.8,)),
    )
    mark, link, skipped = events[-3:]
    assert isinstance(mark, UserMarked)
    assert (mark.at, mark.decided, mark.text) == (490, 500, "dizzy")
    assert isinstance(link, LinkStateChanged)
    assert (link.up, link.reason) == (False, "unplugged")
    assert isinstance(skipped, Notice)
    assert "41 bytes" in skipped.message


def test_a_wrong_rate_is_noticed_within_two_minutes() -> None:
    def notices(rate: int) -> list[Notice]:
        anchors = [ClockAnchor(SampleIndex(k * rate), None, k * 1_000_000_000) for k in range(120)]
        return of(play(fake_engine([]), *chunks(silence(1)), *anchors), Notice)

    assert not notices(RATE)
    first = notices(512)[0]
    assert first.code == "wrong_rate"
    assert "512.0" in first.message


def test_a_stream_without_ecg_is_refused_with_advice() -> None:
    ecg = opened(RATE)
    only_motion = dataclasses.replace(
        ecg, signals=(dataclasses.replace(ecg.signals[0], kind=SignalKind.ACC),)
    )
    with pytest.raises(PathError, match="choose another device"):
        fake_engine([], opened=only_motion)


def test_a_changed_layout_needs_a_new_engine() -> None:
    with pytest.raises(PathError, match="new engine"):
        fake_engine([]).feed(opened(250))


def test_lead_status_for_other_leads_is_refused() -> None:
    with pytest.raises(PathError, match="StreamOpened"):
        fake_engine([]).feed(LeadStatus("ecg", SampleIndex(0), (True, False)))


def test_other_signals_are_left_alone() -> None:
    other = SampleChunk("acc", SampleIndex(0), np.zeros((10, 3), np.float32))
    assert fake_engine([]).feed(other) == []


def test_a_tentative_peak_that_is_a_beat_is_told_with_its_class() -> None:
    r_s = [1.0, 1.8, 2.6, 3.4]
    engine = fake_engine(r_s, "NNVN", tentative_s=[2.6])
    events = play(engine, *chunks(silence(6), 100))
    late = [e for e in events if e.at == 1300]
    assert [type(e) for e in late] == [BeatDetected, BeatClassified]
    assert {e.decided - e.at for e in late} == {LABEL_LATENCY}
    assert [e.rr_s for e in of(events, BeatDetected)] == [None, 0.8, 0.8, 0.8]


def test_a_tentative_peak_that_is_an_artefact_is_not_told_and_touches_no_rr() -> None:
    r_s = [1.0, 1.8, 2.2, 2.6, 3.4]
    with_it = play(fake_engine(r_s, "NNXNN", tentative_s=[2.2]), *chunks(silence(20)))
    without = play(fake_engine([1.0, 1.8, 2.6, 3.4]), *chunks(silence(20)))
    assert with_it == without


def test_a_tentative_peak_without_scores_is_not_told() -> None:
    engine = fake_engine([1.0, 1.8, 2.6], "NqN", tentative_s=[1.8])
    detected = of(play(engine, *chunks(silence(6))), BeatDetected)
    assert [e.at for e in detected] == [500, 1300]


def test_a_firm_peak_that_is_an_artefact_stays_and_is_refused() -> None:
    events = play(fake_engine([1.0, 1.8, 2.6], "NXN"), *chunks(silence(6)))
    assert len(of(events, BeatDetected)) == 3
    refused = of(events, BeatClassified)[1]
    assert (refused.label, refused.reason) == ("Q", "artefact scores 0.90")
    assert refused.scores["X"] == pytest.approx(0.9)


def test_an_artefact_is_called_only_at_its_threshold() -> None:
    engine = fake_engine([1.0, 1.8], "NX", tentative_s=[1.8], score=0.4, thresholds={"X": 0.5})
    assert [e.label for e in of(play(engine, *chunks(silence(6))), BeatClassified)] == ["N", "N"]


@pytest.mark.parametrize(("least", "told"), [(0.0, 2), (0.8, 2), (0.9, 1)])
def test_a_tentative_peak_needs_the_joint_score_of_all_beats(least: float, told: int) -> None:
    """N scores 0.5, the four others 0.125 each: 0.875 for a beat."""
    asked = {"thresholds": {"tentative": least}, "tentative_s": [1.8], "score": 0.5}
    events = play(fake_engine([1.0, 1.8], "NN", **asked), *chunks(silence(6)))  # type: ignore[arg-type]
    assert len(of(events, BeatDetected)) == told


def test_a_beat_told_behind_a_later_one_splits_its_interval() -> None:
    """A tentative beat 0.25 s before a firm one: the firm one is told first."""
    r_s = [1.0, 1.8, 2.6, 3.15, 3.4, 4.2]
    engine = fake_engine(r_s, "NNNVNN", tentative_s=[3.15])
    detected = of(play(engine, *chunks(silence(8))), BeatDetected)
    assert [e.at for e in detected] == [500, 900, 1300, 1700, 1575, 2100]
    assert [e.rr_s for e in detected] == [None, 0.8, 0.8, 0.8, 0.55, 0.8]
    assert detected[4].heart_rate_bpm == pytest.approx(60 * 4 / 2.4)


def test_beats_that_are_all_tentative_keep_asystole_and_pause_away() -> None:
    r_s = steady(40, 1.0, 30.0)
    engine = fake_engine(r_s, tentative_s=r_s[3:])
    alarms = rules(play(engine, *chunks(silence(30))))
    assert "pause" not in alarms
    assert "asystole" not in alarms


def test_tentative_peaks_do_not_make_the_events_depend_on_chunks_or_snapshots() -> None:
    r_s = [1.0, 1.8, 2.35, 2.6, 3.4, 4.2, 4.45, 8.0, 9.0]
    doubted = [2.35, 4.2, 8.0]
    whole = play(fake_engine(r_s, "NNVNNXNNN", tentative_s=doubted), *chunks(silence(20)))
    engine, found = fake_engine(r_s, "NNVNNXNNN", tentative_s=doubted), []
    for chunk in chunks(silence(20), 37):
        found += engine.feed(chunk)
        state = engine.snapshot()
        engine = fake_engine(r_s, "NNVNNXNNN", tentative_s=doubted)
        engine.restore(state)
    assert found == whole[: len(found)]
    assert len(found) >= len(whole) - 1
