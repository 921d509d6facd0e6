"""The conformance check must fail where a stream is wrong."""

from fractions import Fraction

import numpy as np
import pytest

from firmware_bridge.conformance import ConformanceError, check_stream
from firmware_bridge.stream import (
    Alignment,
    ClockAnchor,
    DeviceStatus,
    Gap,
    GapReason,
    LeadStatus,
    NoLossDetection,
    RrIntervals,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
)

SIGNAL = SignalInfo("ecg", SignalKind.ECG, "mV", Fraction(500), ("I",), (1000.0,), (0,))
MOVED = SignalInfo("acc", SignalKind.ACC, "mG", Fraction(50), ("x",), (1.0,), (0,))
OPENED = StreamOpened("x", "f", "m", "1", NoLossDetection(), (SIGNAL,))


def chunk(first: int, n: int = 10, leads: int = 1, signal: str = "ecg") -> SampleChunk:
    return SampleChunk(signal, SampleIndex(first), np.zeros((n, leads), np.float32))


def gap(first: int, n: int) -> Gap:
    return Gap("ecg", SampleIndex(first), n, exact=True, reason=GapReason.LOST_PACKET)


def aligned(index: int, at: int, signal: str = "acc") -> Alignment:
    return Alignment(signal, SampleIndex(index), SampleIndex(at))


def anchor(index: int, host_ns: int) -> ClockAnchor:
    return ClockAnchor(SampleIndex(index), None, host_ns)


def test_a_good_stream_passes() -> None:
    check_stream([OPENED, chunk(0), gap(10, 5), chunk(15), Tick(SampleIndex(400)), chunk(25)])


def test_a_signal_beside_the_ecg_is_aligned_with_it() -> None:
    opened = StreamOpened("x", "f", "m", "1", NoLossDetection(), (SIGNAL, MOVED))
    check_stream([opened, chunk(0), aligned(0, 0), aligned(50, 480), aligned(50, 500)])
    for items, rule in [
        ([aligned(50, 480), aligned(49, 500)], "advance"),
        ([aligned(50, 480), aligned(60, 470)], "advance"),
        ([aligned(1, 1, "ecg")], "needs no alignment"),
        ([aligned(1, 1, "ppg")], "announced"),
    ]:
        with pytest.raises(ConformanceError, match=rule):
            check_stream([opened, *items])


def test_rr_intervals_fill_the_index_of_a_strap_without_samples() -> None:
    rr = SignalInfo("rr", SignalKind.RR, "1/1024 s", Fraction(1024), ("RR",), (1.0,), (0,))
    opened = StreamOpened("x", "f", "m", "1", NoLossDetection(), (rr,))
    assert opened.reference is rr
    beats = [RrIntervals(SampleIndex(at), (0.5,)) for at in (512, 1024)]
    hole = Gap("rr", SampleIndex(1024), 100, exact=False, reason=GapReason.RECONNECT)
    check_stream([opened, *beats, hole, RrIntervals(SampleIndex(1700), (0.5,))])
    with pytest.raises(ConformanceError, match="advance"):
        check_stream([opened, *reversed(beats)])


@pytest.mark.parametrize(
    ("items", "rule"),
    [
        ([chunk(0)], "first item"),
        ([OPENED, OPENED], "once"),
        ([OPENED, chunk(0), chunk(12)], "begins where the last ended"),
        ([OPENED, chunk(0), chunk(8)], "begins where the last ended"),
        ([OPENED, chunk(0, n=0)], "not empty"),
        ([OPENED, chunk(0, leads=2)], "a column for each lead"),
        ([OPENED, chunk(0, signal="ppg")], "announced"),
        ([OPENED, gap(3, 5)], "begins where the samples ended"),
        ([OPENED, gap(0, 0)], "at least one"),
        ([OPENED, chunk(0), Tick(SampleIndex(3))], "not behind"),
        ([OPENED, anchor(5, 10), anchor(3, 20)], "advance"),
        ([OPENED, anchor(5, 10), anchor(6, 5)], "monotonic"),
        ([OPENED, LeadStatus("ecg", SampleIndex(0), (True, False))], "each lead"),
        ([OPENED, DeviceStatus(SampleIndex(0), battery_percent=140)], "100 %"),
    ],
)
def test_each_broken_rule_is_named(items: list[StreamItem], rule: str) -> None:
    with pytest.raises(ConformanceError, match=rule):
        check_stream(items)
