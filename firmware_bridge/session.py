"""From the bytes of one own-protocol sensor to stream items, over reconnects and reboots. No I/O.

Loss is exact as long as the sample counter can be believed: it then tells how many samples never
came. It is not believed after a reboot, which HELLO tells, nor where it leaps ahead of what the
host's clock allows or goes back by more than a second: then the sensor has rebooted and the HELLO
that said so was lost. The length of such a hole is taken from the host's clock and marked inexact.

What stays unseen: a reboot without its HELLO whose new counter lands less than a second behind the
last sample, or ahead of it within what the host's clock allows. The samples until it has caught up
count as repeated, and the hole gets the length that the counter says.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge import protocol
from firmware_bridge.errors import ProtocolError
from firmware_bridge.framing import FrameReader, MalformedFrame
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    CounterLoss,
    DeviceStatus,
    Gap,
    GapReason,
    LeadStatus,
    LinkChanged,
    PaceMark,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
    UserMark,
)

SIGNAL: Final = "ecg"
_ANCHOR_EVERY_S: Final = 1
_REPORT_SKIPPED_EVERY_NS: Final = 10_000_000_000
_SILENCE_BEFORE_TICK_NS: Final = 249_000_000
"""A quarter of a second, after which drivers ask, less what their timers may be early."""
_REPEATS_S: Final = 1
"""A sensor may send again what is younger than this; docs/wire-protocol.md tells it so."""
_AHEAD_S: Final = 60
_DRIFT: Final = Fraction(5, 100)
"""How far the counter may be ahead of the host's clock: a minute of samples that the sensor or the
link held back, and the error of a poor oscillator (5 %) over the time without any."""
_NS: Final = 1_000_000_000


@dataclass(slots=True)
class LinkCounts:
    """What was dropped, for logs and diagnosis."""

    frames: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    repeated_samples: int = 0
    lost_samples: int = 0
    reboots: int = 0


class SensorSession:
    """One sensor's stream. Feed it bytes with their arrival time on a monotonic host clock."""

    def __init__(self, source: str) -> None:
        self.counts = LinkCounts()
        self._source = source
        self._reader = FrameReader()
        self._hello: protocol.Hello | None = None
        self._scale = np.ones(1, dtype=np.float32)
        self._offset = np.zeros(1, dtype=np.int32)
        self._counter_at_zero = 0  # device counter (unwrapped) that index 0 corresponds to
        self._started = False  # a DATA message has fixed `_counter_at_zero`
        self._end = 0  # index just after the last sample or gap
        self._next_anchor = 0
        self._last_arrival_ns = 0
        self._leads_off: int | None = None
        self._status: tuple[int | None, bool | None] | None = None
        self._is_down = False
        self._rebooted = False
        self._unplaced = 0  # samples that came together with the first ones after a reboot
        self._hello_missed = False  # a reboot that no HELLO has told yet
        self._doubted: int | None = None  # counter after the last DATA that was not believed
        self._last_tick_ns = 0
        self._skipped_frames = 0
        self._skipped_bytes = 0
        self._next_skip_report_ns = 0

    @property
    def is_open(self) -> bool:
        """True once the sensor has said what it is."""
        return self._hello is not None

    def feed(self, data: bytes, host_ns: int) -> list[StreamItem]:
        """Items that `data`, arrived at `host_ns`, completes; adjacent packets become one chunk.

        Raises ProtocolError when another device answers on the same link: a new session is due.
        """
        items: list[StreamItem] = []
        messages = self._decoded(data)
        for k, (message, n_bytes) in enumerate(messages):
            fault = self._fault_of(message, host_ns)
            if fault is not None:
                self._skip(fault, n_bytes)
                continue
            self.counts.frames += 1
            if self._rebooted:
                self._unplaced = sum(_n_samples(one) for one, _ in messages[k:])
            self._take(message, host_ns, items)
        self._report_skipped(host_ns, items)
        if self._is_quiet(host_ns):  # bytes, but nothing new in them
            items += self.silence(host_ns)
        return _joined(items)

    def _decoded(self, data: bytes) -> list[tuple[protocol.DeviceMessage, int]]:
        """Messages with the length of their frames."""
        messages: list[tuple[protocol.DeviceMessage, int]] = []
        for frame in self._reader.feed(data):
            if isinstance(frame, MalformedFrame):
                self._skip(frame.fault.value, frame.n_bytes)
                continue
            try:
                messages.append((protocol.decode(frame), len(frame)))
            except ProtocolError:
                self.counts.unknown += 1
                self._skip("not a known message", len(frame))
        return messages

    def silence(self, host_ns: int) -> list[StreamItem]:
        """Call about every 250 ms while nothing arrives: how far the sensor must have come."""
        if not self._started or host_ns - self._last_arrival_ns < _SILENCE_BEFORE_TICK_NS:
            return []
        self._last_tick_ns = host_ns
        return [Tick(SampleIndex(self._end + self._samples_since(host_ns)))]

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """The link went down. Said once, until samples flow again."""
        self._reader = FrameReader()
        if self._is_down or not self.is_open:
            return []
        self._is_down = True
        at = SampleIndex(self._end + self._samples_since(host_ns))
        return [LinkChanged(at, up=False, reason=reason)]

    def _is_quiet(self, host_ns: int) -> bool:
        """Neither new samples nor a tick for a while."""
        return host_ns - max(self._last_arrival_ns, self._last_tick_ns) >= _SILENCE_BEFORE_TICK_NS

    def _fault_of(self, message: protocol.DeviceMessage, host_ns: int) -> str | None:
        """Why a well-formed DATA cannot be used; None when it (or another message) can."""
        if self._hello is None or not isinstance(message, protocol.Data):
            return None
        n_leads, n_announced = message.counts.shape[1], len(self._hello.leads)
        if n_leads != n_announced:
            return f"{n_leads} leads where HELLO announced {n_announced}"
        if not self._started or self._rebooted:
            return None
        if self._is_plausible(message.counter, len(message.counts), host_ns):
            self._doubted = None
            return None
        expected = self._doubted
        self._doubted = (message.counter + len(message.counts)) % protocol.COUNTER_MODULUS
        # One such message is a fault; a second that goes on from it is a counter that began anew.
        if expected is None or not self._goes_on(expected, message.counter):
            return "counter out of place"
        self._doubted = None
        self._hello_missed = self._rebooted = True
        self.counts.reboots += 1
        return None

    def _is_plausible(self, counter: int, n_samples: int, host_ns: int) -> bool:
        """`n_samples` from `counter` on end no more than a repetition behind what is known, and
        begin no further ahead than the host's clock allows."""
        assert self._hello is not None
        rate_hz = self._hello.rate_hz
        most = self._samples_since(host_ns) * (1 + _DRIFT) + _AHEAD_S * rate_hz
        ahead = self._ahead_of_end(counter)
        return -_REPEATS_S * rate_hz <= ahead + n_samples and ahead <= most

    def _goes_on(self, expected: int, counter: int) -> bool:
        """`counter` is `expected`, or ahead of it by a few packets that were lost in between."""
        assert self._hello is not None
        return (counter - expected) % protocol.COUNTER_MODULUS <= _REPEATS_S * self._hello.rate_hz

    def _take(self, message: protocol.DeviceMessage, host_ns: int, items: list[StreamItem]) -> None:
        match message:
            case protocol.Hello():
                self._take_hello(message, items)
            case _ if self._hello is None:
                return  # nothing can be placed or scaled before HELLO; the host has asked for it
            case protocol.Data():
                self._take_data(message, host_ns, items)
            case protocol.Status():
                status = (message.battery_percent, message.contact)
                if status != self._status:
                    self._status = status
                    items.append(DeviceStatus(SampleIndex(self._end), *status))
            case protocol.Mark():
                items.append(UserMark(self._near_end(message.counter, host_ns), message.text))
            case protocol.Pace():
                items.append(PaceMark(self._near_end(message.counter, host_ns)))

    def _take_hello(self, hello: protocol.Hello, items: list[StreamItem]) -> None:
        if self._hello is None:
            self._hello = hello
            self._scale = np.array([1 / lead.counts_per_mv for lead in hello.leads], np.float32)
            self._offset = np.array([lead.baseline for lead in hello.leads], np.int32)
            items.append(_opened(self._source, hello))
            return
        if _identity(hello) != _identity(self._hello):
            raise ProtocolError(
                f"another device answers: {hello.model} {hello.serial} instead of "
                f"{self._hello.model} {self._hello.serial}"
            )
        if hello.boot != self._hello.boot and not self._hello_missed:
            self.counts.reboots += 1
            self._rebooted = True
        self._hello_missed = False
        self._doubted = None
        self._hello = hello

    def _take_data(self, data: protocol.Data, host_ns: int, items: list[StreamItem]) -> None:
        counts = data.counts
        if not self._started:
            self._started = True
            self._counter_at_zero = data.counter
        elif self._rebooted:
            self._place_after_reboot(data.counter, host_ns, items)
        ahead = self._ahead_of_end(data.counter)
        if ahead < 0:
            self.counts.repeated_samples += min(-ahead, len(counts))
            counts = counts[-ahead:]
            if len(counts) == 0:
                return  # not an arrival: should this go on, the clock must, too
        if self._is_down:
            items.append(LinkChanged(self._index_of(data.counter), up=True, reason="reconnected"))
        if ahead > 0:
            self._add_gap(ahead, exact=True, items=items)
        self._last_arrival_ns = host_ns
        self._is_down = False
        if len(counts) == 0:
            return
        self._report_leads(data.leads_off, items)
        if self._end >= self._next_anchor:
            self._add_anchor(data, host_ns, items)
        samples = (counts - self._offset).astype(np.float32) * self._scale
        items.append(SampleChunk(SIGNAL, SampleIndex(self._end), samples))
        self._end += len(samples)

    def _place_after_reboot(self, counter: int, host_ns: int, items: list[StreamItem]) -> None:
        self._rebooted = False
        # What comes in one portion was sampled up to now, not from now on. One at least is missing:
        # the signal does not go on where it was.
        missing = max(1, self._samples_since(host_ns) - self._unplaced)
        self._add_gap(missing, exact=False, items=items)
        self._counter_at_zero = counter - self._end

    def _ahead_of_end(self, counter: int) -> int:
        """Samples from the end of what is known to `counter`, the nearest way round its wrap."""
        distance = (counter - self._counter_at_zero - self._end) % protocol.COUNTER_MODULUS
        half = protocol.COUNTER_MODULUS // 2
        return distance - protocol.COUNTER_MODULUS if distance >= half else distance

    def _index_of(self, counter: int) -> SampleIndex:
        return SampleIndex(max(0, self._end + self._ahead_of_end(counter)))

    def _near_end(self, counter: int, host_ns: int) -> SampleIndex:
        """The index of `counter`; the end of the signal where it cannot be believed."""
        if self._started and not self._rebooted and self._is_plausible(counter, 0, host_ns):
            return self._index_of(counter)
        return SampleIndex(self._end)

    def _add_gap(self, n_missing: int, *, exact: bool, items: list[StreamItem]) -> None:
        reason = GapReason.RECONNECT if self._is_down or not exact else GapReason.LOST_PACKET
        items.append(Gap(SIGNAL, SampleIndex(self._end), n_missing, exact, reason))
        self.counts.lost_samples += n_missing
        self._end += n_missing

    def _add_anchor(self, data: protocol.Data, host_ns: int, items: list[StreamItem]) -> None:
        assert self._hello is not None
        first = self._index_of(data.counter)
        items.append(ClockAnchor(first, data.device_us * 1000, host_ns))
        self._next_anchor = self._end + int(self._hello.rate_hz * _ANCHOR_EVERY_S)

    def _report_leads(self, leads_off: int, items: list[StreamItem]) -> None:
        assert self._hello is not None
        if not self._hello.has_leadoff_sensor or leads_off == self._leads_off:
            return
        self._leads_off = leads_off
        off = tuple(bool(leads_off >> k & 1) for k in range(len(self._hello.leads)))
        items.append(LeadStatus(SIGNAL, SampleIndex(self._end), off))

    def _samples_since(self, host_ns: int) -> int:
        """Samples the sensor must have taken since the last arrival, at its nominal rate."""
        if self._hello is None or not self._started:
            return 0
        elapsed = Fraction(max(0, host_ns - self._last_arrival_ns), _NS)
        return int(elapsed * self._hello.rate_hz)

    def _skip(self, fault: str, n_bytes: int) -> None:
        self.counts.malformed[fault] += 1
        self._skipped_frames += 1
        self._skipped_bytes += n_bytes

    def _report_skipped(self, host_ns: int, items: list[StreamItem]) -> None:
        if not self._skipped_frames or not self.is_open or host_ns < self._next_skip_report_ns:
            return
        faults = ", ".join(f"{fault} ({n})" for fault, n in sorted(self.counts.malformed.items()))
        items.append(
            BytesSkipped(SampleIndex(self._end), self._skipped_frames, self._skipped_bytes, faults)
        )
        self._skipped_frames = self._skipped_bytes = 0
        self._next_skip_report_ns = host_ns + _REPORT_SKIPPED_EVERY_NS


