"""A strap without ECG: its RR intervals drive rate and pause, and its gaps are gaps."""

from fractions import Fraction

import pytest

from edge_runtime.config import SHIPPED_BUNDLES
from edge_runtime.engine import Engine
from edge_runtime.events import AlarmRaised, BeatClassified, BeatDetected, Event, GapRecorded
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from firmware_bridge.stream import (
    ClockAnchor,
    DeviceStatus,
    Gap,
    GapReason,
    NoLossDetection,
    RrIntervals,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
)

RATE = 1024
SIGNAL = SignalInfo("rr", SignalKind.RR, "1/1024 s", Fraction(RATE), ("RR",), (1.0,), (0,))
OPENED = StreamOpened("s", "heart rate strap", "m", "1", NoLossDetection(), (SIGNAL,))


@pytest.fixture(scope="module")
def bundles() -> BundleSet:
    return load_bundle_set(SHIPPED_BUNDLES)


class Strap:
    """Items of a strap that tells RR intervals of given seconds, one report each."""

    def __init__(self) -> None:
        self.items: list[StreamItem] = [OPENED]
        self.end = 0

    def beat(self, *seconds: float) -> "Strap":
        for rr_s in seconds:
            self.end += round(rr_s * RATE)
            self.items.append(RrIntervals(SampleIndex(self.end), (round(rr_s * RATE) / RATE,)))
        return self

    def gap(self, seconds: float) -> "Strap":
        n = round(seconds * RATE)
        self.items.append(Gap("rr", SampleIndex(self.end), n, False, GapReason.RECONNECT))
        self.end += n
        return self


def events(bundles: BundleSet, items: list[StreamItem], *, cut: int | None = None) -> list[Event]:
    engine = Engine.of_bundles(OPENED, bundles)
    told: list[Event] = []
    for number, item in enumerate(items):
        if number == cut:
            snapshot = engine.snapshot()
            engine = Engine.of_bundles(OPENED, bundles)
            engine.restore(snapshot)
        told += engine.feed(item)
    return told + engine.finish()


def of(told: list[Event], kind: type) -> list:
    return [event for event in told if isinstance(event, kind)]


def test_beats_and_heart_rate_come_from_the_intervals(bundles: BundleSet) -> None:
    told = events(bundles, Strap().beat(*[0.75] * 20).items)
    beats = of(told, BeatDetected)
    assert len(beats) == 21  # the first interval has two ends
    assert beats[0].rr_s is None
    assert {beat.rr_s for beat in beats[1:]} == {0.75}
    assert beats[-1].heart_rate_bpm == pytest.approx(80)
    assert not of(told, BeatClassified)
    assert not of(told, AlarmRaised)


@pytest.mark.parametrize(
    ("intervals", "alarm"),
    [
        ([0.8] * 10 + [2.5] + [0.8] * 5, "Pause"),
        ([0.8] * 10 + [0.3] * 20, "Extreme tachycardia"),
        ([0.8] * 10 + [1.8] * 20, "Extreme bradycardia"),
    ],
)
def test_rules_of_rate_run_on_rr_alone(
    bundles: BundleSet, intervals: list[float], alarm: str
) -> None:
    told = events(bundles, Strap().beat(*intervals).items)
    assert alarm in [raised.text for raised in of(told, AlarmRaised)]


def test_no_interval_spans_a_gap(bundles: BundleSet) -> None:
    told = events(bundles, Strap().beat(*[0.8] * 5).gap(20).beat(*[0.8] * 5).items)
    beats = of(told, BeatDetected)
    assert [beat.rr_s for beat in beats].count(None) == 2
    assert [gap.n_missing for gap in of(told, GapRecorded)] == [20 * RATE]
    assert [raised.rule for raised in of(told, AlarmRaised)] == ["signal_lost"]


def test_silence_is_signal_lost_and_never_asystole(bundles: BundleSet) -> None:
    strap = Strap().beat(*[0.8] * 10)
    end = strap.end
    strap.items += [Tick(SampleIndex(end + k * RATE)) for k in range(1, 12)]
    told = events(bundles, strap.gap(11).beat(*[0.8] * 5).items)
    assert [raised.text for raised in of(told, AlarmRaised)] == ["Signal lost: not monitoring"]


def test_lost_contact_is_a_lead_off(bundles: BundleSet) -> None:
    strap = Strap().beat(*[0.8] * 5)
    strap.items.append(DeviceStatus(SampleIndex(strap.end), contact=False))
    told = events(bundles, strap.items)
    assert [raised.text for raised in of(told, AlarmRaised)] == ["Lead off: RR"]


def test_reports_that_come_late_are_no_wrong_rate(bundles: BundleSet) -> None:
    strap = Strap()
    for k in range(150):
        strap.beat(0.8)
        late_ns = 2_000_000_000 if k == 75 else 0
        host_ns = int(strap.end / RATE * 1e9) + late_ns
        strap.items.append(ClockAnchor(SampleIndex(strap.end), None, host_ns))
    assert not [e for e in events(bundles, strap.items) if type(e).__name__ == "Notice"]


@pytest.mark.parametrize("cut", [1, 7, 12])
def test_a_snapshot_changes_nothing(bundles: BundleSet, cut: int) -> None:
    items = Strap().beat(*[0.8] * 8).gap(3).beat(*[0.4] * 20).items
    assert events(bundles, items, cut=cut) == events(bundles, items)
