"""What the page says of a device's clock is what the device's clock does."""

from fractions import Fraction

import pytest

from edge_runtime.web.device_watch import DeviceWatch
from firmware_bridge.stream import ClockAnchor, DeviceStatus, Gap, GapReason, SampleIndex
from tests.synthetic import opened

RATE = 250


def anchors(watch: DeviceWatch, seconds: int, ppm: float, late_ms: float = 0.0) -> None:
    for second in range(seconds):
        late = late_ms if second % 2 else 0.0
        host_s = second * (1 + ppm / 1e6) + late / 1e3
        watch.see(ClockAnchor(SampleIndex(second * RATE), None, round(host_s * 1e9)))


def test_nothing_is_said_before_something_is_known() -> None:
    watch = DeviceWatch()
    watch.see(opened(Fraction(RATE)))
    assert watch.clock is None
    anchors(watch, 2, 300)
    assert watch.clock is not None
    assert watch.clock.rate_error_ppm is None


def test_a_slow_clock_and_late_stamps_are_measured() -> None:
    watch = DeviceWatch()
    watch.see(opened(Fraction(RATE)))
    anchors(watch, 300, ppm=300, late_ms=20)
    assert watch.clock is not None
    assert watch.clock.rate_error_ppm == pytest.approx(300, abs=5)
    assert watch.clock.jitter_ms == pytest.approx(10, abs=11)


def test_a_hole_of_estimated_length_begins_anew() -> None:
    watch = DeviceWatch()
    watch.see(opened(Fraction(RATE)))
    anchors(watch, 300, ppm=300)
    watch.see(Gap("ecg", SampleIndex(300 * RATE), 77, True, GapReason.LOST_PACKET))
    assert watch.clock is not None
    watch.see(Gap("ecg", SampleIndex(300 * RATE), 77, False, GapReason.RECONNECT))
    assert watch.clock is None


def test_contact_is_the_last_that_was_told() -> None:
    watch = DeviceWatch()
    watch.see(opened(Fraction(RATE)))
    assert watch.contact is None
    for contact in (True, None, False, None):
        watch.see(DeviceStatus(SampleIndex(0), 50.0, contact))
    assert watch.contact is False
    watch.see(opened(Fraction(RATE)))
    assert watch.contact is None