def _joined(items: list[StreamItem]) -> list[StreamItem]:
    """Chunks that follow each other without anything between them as one: everything downstream
    costs by the item."""
    joined: list[StreamItem] = []
    run: list[SampleChunk] = []
    for item in items:
        if isinstance(item, SampleChunk):
            run.append(item)
            continue
        joined += _as_one(run)
        run = []
        joined.append(item)
    return joined + _as_one(run)


def _as_one(run: list[SampleChunk]) -> list[StreamItem]:
    if len(run) < 2:
        return [*run]
    return [SampleChunk(SIGNAL, run[0].first, np.concatenate([chunk.samples for chunk in run]))]


def _n_samples(message: protocol.DeviceMessage) -> int:
    return len(message.counts) if isinstance(message, protocol.Data) else 0


def _identity(hello: protocol.Hello) -> tuple[object, ...]:
    return hello.model, hello.serial, hello.rate_hz, hello.leads


def _opened(source: str, hello: protocol.Hello) -> StreamOpened:
    signal = SignalInfo(
        id=SIGNAL,
        kind=SignalKind.ECG,
        unit="mV",
        rate_hz=hello.rate_hz,
        leads=tuple(lead.name for lead in hello.leads),
        counts_per_unit=tuple(lead.counts_per_mv for lead in hello.leads),
        baseline=tuple(lead.baseline for lead in hello.leads),
    )
    return StreamOpened(
        source=source,
        family="ecg-edge sensor",
        model=hello.model,
        firmware=hello.firmware,
        loss=CounterLoss(protocol.COUNTER_MODULUS),
        signals=(signal,),
    )
