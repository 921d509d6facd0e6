"""One source as the page knows it: the newest signal, alarms, trend, and what is not yet sent."""

import base64
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edge_runtime.availability import availability
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    AlarmStateChanged,
    BeatClassified,
    BeatDetected,
)
from edge_runtime.publication import Published
from edge_runtime.signal.ring import RingBuffer
from edge_runtime.sinks import live
from edge_runtime.summary import Summary
from edge_runtime.threads import InQueue
from edge_runtime.web.device_watch import DeviceWatch
from edge_runtime.web.shapes import (
    Alarm,
    LiveSamples,
    LiveSource,
    SourceStatus,
    Strip,
)
from edge_runtime.web.trend import TrendKeeper
from firmware_bridge.stream import Gap, SampleChunk, SignalInfo, StreamOpened

FIRST_SHOWN_S: Final = 20.0
"""A page that opens begins with so much signal: a little more than a wide screen shows."""
_EVENTS_WAITING: Final = 1000
_BEAT_EVENTS_SHOWN: Final = 170
"""Two for each beat: what 20 s hold at 250/min."""
_ALARMS_KEPT: Final = 200
_SESSIONS_KNOWN: Final = 256
"""More than a day has, which is as far as the trend goes back."""
_MAX_MICROVOLTS: Final = 32767
_NONE: Final = -32768


