"""What a live view shows of one source: the last seconds of signal, beats, rate and alarms.

State only; `terminal` draws it. The live view keeps the newest and forgets the rest, so it needs
no queue: a slow screen sees fewer pictures, never an older one.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    AnalysisLeadChanged,
    BeatClassified,
    BeatDetected,
    DeviceReported,
    LinkStateChanged,
    Notice,
    QualityLevel,
    SignalQuality,
    SourceOpened,
)
from edge_runtime.publication import Published
from edge_runtime.rules.heart_rate import LONGEST_S
from edge_runtime.threads import Ended
from firmware_bridge.stream import Gap, LeadStatus, RrIntervals, SampleChunk, StreamOpened

STRIP_S: Final = 8.0
WAITING: Final = "waiting for signal"
"""In place of a quality, before there is one."""
_NO_RATE_AFTER_S: Final = LONGEST_S + 0.4
"""A beat is told up to 0.4 s after its R peak."""
_BEATS_SHOWN: Final = 12
_MESSAGES_SHOWN: Final = 4
_ALARMS_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class ShownBeat:
    """One beat on the strip and in the list. `label` is None until it is classified; `learning`:
    it has no class because no beat of the stream could be compared with the wearer's own yet."""

    at: int
    label: str | None = None
    score: float | None = None
    rr_s: float | None = None
    learning: bool = False


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm with whether its condition still holds."""

    time: str
    alarm: AlarmRaised
    active: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything a screen draws at one moment."""

    opened: StreamOpened | None = None
    strip: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    strip_end: int = 0
    lead: str = ""
    beats: tuple[ShownBeat, ...] = ()
    heart_rate_bpm: float | None = None
    last_beat_at: int | None = None
    quality: str = WAITING
    quality_reason: str = ""
    alarms: tuple[ShownAlarm, ...] = ()
    messages: tuple[str, ...] = ()
    link_up: bool = False
    link_reason: str = ""
    battery_percent: float | None = None
    last_arrival_s: float | None = None


class LiveSource:
    """Follows one source. Written by the engine thread, read by the screen's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture = Picture()
        self._strip = np.full(0, np.nan, np.float32)
        self._signal = ""
        self._lead_index = 0
        self._off: tuple[bool, ...] = ()
        self._learning = True
        self._beats: deque[ShownBeat] = deque(maxlen=4 * _BEATS_SHOWN)
        self._alarms: deque[ShownAlarm] = deque(maxlen=_ALARMS_SHOWN)
        self._messages: deque[str] = deque(maxlen=_MESSAGES_SHOWN)

    def picture(self) -> Picture:
        """A consistent copy of what is shown now."""
        with self._lock:
            return replace(
                self._picture,
                heart_rate_bpm=None if self._is_still() else self._picture.heart_rate_bpm,
                strip=self._strip.copy(),
                beats=tuple(self._beats),
                alarms=tuple(self._alarms),
                messages=tuple(self._messages),
            )

    def say(self, message: str) -> None:
        """A line for the person, as from a source that cannot be opened yet."""
        with self._lock:
            if not self._messages or self._messages[-1] != message:
                self._messages.append(message)

    def see(self, item: object, published: Sequence[Published], now_s: float) -> None:
        """One item and the events it brought, at `now_s` of the monotonic clock."""
        with self._lock:
            if isinstance(item, StreamOpened):
                self._open(item)
            elif isinstance(item, SampleChunk) and item.signal == self._signal:
                column = item.samples[:, self._lead_index]
                # A floating input draws a rail that says nothing and hides all else.
                self._append(np.full_like(column, np.nan) if self._is_off() else column)
                self._change(strip_end=item.end, link_up=True, last_arrival_s=now_s)
            elif isinstance(item, LeadStatus) and item.signal == self._signal:
                self._off = item.off
            elif isinstance(item, Gap) and item.signal == self._signal:
                n = min(item.n_missing, len(self._strip))
                self._append(np.full(n, np.nan, np.float32))
                self._change(strip_end=item.first + item.n_missing)
            elif isinstance(item, RrIntervals):
                self._change(strip_end=max(item.at, self._picture.strip_end), last_arrival_s=now_s)
            elif isinstance(item, Ended):
                self._change(link_up=False, link_reason=item.reason)
            for one in published:
                self._see_event(one)

    def _open(self, opened: StreamOpened) -> None:
        signal = opened.reference
        self._signal = signal.id
        self._lead_index = 0
        self._off = ()
        self._learning = True
        self._strip = np.full(int(STRIP_S * signal.rate_hz), np.nan, np.float32)
        self._picture = Picture(opened=opened, lead=signal.leads[0], link_up=True)
        self._beats.clear()
        # Alarms of the stream before are over: nothing is left that could clear them.
        for position, shown in enumerate(self._alarms):
            self._alarms[position] = replace(shown, active=False)

    def _is_off(self) -> bool:
        return self._lead_index < len(self._off) and self._off[self._lead_index]

    def _is_still(self) -> bool:
        """Nothing has beaten for longer than any interval that is averaged."""
        opened, last = self._picture.opened, self._picture.last_beat_at
        if opened is None or last is None:
            return False
        return self._picture.strip_end - last > _NO_RATE_AFTER_S * opened.reference.rate_hz

    def _append(self, samples: NDArray[np.float32]) -> None:
        newest = samples[-len(self._strip) :]
        if len(newest) == 0:
            return
        self._strip[: -len(newest)] = self._strip[len(newest) :]
        self._strip[-len(newest) :] = newest

    def _change(self, **changes: Any) -> None:
        self._picture = replace(self._picture, **changes)

    def _see_event(self, published: Published) -> None:
        match event := published.event:
            case BeatDetected():
                self._beats.append(ShownBeat(event.at, rr_s=event.rr_s))
                # A beat that was tentative at first may come behind a later one.
                last = max(event.at, self._picture.last_beat_at or 0)
                self._change(heart_rate_bpm=event.heart_rate_bpm, last_beat_at=last)
            case BeatClassified():
                self._label(event)
            case AlarmRaised():
                self._alarms.append(ShownAlarm(published.time, event))
            case AlarmCleared():
                self._clear(event.alarm)
            case SignalQuality():
                if event.lead == self._picture.lead:
                    self._change(quality=event.level.value, quality_reason=event.reason)
            case AnalysisLeadChanged():
                self._select(event.lead)
            case LinkStateChanged():
                self._change(link_up=event.up, link_reason=event.reason)
            case DeviceReported():
                self._change(battery_percent=event.battery_percent)
            case Notice():
                self._messages.append(event.message)
            case SourceOpened() | _:
                pass

    def _label(self, event: BeatClassified) -> None:
        # Scores need a template of the wearer's own beats: the first few beats have none.
        self._learning = self._learning and not event.scores
        for position, beat in enumerate(self._beats):
            if beat.at == event.at:
                self._beats[position] = replace(
                    beat,
                    label=event.label.value,
                    score=event.scores.get(event.label.value),
                    learning=self._learning and self._picture.quality != QualityLevel.UNUSABLE,
                )

    def _clear(self, alarm: int) -> None:
        for position, shown in enumerate(self._alarms):
            if shown.alarm.alarm == alarm:
                self._alarms[position] = replace(shown, active=False)

    def _select(self, lead: str) -> None:
        opened = self._picture.opened
        if opened is not None and lead in opened.reference.leads:
            self._lead_index = opened.reference.leads.index(lead)
            self._change(lead=lead)
