"""The rules of a driver's stream as a program: run any driver's items through `StreamCheck`.

Public, so that the author of a new driver can test it with `check_stream(items)`.
"""

from collections.abc import Iterable

import numpy as np

from firmware_bridge.errors import BridgeError
from firmware_bridge.stream import (
    Alignment,
    BytesSkipped,
    ClockAnchor,
    DeviceStatus,
    Gap,
    LeadStatus,
    LinkChanged,
    PaceMark,
    RrIntervals,
    SampleChunk,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
    UserMark,
)


class ConformanceError(BridgeError):
    """A stream broke a rule; the message names the rule and the item's position."""


class StreamCheck:
    """Sees items one by one and raises ConformanceError at the first that breaks a rule."""

    def __init__(self) -> None:
        self._seen = 0
        self._signals: dict[str, SignalInfo] = {}
        self._end: dict[str, int] = {}
        self._anchor: ClockAnchor | None = None
        self._aligned: dict[str, Alignment] = {}

    def see(self, item: StreamItem) -> None:
        """Check `item` against everything before it."""
        match item:
            case StreamOpened():
                self._see_opened(item)
            case _ if not self._signals:
                self._fail("the first item is StreamOpened")
            case SampleChunk():
                self._see_chunk(item)
            case Gap():
                self._see_gap(item)
            case Tick():
                self._see_tick(item)
            case ClockAnchor():
                self._see_anchor(item)
            case Alignment():
                self._see_alignment(item)
            case LeadStatus():
                signal = self._signal(item.signal)
                self._require(len(item.off) == len(signal.leads), "one flag for each lead")
                self._require(item.at >= 0, "indices are not negative")
            case DeviceStatus():
                percent = item.battery_percent
                self._require(percent is None or 0 <= percent <= 100, "battery is 0 to 100 %")
            case BytesSkipped():
                self._require(item.n_frames > 0, "a report of skipped bytes is not empty")
            case RrIntervals():
                self._see_intervals(item)
            case PaceMark() | UserMark() | LinkChanged():
                self._require(item.at >= 0, "indices are not negative")
        self._seen += 1

    def _see_opened(self, opened: StreamOpened) -> None:
        self._require(self._seen == 0, "StreamOpened comes once, first")
        self._require(bool(opened.signals), "a stream has at least one signal")
        self._signals = {signal.id: signal for signal in opened.signals}
        self._require(len(self._signals) == len(opened.signals), "signal ids differ")
        self._end = dict.fromkeys(self._signals, 0)

    def _see_chunk(self, chunk: SampleChunk) -> None:
        signal = self._signal(chunk.signal)
        n_samples, n_leads = chunk.samples.shape
        self._require(n_samples > 0, "a chunk is not empty")
        self._require(n_leads == len(signal.leads), "a chunk has a column for each lead")
        self._require(chunk.samples.dtype == np.float32, "samples are float32")
        self._require(not chunk.samples.flags.writeable, "samples are read-only")
        expected = self._end[chunk.signal]
        self._require(
            chunk.first == expected,
            f"a chunk begins where the last ended, or a Gap says why not "
            f"({chunk.first} instead of {expected})",
        )
        self._end[chunk.signal] = chunk.end

    def _see_gap(self, gap: Gap) -> None:
        self._signal(gap.signal)
        self._require(gap.n_missing > 0, "a gap misses at least one sample")
        self._require(gap.first == self._end[gap.signal], "a gap begins where the samples ended")
        self._end[gap.signal] += gap.n_missing

    def _see_intervals(self, intervals: RrIntervals) -> None:
        self._require(all(rr > 0 for rr in intervals.intervals_s), "RR intervals are positive")
        for signal in self._signals.values():
            if signal.kind is SignalKind.RR:
                end = self._end[signal.id]
                self._require(intervals.at >= end, "RR intervals advance")
                self._end[signal.id] = intervals.at

    def _see_tick(self, tick: Tick) -> None:
        # A tick is an estimate: the next chunk may begin before it, but it is never behind what
        # has already arrived.
        self._require(tick.at >= min(self._end.values()), "a tick is not behind the samples")

    def _see_anchor(self, anchor: ClockAnchor) -> None:
        before = self._anchor
        if before is not None:
            self._require(anchor.index >= before.index, "anchors advance")
            self._require(anchor.host_ns >= before.host_ns, "the host clock is monotonic")
        self._anchor = anchor

    def _see_alignment(self, alignment: Alignment) -> None:
        kind = self._signal(alignment.signal).kind
        is_heart = kind in (SignalKind.ECG, SignalKind.RR)
        self._require(not is_heart, "what the heart is read from needs no alignment")
        before = self._aligned.get(alignment.signal)
        if before is not None:
            advance = alignment.index >= before.index and alignment.at >= before.at
            self._require(advance, "alignments advance")
        self._aligned[alignment.signal] = alignment

    def _signal(self, name: str) -> SignalInfo:
        self._require(name in self._signals, f"signal {name!r} was announced")
        return self._signals[name]

    def _require(self, holds: bool, rule: str) -> None:
        if not holds:
            self._fail(rule)

    def _fail(self, rule: str) -> None:
        raise ConformanceError(f"item {self._seen}: rule broken: {rule}")


def check_stream(items: Iterable[StreamItem]) -> None:
    """Raise ConformanceError unless all of `items` obey the rules."""
    check = StreamCheck()
    for item in items:
        check.see(item)
