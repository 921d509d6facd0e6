"""Asystole: no QRS for 4 s.

Source: PhysioNet/CinC Challenge 2015 ("no QRS for at least four seconds"); bounds as bedside
monitors offer them. It cannot be switched off, and signal quality never silences it; quality and
a flat line without an electrode sensor only change its words. Whatever is not good quality adds "or
poor signal", a collapsed amplitude among it; a heart that stands still looks collapsed as well.

What counts is time in which a QRS would have been seen. Time inside a gap is not counted, nor the
detector's settling after it; a gap of `restart_gap_s` or more, or electrodes reported off, starts
the count anew. A QRS exactly `after_s` after the last one is in time; one that comes later waits
until no tentative peak before it can still turn out to be a beat.
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
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Finding, Findings, Rule

ASYSTOLE = Condition(
    name="asystole",
    priority=Priority.HIGH,
    source="CinC Challenge 2015: no QRS for at least 4 s",
    rhythm=Rhythm.ASYSTOLE,
    rank=rank("asystole"),
)


@dataclass(frozen=True, slots=True)
class AsystoleSettings:
    """`first_beat_s`: the longer patience before the first QRS of a stream, in which the
    detector learns and electrodes are put on."""

    after_s: float = bounded(4.0, 3.0, 10.0)
    first_beat_s: float = bounded(8.0, 4.0, 10.0)
    restart_gap_s: float = bounded(4.0, 1.0, 10.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(msgspec.Struct):
    since: int | None = None  # the last R peak, or where watching began
    late: list[int] = []  # R peaks that came too late after it, in order
    hidden: int = 0  # samples after `since` in which a QRS could not be seen
    seen_beat: bool = False
    blind: bool = False
    active: bool = False
    returned: int | None = None  # the first QRS after an asystole
    flat: bool = False
    poor: bool = False
    has_sensor: bool = False


class Asystole(Rule):
    """Watches the time since the last R peak."""

    name: ClassVar[str] = "asystole"
    State = _State
    state: _State

    def __init__(self, settings: AsystoleSettings, clock: SignalClock) -> None:
        super().__init__()
        self._clock = clock
        self._limit = clock.samples(settings.after_s)
        self._first_limit = max(clock.samples(settings.first_beat_s), self._limit)
        self._restart = clock.samples(settings.restart_gap_s)

    def begin(self, at: int) -> None:
        self.state.since = at
        self._arm()

    def on_beat(self, beat: Beat) -> Findings:
        state = self.state
        if state.since is not None and beat.at < state.since:
            return NOTHING  # told late: a later one is known
        if state.active:
            return self._beat_again(beat)
        insort(state.late, beat.at)
        while state.late and self._in_time(state.late[0]):
            state.since, state.hidden, state.seen_beat = state.late.pop(0), 0, True
        self._arm()
        return NOTHING

    def _in_time(self, at: int) -> bool:
        state = self.state
        return state.since is None or at - state.since <= self._patience() + state.hidden

    def _beat_again(self, beat: Beat) -> Findings:
        """A QRS within an asystole."""
        state = self.state
        before, state.since, state.hidden, state.seen_beat = state.returned, beat.at, 0, True
        if before is None or beat.at - before > self._limit:
            # One QRS does not end it: an agonal rhythm of one beat in five seconds is one alarm.
            state.returned = beat.at
            return NOTHING
        return self._end(before, beat.decided, "QRS complexes are back")

    def on_hole(self, hole: Hole) -> Findings:
        state = self.state
        missing = hole.end - hole.at
        if missing >= self._restart or state.since is None:
            state.late.clear()
            state.since, state.hidden, state.returned = hole.end, 0, None
        else:
            state.hidden += missing
        state.hidden += self._clock.settle
        self._arm()
        return NOTHING

    def on_leads(self, leads: LeadsOff) -> Findings:
        state = self.state
        was_blind, state.blind, state.has_sensor = state.blind, leads.blind, True
        if leads.blind:
            state.late.clear()
            self.deadline = NEVER
            if state.active:
                return self._end(leads.at, leads.decided, "the electrode is reported off")
        elif was_blind and not state.active:
            state.since, state.hidden = leads.decided, self._clock.settle
            self._arm()
        return NOTHING

    def on_quality(self, quality: Readability) -> Findings:
        self.state.flat = quality.flat
        self.state.poor = quality.level is not QualityLevel.GOOD
        return NOTHING

    def on_time(self, now: int) -> Findings:
        state = self.state
        self.deadline = NEVER
        if state.since is None:
            return NOTHING
        state.active, state.returned = True, None
        limit_s = self._clock.seconds(self._patience())
        values = {"without_qrs_s": limit_s, "hidden_s": self._clock.seconds(state.hidden)}
        began = "the last one" if state.seen_beat else "the signal began"
        begin = Begin(
            ASYSTOLE,
            at=state.since,
            decided=now,
            text=self._text(),
            sentence=f"No QRS for {limit_s:.1f} s of readable time since {began}.",
            values=values,
        )
        late, state.late = state.late, []
        found: list[Finding] = [begin]
        for at in late:
            found += self.on_beat(Beat(at, now, None))
        return found

    def retuned(self) -> None:
        self._arm()

    def _text(self) -> str:
        if self.state.flat and not self.state.has_sensor:
            return "Asystole or electrode off"
        if self.state.poor:
            return "Asystole or poor signal"
        return "Asystole"

    def _patience(self) -> int:
        return self._limit if self.state.seen_beat else self._first_limit

    def _arm(self) -> None:
        state = self.state
        if state.active or state.blind or state.since is None:
            self.deadline = NEVER
        else:
            self.deadline = (
                state.since + self._patience() + state.hidden + self._clock.label_latency
            )

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        self.state.active, self.state.returned = False, None
        self._arm()
        return (End(ASYSTOLE, at=at, decided=decided, reason=reason),)
