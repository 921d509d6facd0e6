"""What people do to alarms: acknowledge and reset. A pure state machine outside the engine.

It takes the engine's events and a person's commands and knows which alarms are to be shown, with
or without sound (IEC 60601-1-8). Audio pause, reminder and escalation come here too: they need an
injected monotonic clock, because they must run on when the signal stops.
"""

from dataclasses import dataclass, replace

from edge_runtime.events import AlarmCleared, AlarmRaised, AlarmStateChanged, Event


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm a person can see. `holds`: its condition is still there."""

    raised: AlarmRaised
    holds: bool = True
    acknowledged: bool = False

    @property
    def audible(self) -> bool:
        """Sound is on: a latched alarm stays audible after its condition has ended."""
        return not self.acknowledged


class Latch:
    """The alarms of one source that are shown, by number."""

    def __init__(self) -> None:
        self._shown: dict[int, ShownAlarm] = {}

    @property
    def shown(self) -> tuple[ShownAlarm, ...]:
        """Every alarm on show, the first raised first."""
        return tuple(self._shown.values())

    def see(self, event: Event) -> None:
        """Take an event of the engine. An alarm that latches stays shown after its end, unless
        it was acknowledged."""
        if isinstance(event, AlarmRaised):
            self._shown[event.alarm] = ShownAlarm(event)
        elif isinstance(event, AlarmCleared):
            alarm = self._shown.pop(event.alarm, None)
            if alarm is not None and alarm.raised.latched and not alarm.acknowledged:
                self._shown[event.alarm] = replace(alarm, holds=False)

    def acknowledge(self, alarm: int, by: str, at: int) -> AlarmStateChanged | None:
        """Sound off for this alarm until its condition ends; None if nothing changes."""
        shown = self._shown.get(alarm)
        if shown is None or shown.acknowledged or not shown.holds:
            return None
        self._shown[alarm] = replace(shown, acknowledged=True)
        return AlarmStateChanged(at=at, decided=at, alarm=alarm, state="acknowledged", by=by)

    def reset(self, alarm: int, by: str, at: int) -> AlarmStateChanged | None:
        """End the signal of a latched alarm whose condition is over; None if it is not."""
        shown = self._shown.get(alarm)
        if shown is None or shown.holds:
            return None
        del self._shown[alarm]
        return AlarmStateChanged(at=at, decided=at, alarm=alarm, state="reset", by=by)
