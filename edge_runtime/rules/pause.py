"""Pause: an RR interval of more than 2.0 s.

Source: bedside monitors' manuals (Philips, GE: "no QRS for 2.0 s", 1.5 to 3.5 s selectable) and
the 2.0 s of Holter practice. Told when the time has passed, not when the next beat comes; it ends
at the next R peak. A beat that was tentative at first may be told behind a later one, so an
interval counts as long only once no beat within it can still come. Being of medium priority it is
gated by quality: an RR across a gap, an unreadable stretch or electrodes reported off is not one.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from bisect import insort
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
    # The last R peak, while the signal after it is readable, and beats that came too late after it
    # unless another between them is still told; in order.
    peaks: list[int] = []
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
        peaks = state.peaks
        if peaks and beat.at < peaks[0]:
            return NOTHING
        found = NOTHING
        if state.active:
            peaks.clear()
            found = self._end(beat.at, beat.decided, "the next beat came")
        if state.readable and state.seeing:
            insort(peaks, beat.at)
            self._watch()
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
        if not state.peaks:
            return NOTHING
        if state.active:
            del state.peaks[0]
            self._watch()
            return self._end(state.peaks[0], now, "the next beat came")
        state.active = True
        if len(state.peaks) > 1:
            self.deadline = now  # the beat that ends it is known: told next, at the same time
        return (
            Begin(
                self.condition,
                at=state.peaks[0],
                decided=now,
                text="Pause",
                sentence=f"No beat within {self._over_s:g} s of the last one.",
                values={"over_s": self._over_s},
            ),
        )

    def retuned(self) -> None:
        if self.state.peaks and not self.state.active:
            self._watch()

    def _watch(self) -> None:
        """Pass over every interval that is short enough, and wait for the end of the next."""
        peaks = self.state.peaks
        while len(peaks) > 1 and peaks[1] - peaks[0] <= self._limit:
            del peaks[0]
        self.deadline = peaks[0] + self._limit + self._clock.label_latency

    def _lose(self, at: int, decided: int, reason: str) -> Findings:
        self.state.peaks.clear()
        self.deadline = NEVER
        return self._end(at, decided, reason) if self.state.active else NOTHING

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        self.state.active = False
        return (End(self.condition, at=at, decided=decided, reason=reason),)
