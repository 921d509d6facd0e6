"""Alarm signals: shown, audible, acknowledged, paused, off, latched, reminded, escalated.

The words are those of IEC 60601-1-8. A pure state machine on the people's clock: every call says
what time it is (monotonic seconds), so it runs on when the signal stops. The conditions themselves,
with their hysteresis and refractory time, are the engine's.

- Acknowledged: no sound for this alarm until its condition ends.
- Audio paused: no sound for at most 120 s; a new high-priority alarm breaks it.
- Alarm off: no sound until it is switched on again; shown all the time, with a reminder.
- Latched (high-priority physiological alarms): shown and heard when the condition has ended, until
  it is reset, or ended while acknowledged.
- Reminder: while alarms are off, or an acknowledged condition still holds.
- Escalation: nobody acknowledged in time; it sounds one priority higher, and is told to others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from edge_runtime.events import AlarmCleared, AlarmRaised, Event, Priority
from edge_runtime.rules.bounds import bounded, check_bounds

LONGEST_PAUSE_S: Final = 120.0
ALL: Final = 0
"""In place of an alarm's number: the change concerns all alarms."""
NOBODY: Final = "nobody"
"""In place of a person's name: time did it."""

_HIGHER: Final = {
    Priority.LOW: Priority.MEDIUM,
    Priority.MEDIUM: Priority.HIGH,
    Priority.HIGH: Priority.HIGH,
}
_ORDER: Final = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """`pause_s`: how long the sound pauses. `reminder_s`: between two reminders. `escalate_s`: an
    alarm of medium or high priority that nobody acknowledged for so long."""

    pause_s: float = bounded(120.0, 10.0, LONGEST_PAUSE_S)
    reminder_s: float = bounded(180.0, 30.0, 900.0)
    escalate_s: float = bounded(60.0, 15.0, 300.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm a person can see. `holds`: its condition is still there."""

    source: str
    session: str
    raised: AlarmRaised
    since_s: float
    holds: bool = True
    acknowledged_s: float | None = None
    escalated: bool = False
    reminders: int = 0

    @property
    def acknowledged(self) -> bool:
        """A person has seen it."""
        return self.acknowledged_s is not None

    @property
    def sounds_as(self) -> Priority | None:
        """The burst it asks for; a latched one asks on after its condition has ended."""
        if self.acknowledged:
            return None
        priority = self.raised.priority
        return _HIGHER[priority] if self.escalated else priority


@dataclass(frozen=True, slots=True)
class Change:
    """Something became different for a person: stored as `AlarmStateChanged`.

    `session` and `alarm` are empty and `ALL` where it concerns every alarm.
    """

    state: str
    by: str
    session: str = ""
    alarm: int = ALL


Changes = list[Change]
_Key = tuple[str, int]


class AlarmSignals:
    """The alarms of all sources, by session and number."""

    def __init__(self, settings: AlarmSettings | None = None) -> None:
        self._settings = settings or AlarmSettings()
        self._shown: dict[_Key, ShownAlarm] = {}
        self._paused_until: float | None = None
        self._off_since: float | None = None
        self._off_reminders = 0

    def configure(self, settings: AlarmSettings) -> None:
        """Other times from now on; what was told already is not told again."""
        self._settings = settings

    @property
    def shown(self) -> tuple[ShownAlarm, ...]:
        """Every alarm on show, the first raised first."""
        return tuple(self._shown.values())

    @property
    def off(self) -> bool:
        """Alarms are off: to be shown all the time."""
        return self._off_since is not None

    def paused_for_s(self, now_s: float) -> float:
        """How long the pause of the sound still lasts, 0 for none."""
        return 0.0 if self._paused_until is None else max(0.0, self._paused_until - now_s)

    def sounding(self, now_s: float) -> Priority | None:
        """Which burst is to be heard now."""
        if self.off or self.paused_for_s(now_s) > 0:
            return None
        asked = [p for alarm in self._shown.values() if (p := alarm.sounds_as) is not None]
        return max(asked, key=_ORDER.index, default=None)

    def see(self, source: str, session: str, event: Event, now_s: float) -> Changes:
        """Take an event of the engine."""
        if isinstance(event, AlarmRaised):
            self._shown[session, event.alarm] = ShownAlarm(source, session, event, now_s)
            if event.priority is Priority.HIGH and self.paused_for_s(now_s) > 0:
                self._paused_until = None
                return [Change("audio_resumed", f"new alarm: {event.text}")]
        elif isinstance(event, AlarmCleared):
            self._condition_ended((session, event.alarm))
        return []

    def end_session(self, session: str) -> None:
        """Nothing can clear its alarms any more: their conditions are over."""
        for key in [key for key in self._shown if key[0] == session]:
            self._condition_ended(key)

    def forget(self, session: str) -> None:
        """Nothing is known of this session any more."""
        for key in [key for key in self._shown if key[0] == session]:
            del self._shown[key]

    def acknowledge(self, session: str, alarm: int, by: str, now_s: float) -> Changes:
        """Sound off for this alarm until its condition ends. A latched one whose condition has
        ended goes with it."""
        shown = self._shown.get((session, alarm))
        if shown is None or shown.acknowledged:
            return []
        if shown.holds:
            self._shown[session, alarm] = replace(shown, acknowledged_s=now_s, reminders=0)
        else:
            del self._shown[session, alarm]
        return [Change("acknowledged", by, session, alarm)]

    def reset(self, by: str) -> Changes:
        """End the signals of every latched alarm whose condition is over."""
        over = [key for key, alarm in self._shown.items() if not alarm.holds]
        for key in over:
            del self._shown[key]
        return [Change("reset", by, *key) for key in over]

    def pause_audio(self, by: str, now_s: float, seconds: float | None = None) -> Changes:
        """No sound for `seconds` (None: as set), at most 120 s from now."""
        wanted = self._settings.pause_s if seconds is None else seconds
        if not 0 < wanted <= LONGEST_PAUSE_S:
            raise ValueError(f"a pause lasts up to {LONGEST_PAUSE_S:g} s, not {wanted:g} s")
        self._paused_until = now_s + wanted
        return [Change("audio_paused", by)]

    def resume_audio(self, by: str, now_s: float) -> Changes:
        """End the pause."""
        if self.paused_for_s(now_s) == 0:
            return []
        self._paused_until = None
        return [Change("audio_resumed", by)]

    def switch_off(self, by: str, now_s: float) -> Changes:
        """No sound until `switch_on`; alarms are raised, shown and stored all the same."""
        if self.off:
            return []
        self._off_since, self._off_reminders = now_s, 0
        return [Change("alarm_off", by)]

    def switch_on(self, by: str) -> Changes:
        """Alarms are heard again."""
        if not self.off:
            return []
        self._off_since = None
        return [Change("alarm_on", by)]

    def tick(self, now_s: float) -> Changes:
        """What the time has brought: the end of a pause, reminders, escalation."""
        changes: Changes = []
        if self._paused_until is not None and now_s >= self._paused_until:
            # Nobody could be expected to react to what nobody could hear.
            self._restart_waiting(self._paused_until)
            self._paused_until = None
            changes.append(Change("audio_resumed", NOBODY))
        if self._off_since is not None:
            due = int((now_s - self._off_since) / self._settings.reminder_s)
            if due > self._off_reminders:
                self._off_reminders = due
                changes.append(Change("reminder", NOBODY))
        for key, alarm in list(self._shown.items()):
            changes += self._tick_alarm(key, alarm, now_s)
        return changes

    def snapshot(self, now_s: float) -> dict[str, Any]:
        """What survives a restart, as plain data; times become spans."""
        return {
            "off": self.off,
            "paused_for_s": self.paused_for_s(now_s),
            "shown": [
                {
                    "source": alarm.source,
                    "session": alarm.session,
                    "raised": msgspec.to_builtins(alarm.raised),
                    "age_s": now_s - alarm.since_s,
                    "acknowledged": alarm.acknowledged,
                    "escalated": alarm.escalated,
                }
                for alarm in self._shown.values()
            ],
        }

    def restore(self, saved: dict[str, Any], now_s: float) -> None:
        """After a restart: alarms off stay off, a pause goes on, latched alarms stay shown.

        No condition holds any more: if it does, the engine raises it anew. Raises
        `msgspec.ValidationError`, `KeyError` or `TypeError` on anything else.
        """
        rows = [
            (row, msgspec.convert(row["raised"], AlarmRaised, strict=False))
            for row in saved["shown"]
        ]
        paused_s, is_off = min(float(saved["paused_for_s"]), LONGEST_PAUSE_S), bool(saved["off"])
        self._shown = {
            (row["session"], raised.alarm): ShownAlarm(
                source=str(row["source"]),
                session=str(row["session"]),
                raised=raised,
                since_s=now_s - float(row["age_s"]),
                holds=False,
                escalated=bool(row["escalated"]),
            )
            for row, raised in rows
            if raised.latched and not row["acknowledged"]
        }
        self._paused_until = now_s + paused_s if paused_s > 0 else None
        self._off_since = now_s if is_off else None

    def _condition_ended(self, key: _Key) -> None:
        alarm = self._shown.pop(key, None)
        if alarm is not None and alarm.raised.latched and not alarm.acknowledged:
            self._shown[key] = replace(alarm, holds=False)

    def _restart_waiting(self, from_s: float) -> None:
        for key, alarm in list(self._shown.items()):
            self._shown[key] = replace(alarm, since_s=max(alarm.since_s, from_s))

    def _tick_alarm(self, key: _Key, alarm: ShownAlarm, now_s: float) -> Iterator[Change]:
        if alarm.acknowledged_s is not None:
            due = int((now_s - alarm.acknowledged_s) / self._settings.reminder_s)
            if due > alarm.reminders:
                self._shown[key] = replace(alarm, reminders=due)
                yield Change("reminder", NOBODY, *key)
            return
        waited = now_s - alarm.since_s >= self._settings.escalate_s
        can = alarm.raised.priority is not Priority.LOW and not alarm.escalated
        if waited and can and not self.off and self.paused_for_s(now_s) == 0:
            self._shown[key] = replace(alarm, escalated=True)
            yield Change("escalated", NOBODY, *key)
