"""From the notifications of one strap to stream items, over reconnects. No I/O.

`EcgSession` places packets with stamps; `RrSession` serves straps that only tell heart rate and RR
intervals. What both know about battery, contact, silence and the link is `StrapSession`.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import ProtocolError
from firmware_bridge.straps import heart_rate
from firmware_bridge.straps.companion import Companion, Known
from firmware_bridge.straps.placing import Placed, Refusal, StampedPlaces
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    DeviceStatus,
    Gap,
    GapReason,
    LinkChanged,
    NoLossDetection,
    PaceMark,
    RrIntervals,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StampLoss,
    StreamItem,
    StreamOpened,
    Tick,
)

ECG: Final = "ecg"
RR: Final = "rr"
_NS: Final = 1_000_000_000
_TICK_AFTER_NS: Final = 249_000_000
"""A quarter of a second, after which drivers ask, less what their timers may be early."""
_REPORT_SKIPPED_EVERY_NS: Final = 10 * _NS
_ANCHOR_EVERY_S: Final = 1
_ASTRAY_S: Final = 2.5
"""An RR interval may be reported so much later than it ended: straps report once a second, of
beats that are up to a second old, and a link may repeat a packet."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the Device Information service says; empty where it says nothing."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """`millivolts` float32 (n,), the last taken at `stamp_ns`; see `polar_pmd.EcgFrame`. `n_bytes`
    is what it took on the link."""

    stamp_ns: int
    millivolts: NDArray[np.float32]
    contact: bool | None = None
    paced: tuple[int, ...] = ()
    n_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EcgForm:
    """What a family's ECG is like. `resolution_ns` is how coarse its stamps are."""

    family: str
    rate_hz: Fraction
    counts_per_mv: float
    resolution_ns: int


@dataclass(slots=True)
class StrapCounts:
    """What was dropped, for logs and diagnosis."""

    received_samples: int = 0
    refused_samples: int = 0
    lost_samples: int = 0
    restarts: int = 0
    malformed: Counter[str] = field(default_factory=Counter)


class StrapSession:
    """What all straps have in common. Times are of a monotonic host clock, in nanoseconds."""

    opened: StreamOpened

    def __init__(self, rate_hz: Fraction) -> None:
        self.counts = StrapCounts()
        self._rate_hz = rate_hz
        self._end = 0  # index just after what is known
        self._heard_ns: int | None = None
        self._ticked_ns = 0
        self._is_down = False
        self._told = DeviceStatus(SampleIndex(0))
        self._skipped_frames = 0
        self._skipped_bytes = 0
        self._next_skip_report_ns = 0

    def silence(self, host_ns: int) -> list[StreamItem]:
        """Call about every 250 ms: how far the strap must have come, where nothing tells it."""
        if (
            self._heard_ns is None
            or host_ns - max(self._heard_ns, self._ticked_ns) < _TICK_AFTER_NS
        ):
            return []
        self._ticked_ns = host_ns
        return [Tick(self._now(host_ns))]

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """The link went down. Said once, until data flow again."""
        if self._is_down:
            return []
        self._is_down = True
        return [LinkChanged(self._now(host_ns), up=False, reason=reason)]

    def battery(self, value: bytes) -> list[StreamItem]:
        """The battery level as read or notified."""
        percent = heart_rate.decode_battery(value)
        return [] if percent is None else self._status(battery_percent=percent)

    def skip(self, fault: str, n_bytes: int, host_ns: int) -> list[StreamItem]:
        """`n_bytes` made no sense; told at most once in ten seconds."""
        self.counts.malformed[fault] += 1
        self._skipped_frames += 1
        self._skipped_bytes += n_bytes
        if host_ns < self._next_skip_report_ns:
            return []
        self._next_skip_report_ns = host_ns + _REPORT_SKIPPED_EVERY_NS
        frames, n_skipped = self._skipped_frames, self._skipped_bytes
        self._skipped_frames = self._skipped_bytes = 0
        return [BytesSkipped(SampleIndex(self._end), frames, n_skipped, fault)]

    def _status(
        self, *, battery_percent: float | None = None, contact: bool | None = None
    ) -> list[StreamItem]:
        """A DeviceStatus where one of the two has changed."""
        battery = self._told.battery_percent if battery_percent is None else battery_percent
        contact = self._told.contact if contact is None else contact
        told = DeviceStatus(SampleIndex(self._end), battery, contact)
        if replace(told, at=self._told.at) == self._told:
            return []
        self._told = told
        return [told]

    def _back(self) -> list[StreamItem]:
        """The link is up again, if it was down."""
        if not self._is_down:
            return []
        self._is_down = False
        return [LinkChanged(SampleIndex(self._end), up=True, reason="reconnected")]

    def _now(self, host_ns: int) -> SampleIndex:
        if self._heard_ns is None:
            return SampleIndex(self._end)
        elapsed = Fraction(max(0, host_ns - self._heard_ns), _NS)
        return SampleIndex(self._end + int(elapsed * self._rate_hz))


