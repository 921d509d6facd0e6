"""An event on its way out of the engine: numbered within its session and given a wall time.

This is the form that the store keeps and every sink sends: one numbering, one clock.
"""

import datetime
import secrets
import time
from typing import Final

import msgspec

from edge_runtime.events import AlarmStateChanged, Event
from firmware_bridge.clock import ClockFit, ClockFitter, SteadyClock
from firmware_bridge.stream import ClockAnchor, Gap, SampleIndex, StreamOpened

_REFIT_EVERY: Final = 10
"""Anchors (about seconds) between two fits: drift is slow."""
_NS: Final = 1_000_000_000


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is unique everywhere: session and counter. `time` is UTC in ISO 8601, of `event.at`."""

    id: str
    source: str
    session: str
    number: int
    time: str
    event: Event


class Session:
    """One stream from its StreamOpened on: its name, its event counter, its clock."""

    def __init__(self, opened: StreamOpened, utc_ns: int, host_ns: int) -> None:
        self.opened = opened
        self.id = _session_id(utc_ns)
        self.started_utc_ns = utc_ns
        self._utc_minus_host_ns = utc_ns - host_ns
        self._fitter = ClockFitter(opened.reference.rate_hz)
        fit = ClockFit(float(host_ns), float(opened.reference.rate_hz), 0.0, 0.0)
        self._clock = SteadyClock(fit)
        self._anchors = 0
        self._number = 0
        self._decided = 0  # of the last event

    @classmethod
    def begin(cls, opened: StreamOpened) -> "Session":
        """A session that starts now."""
        return cls(opened, time.time_ns(), time.monotonic_ns())

    def see_anchor(self, anchor: ClockAnchor) -> None:
        """Let the session's clock follow the sensor's."""
        self._fitter.add(anchor)
        self._anchors += 1
        if self._anchors <= _REFIT_EVERY or self._anchors % _REFIT_EVERY == 0:
            fit = self._fitter.fit()
            if fit is not None:
                self._clock.follow(fit, anchor.index)

    def see_gap(self, gap: Gap) -> None:
        """An estimated hole moves the sensor's count against its clock: fit anew."""
        if not gap.exact and gap.signal == self.opened.reference.id:
            self._fitter.restart()
            self._anchors = 0

    def utc_ns(self, index: int) -> int:
        """When sample `index` was taken, nanoseconds since 1970 UTC."""
        return self._clock.host_ns(SampleIndex(index)) + self._utc_minus_host_ns

    def state_changed(self, alarm: int, state: str, by: str) -> AlarmStateChanged:
        """What a person did, dated to the last thing that was said of the signal."""
        at = self._decided
        return AlarmStateChanged(at=at, decided=at, alarm=alarm, state=state, by=by)

    def publish(self, event: Event) -> Published:
        """`event` with the session's next number."""
        self._number += 1
        self._decided = event.decided
        return Published(
            id=f"{self.id}/{self._number}",
            source=self.opened.source,
            session=self.id,
            number=self._number,
            time=utc_text(self.utc_ns(event.at)),
            event=event,
        )


def utc_text(utc_ns: int) -> str:
    """ISO 8601 with milliseconds, as in 2026-11-23T18:15:00.125Z."""
    seconds, nanoseconds = divmod(utc_ns, _NS)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1_000_000:03d}Z"


def _session_id(utc_ns: int) -> str:
    """Sorts by time, and never repeats even where the clock was set back."""
    moment = datetime.datetime.fromtimestamp(utc_ns // _NS, datetime.UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