class Followed:
    """State of one source; the owner holds a lock around every call."""

    def __init__(self, name: str, ring_s: float) -> None:
        self.name = name
        self.trend = TrendKeeper()
        self.alarms: deque[Alarm] = deque(maxlen=_ALARMS_KEPT)
        self.session: str | None = None
        self._sessions: deque[str] = deque(maxlen=_SESSIONS_KNOWN)
        self._ring_s = ring_s
        self._live = live.LiveSource()
        self._summary = Summary(name)
        self._device = DeviceWatch()
        self._opened: StreamOpened | None = None
        self._ring: RingBuffer | None = None
        self._sent = 0
        self._events: deque[Published] = deque(maxlen=_EVENTS_WAITING)
        self._beats: deque[Published] = deque(maxlen=_BEAT_EVENTS_SHOWN)

    def say(self, message: str) -> None:
        """A line about a source that has no stream yet."""
        self._live.say(message)

    def see(self, item: InQueue, published: Sequence[Published], now_s: float) -> None:
        """One item and the events it brought."""
        self._live.see(item, published, now_s)
        self._summary.reach(item)
        self._device.see(item)
        match item:
            case StreamOpened():
                self._open(item)
            case SampleChunk() if self._ring is not None and item.signal == self._signal.id:
                if item.first >= self._ring.end:
                    self._ring.write(item.first, item.samples)
            case Gap() if self._ring is not None and item.signal == self._signal.id:
                self._ring.skip_to(max(self._ring.end, item.first + item.n_missing))
            case _:
                pass
        for one in published:
            self.session = one.session
            if one.session not in self._sessions:
                self._sessions.append(one.session)
            self._see_event(one)

    def forget(self, session: str | None) -> None:
        """Nothing of this session is shown any more; None: nothing of what came so far. The trend
        knows no sessions: it begins anew where this source had any part in the session."""
        left = [one for one in self.alarms if session is not None and one.session != session]
        if session is None or session in self._sessions:
            self.trend = TrendKeeper()
        self.alarms.clear()
        self.alarms.extend(left)

    def status(self, now_s: float) -> SourceStatus:
        """Everything but the signal."""
        picture = self._live.picture()
        age_s = None if picture.last_arrival_s is None else max(0.0, now_s - picture.last_arrival_s)
        signal = None if self._opened is None else self._signal
        counts = self._summary.as_dict()
        clock = self._device.clock
        return SourceStatus(
            source=self.name,
            session=self.session,
            availability=availability(link_up=picture.link_up, age_s=age_s),
            age_s=None if age_s is None else round(age_s, 2),
            family=self._opened.family if self._opened else "",
            model=self._opened.model if self._opened else "",
            firmware=self._opened.firmware if self._opened else "",
            rate_hz=float(signal.rate_hz) if signal else 0.0,
            unit=signal.unit if signal else "",
            leads=list(signal.leads) if signal else [],
            lead=picture.lead,
            end=picture.strip_end,
            heart_rate_bpm=picture.heart_rate_bpm,
            quality=picture.quality,
            quality_reason=picture.quality_reason,
            link_reason=picture.link_reason,
            battery_percent=picture.battery_percent,
            contact=self._device.contact,
            clock_error_ppm=None if clock is None else clock.rate_error_ppm,
            clock_jitter_ms=None if clock is None else clock.jitter_ms,
            beats=counts["beats"],
            gaps=counts["gaps"],
            missing_s=counts["missing_s"],
            duration_s=counts["duration_s"],
            messages=list(picture.messages),
        )

    def strip(self, first: int, end: int) -> Strip | None:
        """Samples [first, end) of all leads; None without a stream."""
        if self._ring is None or self.session is None:
            return None
        block = self._ring.read(first, end)
        return Strip(
            source=self.name,
            session=self.session,
            rate_hz=float(self._signal.rate_hz),
            unit=self._signal.unit,
            leads=list(self._signal.leads),
            first=first,
            samples=listed(block),
        )

    def catch_up(self) -> None:
        """Nobody waits for what came so far."""
        self._events.clear()
        self._sent = self._ring.end if self._ring is not None else 0

    def beginning(self, now_s: float) -> LiveSource:
        """What a page that opens is shown: status, the last seconds of signal, the last beats."""
        samples = None
        if self._ring is not None:
            span = int(FIRST_SHOWN_S * self._signal.rate_hz)
            samples = self._samples(max(self._ring.first, self._sent - span))
        return LiveSource(
            source=self.name,
            session=self.session,
            samples=samples,
            events=list(self._beats),
            status=self.status(now_s),
        )

    def news(self, status_at_s: float | None) -> LiveSource | None:
        """What came since the last call, with a status where a time is given; None: nothing."""
        samples = None
        if self._ring is not None and self._ring.end > self._sent:
            oldest = self._ring.end - int(FIRST_SHOWN_S * self._signal.rate_hz)
            begin = max(self._sent, oldest)
            self._sent = self._ring.end
            samples = self._samples(begin)
        events = list(self._events)
        self._events.clear()
        status = None if status_at_s is None else self.status(status_at_s)
        if samples is None and not events and status is None:
            return None
        return LiveSource(
            source=self.name, session=self.session, samples=samples, events=events, status=status
        )

    @property
    def _signal(self) -> SignalInfo:
        assert self._opened is not None
        return self._opened.reference

    def _open(self, opened: StreamOpened) -> None:
        self._opened = opened
        capacity = max(1, int(self._ring_s * self._signal.rate_hz))
        self._ring = RingBuffer(capacity, len(self._signal.leads))
        self._sent = 0
        self._events.clear()
        self._beats.clear()
        for position, shown in enumerate(self.alarms):
            self.alarms[position] = replace(shown, active=False)

    def _samples(self, begin: int) -> LiveSamples:
        assert self._ring is not None
        block = self._ring.read(begin, self._sent)
        return LiveSamples(first=begin, leads=[_encoded(column) for column in block.T])

    def _see_event(self, one: Published) -> None:
        self._summary.see(one.event)
        self.trend.see(one)
        self._events.append(one)
        match event := one.event:
            case BeatDetected() | BeatClassified():
                self._beats.append(one)
            case AlarmRaised():
                self.alarms.append(
                    Alarm(
                        id=f"{one.session}/{event.alarm}",
                        source=self.name,
                        session=one.session,
                        time=one.time,
                        active=True,
                        cleared=None,
                        states=[],
                        alarm=event,
                    )
                )
            case AlarmCleared():
                self._change(one)
            case AlarmStateChanged():
                self._change(one, event.state)
            case _:
                pass

    def _change(self, one: Published, state: str | None = None) -> None:
        """Cleared, or with another `state`."""
        assert isinstance(one.event, AlarmCleared | AlarmStateChanged)
        wanted = f"{one.session}/{one.event.alarm}"
        for position, shown in enumerate(self.alarms):
            if shown.id == wanted:
                changed = (
                    replace(shown, active=False, cleared=one.time)
                    if state is None
                    else replace(shown, states=[*shown.states, state])
                )
                self.alarms[position] = changed


def _encoded(column: NDArray[np.float32]) -> str:
    """Millivolts as base64 of little-endian int16 microvolts."""
    microvolts = np.clip(np.rint(column * 1000.0), -_MAX_MICROVOLTS, _MAX_MICROVOLTS)
    counts = np.where(np.isnan(microvolts), _NONE, microvolts).astype("<i2")
    return base64.b64encode(counts.tobytes()).decode("ascii")


def listed(block: NDArray[np.float32]) -> list[list[float | None]]:
    """Samples (n, n_leads) as lists, one for each lead; None where there is none."""
    return [
        [None if np.isnan(value) else round(float(value), 5) for value in column]
        for column in block.T
    ]
