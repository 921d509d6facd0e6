"""What is to be told of a source now, as opposed to what happened: values that expire."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.availability import Availability, availability
from edge_runtime.events import Priority
from edge_runtime.integrations.message import NOTICE
from edge_runtime.publication import Published, utc_text
from edge_runtime.sinks.live import LiveSource
from edge_runtime.threads import InQueue

_ORDER: Final = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


class LiveValues(msgspec.Struct, frozen=True, kw_only=True):
    """The newest of one source; `time` is when it was so, by this machine's clock."""

    time: str
    heart_rate_bpm: float | None
    quality: str
    lead: str
    battery_percent: float | None
    notice: str = NOTICE


class HoldingAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm whose condition holds. `alarm` is its id."""

    alarm: str
    rule: str
    priority: Priority
    text: str
    acknowledged: bool


class AlarmValues(msgspec.Struct, frozen=True, kw_only=True):
    """The alarms of one source that hold now, and the most urgent `priority` of them, or "none"."""

    time: str
    priority: str
    text: str
    alarms: list[HoldingAlarm]
    notice: str = NOTICE


class SourceState:
    """One source as it is now. `see` is called in the engine's thread."""

    def __init__(
        self,
        name: str,
        desk: AlarmDesk,
        *,
        now_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = name
        self._desk = desk
        self._now_s, self._utc_ns = now_s, utc_ns
        self._live = LiveSource()

    def see(self, item: InQueue, published: Sequence[Published]) -> None:
        """One item and the events it brought."""
        self._live.see(item, published, self._now_s())

    def availability(self) -> Availability:
        """Can it be said to be monitored."""
        picture = self._live.picture()
        arrived_s = picture.last_arrival_s
        age_s = None if arrived_s is None else self._now_s() - arrived_s
        return availability(link_up=picture.link_up, age_s=age_s)

    def values(self) -> LiveValues:
        """Its newest values."""
        picture = self._live.picture()
        rate = picture.heart_rate_bpm
        return LiveValues(
            time=utc_text(self._utc_ns()),
            heart_rate_bpm=None if rate is None else round(rate, 1),
            quality=picture.quality,
            lead=picture.lead,
            battery_percent=picture.battery_percent,
        )

    def alarms(self) -> AlarmValues:
        """Its alarms that hold."""
        shown = [one for one in self._desk.board().alarms if one.source == self.name and one.holds]
        first = max(shown, key=lambda one: _ORDER.index(one.raised.priority), default=None)
        return AlarmValues(
            time=utc_text(self._utc_ns()),
            priority="none" if first is None else first.raised.priority.value,
            text="" if first is None else first.raised.text,
            alarms=[
                HoldingAlarm(
                    alarm=f"{one.session}/{one.raised.alarm}",
                    rule=one.raised.rule,
                    priority=one.raised.priority,
                    text=one.raised.text,
                    acknowledged=one.acknowledged,
                )
                for one in shown
            ],
        )
