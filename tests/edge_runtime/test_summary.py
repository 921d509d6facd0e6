"""What a session held, counted."""

import dataclasses
import json
from fractions import Fraction

import pytest

from edge_runtime.events import (
    AlarmKind,
    AlarmRaised,
    BeatClass,
    BeatClassified,
    BeatDetected,
    Event,
    Explanation,
    GapRecorded,
    Notice,
    Priority,
    SourceOpened,
)
from edge_runtime.summary import Summary
from tests.edge_runtime.fake_parts import silence
from tests.synthetic import chunks, gap, opened


def source_opened() -> SourceOpened:
    return SourceOpened(
        at=0, decided=0, source="chest", family="", model="", firmware="", rate_hz=500, leads=["I"]
    )


def beat(at: int, bpm: float | None, label: BeatClass) -> list[Event]:
    return [
        BeatDetected(at=at, decided=at + 100, lead="I", rr_s=None, heart_rate_bpm=bpm),
        BeatClassified(at=at, decided=at + 300, label=label, scores={}),
    ]


def alarm(rule: str, priority: Priority) -> AlarmRaised:
    why = Explanation(rule=rule, source="", sentence="", values={})
    return AlarmRaised(
        at=0,
        decided=0,
        alarm=1,
        rule=rule,
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=priority,
        text="",
        latched=False,
        explanation=why,
    )


def seen(*events: Event) -> Summary:
    summary = Summary("chest")
    for event in events:
        summary.see(event)
    return summary


def test_an_hour_in_a_few_lines() -> None:
    summary = seen(
        source_opened(),
        *beat(1000, None, BeatClass.NORMAL),
        *beat(1500, 60, BeatClass.NORMAL),
        *beat(2000, 80, BeatClass.VENTRICULAR),
        GapRecorded(at=2500, decided=3500, n_missing=1000, exact=True, reason=""),
        alarm("asystole", Priority.HIGH),
        alarm("asystole", Priority.HIGH),
        alarm("lead_off", Priority.MEDIUM),
        *beat(45_000 - 300, 70, BeatClass.UNKNOWN),
    )
    assert summary.lines() == [
        "chest: 1 min 30 s monitored",
        "  beats   4 detected; classified: 2 N, 1 V, 1 Q",
        "  rate    70/min (from 60 to 80)",
        "  alarms  2 x asystole (high); 1 x lead_off (medium)",
        "  gaps    1, 2.0 s in all",
    ]
    as_dict = summary.as_dict()
    assert json.loads(json.dumps(as_dict)) == as_dict
    assert as_dict["beats"] == {"N": 2, "V": 1, "Q": 1}
    assert as_dict["heart_rate_bpm"] == {"mean": 70, "min": 60, "max": 80}
    assert as_dict["missing_s"] == 2.0


def test_nothing_came() -> None:
    summary = seen()
    assert summary.lines() == [
        "chest: 0 min 00 s monitored",
        "  beats   0 detected; classified: none",
        "  alarms  none",
    ]
    assert summary.as_dict()["duration_s"] == 0


def test_a_source_that_was_opened_twice_counts_both_times() -> None:
    once = [source_opened(), *beat(10_000 - 300, 70, BeatClass.NORMAL)]
    summary = seen(*once, *once)
    assert summary.duration_s == pytest.approx(40.0)
    assert summary.detected == 2


def test_what_a_person_should_know_is_said_once() -> None:
    notice = Notice(at=0, decided=0, code="flat_line", message="lead I shows a flat line")
    summary = seen(source_opened(), notice, notice)
    assert summary.lines()[-1] == "  note    lead I shows a flat line"
    assert summary.as_dict()["notices"] == ["lead I shows a flat line"]


def test_samples_count_where_nothing_is_said_about_them() -> None:
    summary = seen(source_opened())
    summary.reach(opened(Fraction(500)))
    for chunk in chunks(silence(20)):
        summary.reach(chunk)
    assert summary.duration_s == 20
    summary.reach(gap(20 * 500, 5000))
    assert summary.duration_s == 30
    # What lies beside the ECG counts in a rate of its own.
    beside = dataclasses.replace(gap(30 * 500, 9000), signal="acc")
    summary.reach(beside)
    assert summary.duration_s == 30