class EcgSession(StrapSession):
    """A strap that sends ECG in stamped packets, and perhaps a `beside` by the same clock."""

    def __init__(
        self, source: str, info: DeviceInfo, form: EcgForm, beside: SignalInfo | None = None
    ) -> None:
        super().__init__(form.rate_hz)
        self._companion = None if beside is None else Companion(beside, form.resolution_ns)
        self._known: Known | None = None
        self._places = StampedPlaces(form.rate_hz, form.resolution_ns)
        self._next_anchor = 0
        signal = SignalInfo(
            ECG, SignalKind.ECG, "mV", form.rate_hz, ("chest",), (form.counts_per_mv,), (0,)
        )
        signals = (signal,) if beside is None else (signal, beside)
        self.opened = StreamOpened(
            source, form.family, info.model or form.family, info.firmware, StampLoss(), signals
        )

    def packet(self, packet: Packet, host_ns: int) -> list[StreamItem]:
        """Items of one packet that arrived at `host_ns`."""
        n = len(packet.millivolts)
        self.counts.received_samples += n
        placed = self._places.place(packet.stamp_ns, n, host_ns)
        if isinstance(placed, Refusal):
            self.counts.refused_samples += n
            # A radio may repeat a packet; that is no fault of what it holds.
            return (
                []
                if placed is Refusal.REPEATED
                else self.skip(placed.value, packet.n_bytes, host_ns)
            )
        self._heard_ns = host_ns
        self.counts.restarts += placed.restarted
        items = self._gap(placed)
        if packet.contact is not None:
            items += self._status(contact=packet.contact)
        items += [PaceMark(SampleIndex(self._end + k)) for k in packet.paced]
        samples = packet.millivolts[:, np.newaxis]
        items.append(SampleChunk(ECG, SampleIndex(self._end), samples))
        self._end += n
        self._known = Known(packet.stamp_ns, self._end - 1, float(self._rate_hz))
        if self._end >= self._next_anchor:
            items.append(ClockAnchor(SampleIndex(self._end - 1), packet.stamp_ns, host_ns))
            self._next_anchor = self._end + int(self._rate_hz * _ANCHOR_EVERY_S)
        return items

    def beside(
        self, stamp_ns: int, samples: NDArray[np.float32], n_bytes: int, host_ns: int
    ) -> list[StreamItem]:
        """Items of the companion's `samples` (n, n_leads), the last taken at `stamp_ns`, that came
        in a packet of `n_bytes`."""
        assert self._companion is not None
        placed = self._companion.packet(stamp_ns, samples, host_ns, self._known)
        if not isinstance(placed, Refusal):
            return placed
        return [] if placed is Refusal.REPEATED else self.skip(placed.value, n_bytes, host_ns)

    def heart_rate(self, value: bytes, host_ns: int) -> list[StreamItem]:
        """A heart rate measurement beside the ECG: contact and the strap's own RR."""
        try:
            rate = heart_rate.decode_measurement(value)
        except ProtocolError as error:
            return self.skip(str(error), len(value), host_ns)
        items = [] if rate.contact is None else self._status(contact=rate.contact)
        if rate.rr_s:
            items.append(RrIntervals(SampleIndex(self._end), rate.rr_s))
        return items

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """The link went down. Said once, until data flow again."""
        self._places.reconnected()
        if self._companion is not None:
            self._companion.link_lost()
        return super().link_lost(host_ns, reason)

    def _gap(self, placed: Placed) -> list[StreamItem]:
        was_down = self._is_down
        if placed.n_missing == 0:
            return self._back()
        reason = GapReason.RECONNECT if was_down or placed.restarted else GapReason.LOST_PACKET
        gap = Gap(ECG, SampleIndex(self._end), placed.n_missing, placed.exact, reason)
        self._end += placed.n_missing
        self.counts.lost_samples += placed.n_missing
        return [*self._back(), gap]


