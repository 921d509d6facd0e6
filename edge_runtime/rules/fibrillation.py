"""Ventricular fibrillation or flutter: a fibrillatory waveform of at least 4 s.

Source: PhysioNet/CinC Challenge 2015 ("fibrillatory, flutter, or oscillatory waveform for at least
4 seconds"). Led by published measures of the signal (`signal/fibrillation.py`); no model and no
quality can veto it. It cannot be switched off. One window of 4 s a second is judged; windows in
a row that cover `after_s` begin the condition, back-dated to the start of the first; it ends when
none looked like it for `clear_s`, which a gap prolongs. Quality only adds "or poor signal"; what an
electrode that is reported off picks up is no heart's.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from edge_runtime.events import Priority, QualityLevel, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Hole, LeadsOff, Readability, SignalClock, Waveform
from edge_runtime.rules.precedence import rank
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Findings, Rule

FIBRILLATION = Condition(
    name="ventricular_fibrillation",
    priority=Priority.HIGH,
    source="CinC Challenge 2015: fibrillatory or flutter waveform for at least 4 s",
    rhythm=Rhythm.VENTRICULAR_FIBRILLATION,
    rank=rank("ventricular_fibrillation"),
)


@dataclass(frozen=True, slots=True)
class FibrillationSettings:
    """`after_s`: how long it must look like it. `clear_s`: over when so long it does not."""

    after_s: float = bounded(5.0, 4.0, 8.0)
    clear_s: float = bounded(5.0, 3.0, 10.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(msgspec.Struct):
    since: int | None = None  # start of the first window of the row
    last_end: int = 0  # end of the last window of the row
    active: bool = False
    poor: bool = False
    blind: bool = False


class Fibrillation(Rule):
    """Counts how long windows in a row look like fibrillation."""

    name: ClassVar[str] = "ventricular_fibrillation"
    State = _State
    state: _State

    def __init__(self, settings: FibrillationSettings, clock: SignalClock) -> None:
        super().__init__()
        self._clock = clock
        self._after_s = settings.after_s
        # Windows begin and end at whole contract samples: a source sample may be lost to rounding.
        self._after = clock.samples(settings.after_s) - 2
        self._clear_s = settings.clear_s
        self._clear = clock.samples(settings.clear_s)

    def on_waveform(self, waveform: Waveform) -> Findings:
        state = self.state
        if state.blind:
            return NOTHING
        if not waveform.fibrillatory:
            if not state.active:
                state.since = None
            return NOTHING
        if state.since is None or (not state.active and waveform.at > state.last_end):
            state.since = waveform.at
        state.last_end = waveform.end
        self.deadline = NEVER
        if state.active:
            self.deadline = waveform.decided + self._clear
        elif waveform.end - state.since >= self._after:
            return self._begin(waveform)
        return NOTHING

    def on_hole(self, hole: Hole) -> Findings:
        if self.deadline != NEVER:
            self.deadline += hole.end - hole.at
        return NOTHING

    def on_leads(self, leads: LeadsOff) -> Findings:
        self.state.blind = leads.blind
        if not leads.blind:
            return NOTHING
        return self._end(leads.at, leads.decided, "the electrode is reported off")

    def on_quality(self, quality: Readability) -> Findings:
        self.state.poor = quality.level is not QualityLevel.GOOD
        return NOTHING

    def on_time(self, now: int) -> Findings:
        reason = f"no such waveform for {self._clear_s:g} s"
        return self._end(self.state.last_end, now, reason)

    def _begin(self, waveform: Waveform) -> Findings:
        state = self.state
        state.active = True
        self.deadline = waveform.decided + self._clear
        at = waveform.at if state.since is None else state.since
        seconds = self._clock.seconds(waveform.end - at)
        return (
            Begin(
                FIBRILLATION,
                at=at,
                decided=waveform.decided,
                text="Ventricular fibrillation" + (" or poor signal" if state.poor else ""),
                sentence=f"A fibrillatory or flutter waveform for {seconds:.1f} s.",
                values={"seconds": round(seconds, 1), **waveform.values},
            ),
        )

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        self.deadline = NEVER
        self.state.since = None
        if not self.state.active:
            return NOTHING
        self.state.active = False
        return (End(FIBRILLATION, at, decided, reason),)
