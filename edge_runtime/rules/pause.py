"""Pause: an RR interval of more than 2.0 s.

Source: bedside monitors' manuals (Philips, GE: "no QRS for 2.0 s", 1.5 to 3.5 s selectable) and
the 2.0 s of Holter practice. Told when the time has passed, not when the next beat comes; it ends
at the next R peak. Being of medium priority it is gated by quality: an RR across a gap, an
unreadable stretch or electrodes reported off is not one.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from edge_runtime.events import Priority, QualityLevel, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Beat, Hole, LeadsOff, Readability, SignalClock
from edge_runtime.rules.precedence import rank
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Findings, Rule


@dataclass(frozen=True, slots=True)
class PauseSettings:
    """`refractory_s`: further pauses within it are recorded without a new alarm."""

    enabled: bool = True
    over_s: float = bounded(2.0, 1.5, 3.5)
    refractory_s: float = bounded(30.0, 0.0, 180.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(msgspec.Struct):
    last: int | None = None  # the last R peak, while the signal after it is readable
    readable: bool = True
    seeing: bool = True
    active: bool = False


class Pause(Rule):
    """Watches each RR interval while it lasts."""

    name: ClassVar[str] = "pause"
    State = _State
    state: _State

    def __init__(self, settings: PauseSettings, clock: SignalClock) -> None:
        super().__init__()
        self._clock = clock
        self._limit = clock.samples(settings.over_s)
        self._over_s = settings.over_s
        self.condition = Condition(
            name="pause",
            priority=Priority.MEDIUM,
            source="bedside monitors' manuals; Holter practice: RR > 2.0 s",
            rhythm=Rhythm.PAUSE,
            rank=rank("pause"),
            refractory_s=settings.refractory_s,
        )

    def on_beat(self, beat: Beat) -> Findings:
        state = self.state
        found = self._end(beat.at, beat.decided, "the next beat came") if state.active else NOTHING
        if state.readable and state.seeing:
            state.last = beat.at
            self.deadline = beat.at + self._limit + self._clock.latency
        return found

    def on_hole(self, hole: Hole) -> Findings:
        return self._lose(hole.at, hole.decided, "the signal has a gap")

    def on_leads(self, leads: LeadsOff) -> Findings:
        self.state.seeing = not leads.blind
        if leads.blind:
            return self._lose(leads.at, leads.decided, "the electrode is reported off")
        return NOTHING

    def on_quality(self, quality: Readability) -> Findings:
        # A flat line is just what a pause looks like: it does not make it unreadable.
        self.state.readable = quality.flat or quality.level is not QualityLevel.UNUSABLE
        if not self.state.readable:
            return self._lose(quality.at, quality.decided, "the signal is unreadable")
        return NOTHING

    def on_time(self, now: int) -> Findings:
        state = self.state
        self.deadline = NEVER
        if state.last is None:
            return NOTHING
        state.active = True
        return (
            Begin(
                self.condition,
                at=state.last,
                decided=now,
                text="Pause",
                sentence=f"No beat within {self._over_s:g} s of the last one.",
                values={"over_s": self._over_s},
            ),
        )

    def _lose(self, at: int, decided: int, reason: str) -> Findings:
        self.state.last, self.deadline = None, NEVER
        return self._end(at, decided, reason) if self.state.active else NOTHING

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        self.state.active = False
        return (End(self.condition, at=at, decided=decided, reason=reason),)