class RrSession(StrapSession):
    """A strap without ECG. Its index counts 1/1024 s, the unit of its RR intervals.

    The intervals follow each other without a break as long as their sum keeps up with the host's
    clock; where it does not, beats were not reported and a Gap says so. It is never exact.
    """

    def __init__(self, source: str, info: DeviceInfo) -> None:
        super().__init__(Fraction(heart_rate.RR_PER_SECOND))
        self._zero_ns: int | None = None
        signal = SignalInfo(RR, SignalKind.RR, "1/1024 s", self._rate_hz, ("RR",), (1.0,), (0,))
        self.opened = StreamOpened(
            source,
            "heart rate strap",
            info.model or "heart rate strap",
            info.firmware,
            NoLossDetection(),
            (signal,),
        )

    def heart_rate(self, value: bytes, host_ns: int) -> list[StreamItem]:
        """Items of one heart rate measurement that arrived at `host_ns`."""
        try:
            rate = heart_rate.decode_measurement(value)
        except ProtocolError as error:
            return self.skip(str(error), len(value), host_ns)
        if self._heard_ns is None:
            self._heard_ns = host_ns
        self.counts.received_samples += len(rate.rr_s)
        items: list[StreamItem] = [] if rate.contact is None else self._status(contact=rate.contact)
        intervals = tuple(rr for rr in rate.rr_1024 if rr)
        if self._zero_ns is None:
            if not intervals:
                return items
            # The index begins with the first beat that is told.
            self._zero_ns = host_ns - sum(intervals) * _NS // heart_rate.RR_PER_SECOND
        arrived = int(Fraction(host_ns - self._zero_ns, _NS) * self._rate_hz)
        if self._end + sum(intervals) - arrived > _ASTRAY_S * self._rate_hz:
            # More heartbeats than time: the radio has repeated a measurement.
            self.counts.refused_samples += len(intervals)
            return items
        missing = self._missing(arrived, sum(intervals))
        if missing > 0:
            reason = GapReason.RECONNECT if self._is_down else GapReason.LOST_PACKET
            items += [*self._back(), Gap(RR, SampleIndex(self._end), missing, False, reason)]
            self._end += missing
            self.counts.lost_samples += missing
        if intervals:
            items += self._back()
            self._end += sum(intervals)
            items.append(RrIntervals(SampleIndex(self._end), rate.rr_s))
            items.append(ClockAnchor(SampleIndex(self._end), None, host_ns))
            self._heard_ns = host_ns
        return items

    def _missing(self, arrived: int, length: int) -> int:
        """Index units without beats before intervals of this length that end near `arrived`."""
        late = arrived - (self._end + length)
        return late if length and late > _ASTRAY_S * self._rate_hz else 0
