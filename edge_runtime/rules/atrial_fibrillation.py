"""Atrial fibrillation that lasts, and that is over: start and end are each a word of its own.

Source: thirty seconds make an episode of AF (ESC guidelines 2020, "an entire standard 12-lead ECG
or a single-lead tracing of at least 30 s"). The rhythm model says where the heart fibrillates
(`inference/rhythm.py`), half a minute late; a claim counts only with irregular intervals, because
AF without them is a paced or blocked heart, or an error. An episode begins where the first second
of the half minute lay, and ends where the last second of AF lay.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from edge_runtime.events import Priority, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Hole, RhythmSeen, SignalClock
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Findings, Rule

_SOURCE: Final = "ESC guidelines 2020: AF of at least 30 s; a rhythm model and irregular intervals"
_OVER: Final = "atrial_fibrillation_over"


@dataclass(frozen=True, slots=True)
class AtrialFibrillationSettings:
    """AF for `after_s` is an episode, `without_s` without it its end. `least_irregular`: the share
    of interval changes above 6 % without which a claim is not believed. `told_s`: for so long the
    end is shown."""

    enabled: bool = True
    after_s: float = bounded(30.0, 30.0, 600.0)
    without_s: float = bounded(30.0, 30.0, 600.0)
    least_irregular: float = bounded(0.3, 0.0, 0.6)
    told_s: float = bounded(30.0, 5.0, 300.0)
    refractory_s: float = bounded(0.0, 0.0, 1800.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(msgspec.Struct):
    active: bool = False
    since: int | None = None  # where the present stretch, of AF or without, began
    last: int = 0  # the last second of AF
    telling: bool = False  # that it is over
    chances: float = 0.0  # their sum over the present stretch
    seen: int = 0


class AtrialFibrillation(Rule):
    """Counts how long the heart fibrillates, and how long it does not."""

    name: ClassVar[str] = "atrial_fibrillation"
    State = _State
    state: _State

    def __init__(self, settings: AtrialFibrillationSettings, clock: SignalClock) -> None:
        super().__init__()
        self._clock = clock
        self._settings = settings
        self._after = clock.samples(settings.after_s)
        self._without = clock.samples(settings.without_s)
        self.condition = Condition(
            "atrial_fibrillation",
            Priority.MEDIUM,
            _SOURCE,
            rhythm=Rhythm.ATRIAL_FIBRILLATION,
            refractory_s=settings.refractory_s,
        )
        self._over = Condition(_OVER, Priority.LOW, _SOURCE)

    def on_rhythm(self, seen: RhythmSeen) -> Findings:
        state = self.state
        fibrillates = seen.fibrillates and seen.irregular >= self._settings.least_irregular
        if fibrillates:
            state.last = seen.at
        if fibrillates is state.active:
            state.since = None
            return NOTHING
        if state.since is None:
            state.since, state.chances, state.seen = seen.at, 0.0, 0
        state.chances += seen.chance
        state.seen += 1
        lasted = seen.at - state.since
        if lasted < (self._without if state.active else self._after):
            return NOTHING
        return self._end(seen) if state.active else self._begin(seen, state.since)

    def on_hole(self, hole: Hole) -> Findings:
        if hole.end - hole.at > self._without:
            self.state.since = None
        return NOTHING

    def on_time(self, now: int) -> Findings:
        return self._hush(now)

    def _begin(self, seen: RhythmSeen, since: int) -> Findings:
        state = self.state
        state.active, state.since = True, None
        seconds = self._clock.seconds(seen.at - since)
        chance = state.chances / state.seen
        sentence = (
            f"Atrial fibrillation for {seconds:.0f} s: {seen.irregular:.0%} of the changes between "
            f"intervals exceed 6 %, and the rhythm model gives it {chance:.0%}."
        )
        values = {
            "seconds": round(seconds, 1),
            "irregular": round(seen.irregular, 3),
            "chance": round(chance, 3),
        }
        begun = Begin(self.condition, since, seen.decided, "Atrial fibrillation", sentence, values)
        return (*self._hush(seen.decided), begun)

    def _end(self, seen: RhythmSeen) -> Findings:
        state, told_s = self.state, self._settings.told_s
        at, state.active, state.since, state.telling = state.last, False, None, True
        self.deadline = seen.decided + self._clock.samples(told_s)
        seconds = self._clock.seconds(seen.at - at)
        over = Begin(
            self._over,
            at,
            seen.decided,
            "Atrial fibrillation is over",
            f"No atrial fibrillation for {seconds:.0f} s.",
            {"seconds": round(seconds, 1)},
        )
        return End(self.condition, at, seen.decided, f"none for {seconds:.0f} s"), over

    def _hush(self, now: int) -> Findings:
        self.deadline = NEVER
        if not self.state.telling:
            return NOTHING
        self.state.telling = False
        return (End(self._over, now, now, "told"),)
