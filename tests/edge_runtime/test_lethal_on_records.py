"""No VF, flutter or asystole on real records ends as a quality event only.

High priority is never vetoed: every annotated event has a high-priority alarm, whatever the
quality of the signal was said to be. cu01 has chosen nothing; the others are training sources.
"""

from pathlib import Path

import pytest

from edge_runtime.config import SHIPPED_BUNDLES
from edge_runtime.engine import EngineSettings
from edge_runtime.events import AlarmRaised, Event, Priority
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.replay import replay
from firmware_bridge.records import open_record, read_annotations
from model_build.alarms.challenge import read_alarms

pytestmark = pytest.mark.data
LETHAL = ("ventricular_fibrillation", "ventricular_tachycardia", "asystole", "extreme_tachycardia")


@pytest.fixture(scope="module")
def bundles() -> BundleSet:
    return load_bundle_set(SHIPPED_BUNDLES)


def events_of(bundles: BundleSet, record: Path, begin_s: float, end_s: float) -> list[Event]:
    """Events between the two moments; the samples after `end_s` are never read."""
    played = open_record(record)
    hz = float(played.frames_hz)
    items = played.items(2048, round(begin_s * hz), min(round(end_s * hz), played.n_frames))
    return list(replay(bundles, items, EngineSettings(mains_hz=60)))


def spans(marks: Path, hz: float) -> list[tuple[float, float]]:
    """From `[` to `]`, or to the end of the record, in seconds."""
    found, begin = [], None
    notes = read_annotations(marks)
    for at, symbol in zip(notes.sample.tolist(), notes.symbol, strict=True):
        if symbol == "[":
            begin = at / hz
        elif symbol == "]" and begin is not None:
            found.append((begin, at / hz))
            begin = None
    if begin is not None:
        found.append((begin, notes.sample[-1] / hz))
    return found


def high(events: list[Event], hz: float, begin_s: float, end_s: float) -> list[str]:
    """Lethal alarms decided within the span and ten seconds more, or that began in it."""
    return [
        e.rule
        for e in events
        if isinstance(e, AlarmRaised)
        and e.priority is Priority.HIGH
        and e.rule in LETHAL
        and begin_s - 1 <= e.at / hz <= end_s
        and e.decided / hz <= end_s + 10
    ]


def test_every_flutter_of_207_is_a_high_priority_alarm(data_dir: Path, bundles: BundleSet) -> None:
    record = data_dir / "mitdb" / "207"
    for begin_s, end_s in spans(record.with_suffix(".atr"), 360.0):
        first_s = max(0.0, begin_s - 60.0)
        events = events_of(bundles, record, first_s, end_s + 12)
        found = high(events, 360.0, begin_s - first_s, end_s - first_s)
        assert found, f"flutter at {begin_s:.1f} s"
        if end_s - begin_s >= 5.0:
            assert "ventricular_fibrillation" in found, f"flutter at {begin_s:.1f} s"


def test_the_fibrillation_of_cu01_is_found_within_ten_seconds(
    data_dir: Path, bundles: BundleSet
) -> None:
    record = data_dir / "cudb" / "cu01"
    (begin_s, _), *_ = spans(record.with_suffix(".atr"), 250.0)
    events = events_of(bundles, record, 0.0, begin_s + 10)
    found = high(events, 250.0, begin_s, begin_s + 10)
    assert "ventricular_fibrillation" in found


@pytest.mark.parametrize(
    ("alarm", "rules"),
    [
        ("Ventricular_Flutter_Fib", ("ventricular_fibrillation",)),
        ("Asystole", ("asystole", "extreme_bradycardia", "ventricular_bradycardia")),
    ],
)
def test_true_alarms_of_the_challenge_are_high_priority_by_five_minutes(
    data_dir: Path, bundles: BundleSet, alarm: str, rules: tuple[str, ...]
) -> None:
    missed = []
    folder = data_dir / "cinc2015"
    for entry in read_alarms(folder):
        if entry.kind != alarm or not entry.is_true:
            continue
        events = events_of(bundles, folder / entry.record, 200.0, 300.0)
        held = [e for e in events if isinstance(e, AlarmRaised) and e.priority is Priority.HIGH]
        if not any(e.rule in rules for e in held):
            missed.append(entry.record)
    assert missed == []
