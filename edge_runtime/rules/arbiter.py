"""From findings to events: precedence, refractory time, alarm numbers.

Of the ranked conditions that hold, the first alarms and the others are recorded as episodes; when
the winner ends while another still holds, that one alarms. A condition in its refractory time is
recorded and alarms when the time is over, if it still holds. Alarm numbers only grow.
"""

from collections.abc import Collection

import msgspec

from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    Event,
    Explanation,
    Phase,
    RhythmEpisode,
)
from edge_runtime.rules.facts import Episode, SignalClock
from edge_runtime.rules.precedence import outranked
from edge_runtime.rules.rule import NEVER, Begin, Condition, End, Findings


class _State(msgspec.Struct):
    next_alarm: int = 1
    alarms: dict[str, int] = {}  # held condition -> its alarm's number
    quiet_until: dict[str, int] = {}  # condition -> end of its refractory time


def _id(condition: Condition, key: str) -> str:
    return f"{condition.name}/{key}"


class Arbiter:
    """Decides which of the conditions that hold is an alarm."""

    def __init__(self, clock: SignalClock) -> None:
        self._clock = clock
        self._state = _State()
        self._held: dict[str, Begin] = {}
        self.deadline = NEVER

    def apply(self, findings: Findings) -> list[Event]:
        """The events that follow from what one rule found at once."""
        events: list[Event] = []
        for finding in findings:
            events += self._begin(finding) if isinstance(finding, Begin) else self._end(finding)
        if findings:
            events += self._settle(findings[-1].decided)
        return events

    def episode(self, end: End) -> Episode | None:
        """What `end`, not yet applied, is the end of; None where it has no rank or never began."""
        begin, rank = self._held.get(_id(end.condition, end.key)), end.condition.rank
        if begin is None or rank is None:
            return None
        return Episode(begin.at, end.decided, end.at, rank, begin.text)

    def ends(self, conditions: Collection[str], now: int, reason: str) -> list[End]:
        """An end for all that holds of `conditions`, by name: nothing watches them any more."""
        held = [b for b in self._held.values() if b.condition.name in conditions]
        return [End(b.condition, now, now, reason, b.key) for b in held]

    def on_time(self, now: int) -> list[Event]:
        """A refractory time is over."""
        return self._settle(now)

    def snapshot(self) -> dict[str, object]:
        """Held conditions, numbers and refractory times as plain data."""
        return {
            "state": msgspec.to_builtins(self._state),
            "held": {name: msgspec.to_builtins(begin) for name, begin in self._held.items()},
            "deadline": self.deadline,
        }

    def restore(self, snapshot: dict[str, object]) -> None:
        """The inverse of `snapshot`. Raises `msgspec.ValidationError` on anything else."""
        self._state = msgspec.convert(snapshot["state"], _State)
        self._held = msgspec.convert(snapshot["held"], dict[str, Begin])
        self.deadline = msgspec.convert(snapshot["deadline"], int)

    def _begin(self, begin: Begin) -> list[Event]:
        self._held[_id(begin.condition, begin.key)] = begin
        return _episode(begin.condition, Phase.ONSET, begin.at, begin.decided)

    def _end(self, end: End) -> list[Event]:
        name = _id(end.condition, end.key)
        begin = self._held.pop(name, None)
        if begin is None:
            return []
        events = _episode(end.condition, Phase.END, end.at, end.decided)
        if name in self._state.alarms:
            quiet = self._clock.samples(begin.condition.refractory_s)
            self._state.quiet_until[name] = end.decided + quiet
            events.append(self._clear(name, end.at, end.decided, end.reason))
        return events

    def _settle(self, now: int) -> list[Event]:
        """Raise what must alarm at `now`, clear what a stronger condition takes over."""
        ranked = [b for b in self._held.values() if b.condition.rank is not None]
        winner = min(ranked, key=lambda b: b.condition.rank or 0, default=None)
        events: list[Event] = []
        for loser in ranked:
            name = _id(loser.condition, loser.key)
            if winner is not None and loser is not winner and name in self._state.alarms:
                reason = f"recorded only: {winner.text} takes precedence"
                events.append(self._clear(name, now, now, reason))
        events += self._quiet_outranked(now)
        self.deadline = NEVER
        for name, begin in self._held.items():
            if (
                name in self._state.alarms
                or (begin.condition.rank is not None and begin is not winner)
                or self._is_outranked(begin)
            ):
                continue
            quiet_until = self._state.quiet_until.get(name, 0)
            if now < quiet_until:
                self.deadline = min(self.deadline, quiet_until)
            else:
                events.append(self._raise(name, begin, now))
        return events

    def _quiet_outranked(self, now: int) -> list[Event]:
        """Clear alarms beside the ladder that a more urgent word takes over."""
        reason = "recorded only: a more urgent condition holds"
        return [
            self._clear(name, now, now, reason)
            for name, begin in self._held.items()
            if name in self._state.alarms and self._is_outranked(begin)
        ]

    def _is_outranked(self, begin: Begin) -> bool:
        holding = (held.condition.name for held in self._held.values())
        return outranked(begin.condition.name, holding)

    def _raise(self, name: str, begin: Begin, decided: int) -> AlarmRaised:
        number = self._state.next_alarm
        self._state.next_alarm, self._state.alarms[name] = number + 1, number
        condition = begin.condition
        return AlarmRaised(
            at=begin.at,
            decided=decided,
            alarm=number,
            rule=condition.name,
            kind=condition.kind,
            priority=condition.priority,
            text=begin.text,
            latched=condition.latched,
            explanation=Explanation(
                rule=condition.name,
                source=condition.source,
                sentence=begin.sentence,
                values=begin.values,
            ),
        )

    def _clear(self, name: str, at: int, decided: int, reason: str) -> AlarmCleared:
        number = self._state.alarms.pop(name)
        rule = name.split("/", 1)[0]
        return AlarmCleared(at=at, decided=decided, alarm=number, rule=rule, reason=reason)


def _episode(condition: Condition, phase: Phase, at: int, decided: int) -> list[Event]:
    if condition.rhythm is None:
        return []
    return [RhythmEpisode(at=at, decided=decided, rhythm=condition.rhythm, phase=phase)]
