"""Pacer not capturing, pacer not pacing.

Source: bedside monitors' manuals (Philips ST/AR): no QRS within 300 ms after a pace pulse; neither
a pulse nor a QRS within 1.75 times the mean RR. They rest until the device has sent a first pace
mark: from a device that sends none they say nothing, and `edge-runtime check` says so.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from edge_runtime.events import Priority, QualityLevel
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Beat, Hole, LeadsOff, Pace, Readability, SignalClock
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Findings, Rule
from edge_runtime.rules.sequence import MEAN_OF

_MANUALS: Final = "bedside monitors' manuals"
_BEFORE_S: Final = 0.08
"""An R peak so shortly before the pulse is the beat that the pulse fuses with."""


@dataclass(frozen=True, slots=True)
class NotCapturingSettings:
    """No QRS within `within_s` after a pace pulse. `clear_s`: over when so long none failed."""

    enabled: bool = True
    within_s: float = bounded(0.3, 0.2, 0.5)
    clear_s: float = bounded(10.0, 2.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class NotPacingSettings:
    """Neither pulse nor QRS within `of_mean` times the mean RR."""

    enabled: bool = True
    of_mean: float = bounded(1.75, 1.25, 2.5)

    def __post_init__(self) -> None:
        check_bounds(self)


class _Blindable(Rule):
    """What both rules do when nothing can be seen."""

    def on_hole(self, hole: Hole) -> Findings:
        return self._blind(hole.at, hole.decided, "the signal has a gap")

    def on_leads(self, leads: LeadsOff) -> Findings:
        if not leads.blind:
            return NOTHING
        return self._blind(leads.at, leads.decided, "the electrode is reported off")

    def on_quality(self, quality: Readability) -> Findings:
        if quality.flat or quality.level is not QualityLevel.UNUSABLE:
            return NOTHING
        return self._blind(quality.at, quality.decided, "the signal is unreadable")

    def _blind(self, at: int, decided: int, reason: str) -> Findings:
        raise NotImplementedError


class _CaptureState(msgspec.Struct):
    waiting: list[int] = []  # pulses whose QRS has not come
    last_beat: int | None = None
    active: bool = False
    clears: int = NEVER


class NotCapturing(_Blindable):
    """A pulse that no QRS follows."""

    name: ClassVar[str] = "pacer_not_capturing"
    State = _CaptureState
    state: _CaptureState

    def __init__(self, settings: NotCapturingSettings, clock: SignalClock) -> None:
        super().__init__()
        self._within_s = settings.within_s
        self._within = clock.samples(settings.within_s)
        self._before = clock.samples(_BEFORE_S)
        self._known = clock.label_latency
        self._clear_s = settings.clear_s
        self._clear = clock.samples(settings.clear_s)
        source = f"{_MANUALS}: no QRS {1000 * settings.within_s:.0f} ms after a pace pulse"
        self.condition = Condition("pacer_not_capturing", Priority.MEDIUM, source)

    def on_pace(self, pace: Pace) -> Findings:
        last = self.state.last_beat
        if last is None or last < pace.at - self._before:
            self.state.waiting.append(pace.at)
            self._arm()
        return NOTHING

    def on_beat(self, beat: Beat) -> Findings:
        state = self.state
        state.last_beat = max(beat.at, state.last_beat or 0)
        state.waiting = [
            at for at in state.waiting if not -self._before <= beat.at - at <= self._within
        ]
        self._arm()
        return NOTHING

    def on_time(self, now: int) -> Findings:
        state = self.state
        if state.waiting and self._due(state.waiting[0]) <= now:
            at = state.waiting.pop(0)
            state.clears = now + self._clear
            self._arm()
            if state.active:
                return NOTHING
            state.active = True
            sentence = f"No QRS within {self._within_s:g} s after the pulse."
            values = {"within_s": self._within_s}
            text = "Pacer not capturing"
            return (Begin(self.condition, at, now, text, sentence, values),)
        state.clears, state.active = NEVER, False
        self._arm()
        return (End(self.condition, now, now, f"every pulse captured for {self._clear_s:g} s"),)

    def retuned(self) -> None:
        self._arm()

    def _due(self, pulse: int) -> int:
        return pulse + self._within + self._known

    def _arm(self) -> None:
        waiting = self.state.waiting
        self.deadline = min(self.state.clears, self._due(waiting[0]) if waiting else NEVER)

    def _blind(self, at: int, decided: int, reason: str) -> Findings:
        self.state.waiting = []
        self._arm()
        return NOTHING


class _PacingState(msgspec.Struct):
    paced: bool = False
    last: int | None = None  # the last pulse or QRS
    peaks: list[int] = []
    active: bool = False


class NotPacing(_Blindable):
    """Neither pulse nor QRS for too long, from a device that has sent pulses."""

    name: ClassVar[str] = "pacer_not_pacing"
    State = _PacingState
    state: _PacingState

    def __init__(self, settings: NotPacingSettings, clock: SignalClock) -> None:
        super().__init__()
        self._of_mean = settings.of_mean
        self._known = clock.label_latency
        source = f"{_MANUALS}: no pace pulse within {settings.of_mean:g} x mean RR"
        self.condition = Condition("pacer_not_pacing", Priority.MEDIUM, source)

    def on_pace(self, pace: Pace) -> Findings:
        self.state.paced = True
        return self._heard(pace.at, pace.decided, "the pacer paces")

    def on_beat(self, beat: Beat) -> Findings:
        peaks = self.state.peaks
        if peaks and beat.at < peaks[-1]:
            return NOTHING
        if beat.rr is None:
            peaks.clear()
        peaks.append(beat.at)
        if len(peaks) > MEAN_OF + 1:
            del peaks[0]
        return self._heard(beat.at, beat.decided, "a QRS came")

    def on_time(self, now: int) -> Findings:
        self.deadline = NEVER
        self.state.active = True
        at = self.state.last or 0
        sentence = f"Neither pulse nor QRS within {self._of_mean:g} times the mean RR."
        values = {"of_mean": self._of_mean}
        return (Begin(self.condition, at, now, "Pacer not pacing", sentence, values),)

    def _heard(self, at: int, decided: int, reason: str) -> Findings:
        state = self.state
        state.last = at if state.last is None else max(state.last, at)
        self.deadline = NEVER
        found = self._end(at, decided, reason)
        if state.paced and len(state.peaks) > 3:
            mean = (state.peaks[-1] - state.peaks[0]) / (len(state.peaks) - 1)
            self.deadline = state.last + int(self._of_mean * mean) + self._known
        return found

    def _blind(self, at: int, decided: int, reason: str) -> Findings:
        self.deadline = NEVER
        self.state.last = None
        self.state.peaks.clear()
        return self._end(at, decided, reason)

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        if not self.state.active:
            return NOTHING
        self.state.active = False
        return (End(self.condition, at, decided, reason),)
