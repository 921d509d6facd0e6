"""Ectopic beats short of a run: couplet, patterns, R-on-T, multiform PVCs, PVCs per minute.

Source: the forms and defaults of bedside monitors' manuals (Philips ST/AR, GE EK-Pro): two V in a
row; three or more cycles of N V and of N N V; R-on-T is a V whose RR is less than a third of the
mean at a rate below 100/min, followed by an RR of at least 1.25 times the mean; multiform are two
shapes of V within the last 15 beats (`signal/shapes.py` tells them apart). All need accepted
classes: a refused beat takes part in none of them. A single V is recorded and raises nothing.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from edge_runtime.events import BeatClass, Priority, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Label, SignalClock
from edge_runtime.rules.rule import NOTHING, Condition, Findings
from edge_runtime.rules.sequence import (
    SLOW_RR_S,
    LastingRule,
    PerMinuteRule,
    RecurringRule,
    RecurringState,
    SequenceState,
)

_MANUALS: Final = "bedside monitors' manuals"
_RHYTHMS: Final = {"bigeminy": Rhythm.BIGEMINY, "trigeminy": Rhythm.TRIGEMINY}
_V: Final = BeatClass.VENTRICULAR
_OTHERS: Final = (BeatClass.NORMAL, BeatClass.SUPRAVENTRICULAR, BeatClass.FUSION)


@dataclass(frozen=True, slots=True)
class CoupletSettings:
    """Two V in a row. `clear_s`: over when so long none came."""

    enabled: bool = True
    clear_s: float = bounded(10.0, 2.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class GeminySettings:
    """A V at every second (third) beat for `cycles`."""

    enabled: bool = True
    cycles: int = bounded(3, 3, 10)
    refractory_s: float = bounded(60.0, 0.0, 300.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class ROnTSettings:
    """`clear_s`: over when so long none came."""

    enabled: bool = True
    clear_s: float = bounded(10.0, 2.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class MultiformSettings:
    """Two shapes of V within so many beats. `clear_s`: over when so long none were."""

    enabled: bool = True
    within_beats: int = bounded(15, 5, 60)
    clear_s: float = bounded(10.0, 2.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class PvcRateSettings:
    """More than `per_minute` V within the last 60 s."""

    enabled: bool = True
    per_minute: int = bounded(10, 1, 30)
    refractory_s: float = bounded(60.0, 0.0, 300.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _CoupletState(RecurringState):
    run: list[int] = msgspec.field(default_factory=list)  # the V in a row so far


class Couplet(RecurringRule):
    """Exactly two V in a row: told with the beat after them, three are a run."""

    name: ClassVar[str] = "couplet"
    State = _CoupletState
    state: _CoupletState

    def __init__(self, settings: CoupletSettings, clock: SignalClock) -> None:
        super().__init__(clock, settings.clear_s)
        self.condition = Condition("couplet", Priority.LOW, f"{_MANUALS}: two V in a row")

    def _see(self, label: Label, rr: int | None) -> Findings:
        run = self.state.run
        if label.label is _V:
            run.append(label.at)
            return NOTHING
        found = NOTHING
        if len(run) == 2 and label.label in _OTHERS:
            sentence = "Two ventricular beats in a row."
            found = self._met(run, label.decided, "Couplet", sentence, {"beats": 2.0})
        self._lose()
        return found

    def _lose(self) -> None:
        self.state.run = []


class _GeminyState(SequenceState):
    active: bool = False
    others: int = 0  # beats of another class since the last V
    cycles: int = 0
    first: int = 0  # where the cycles began
    last_v: int = 0


class Geminy(LastingRule):
    """A V after every `others` beats of another class."""

    State = _GeminyState
    state: _GeminyState

    def __init__(
        self, name: str, others: int, settings: GeminySettings, clock: SignalClock
    ) -> None:
        super().__init__(clock)
        self.name = name  # type: ignore[misc]  # two rules of one kind
        self._others = others
        self._cycles = settings.cycles
        self._text = name.capitalize()
        self.condition = Condition(
            name,
            Priority.LOW,
            f"{_MANUALS}: a V at every beat number {others + 1}",
            rhythm=_RHYTHMS[name],
            refractory_s=settings.refractory_s,
        )

    def _see(self, label: Label, rr: int | None) -> Findings:
        state = self.state
        if label.label is _V:
            if state.others != self._others:
                self._lose()
                return self._over(state.last_v, label.decided, "the pattern is broken")
            state.others, state.last_v = 0, label.at
            if state.cycles == 0:
                state.first = label.at
            state.cycles += 1
            return self._count(label)
        if label.label not in _OTHERS:
            self._lose()
            return self._over(state.last_v, label.decided, "a beat was refused its class")
        state.others = min(state.others + 1, self._others + 1)
        if state.others <= self._others:
            return NOTHING
        # The first cycle of all may follow any number of other beats.
        state.cycles, state.others = 0, self._others
        return self._over(state.last_v, label.decided, "the pattern is broken")

    def _count(self, label: Label) -> Findings:
        state = self.state
        if state.active or state.cycles < self._cycles:
            return NOTHING
        sentence = f"A ventricular beat after every {self._others} other for {state.cycles} cycles."
        values = {"cycles": float(state.cycles)}
        return self._begin(state.first, label.decided, self._text, sentence, values)

    def _lose(self) -> None:
        self.state.others = self.state.cycles = 0


class _ROnTState(RecurringState):
    early: int | None = None  # a V that came early enough
    early_rr: int = 0


class ROnT(RecurringRule):
    """A V on the T wave of the beat before; told with the beat after it."""

    name: ClassVar[str] = "r_on_t"
    State = _ROnTState
    state: _ROnTState

    def __init__(self, settings: ROnTSettings, clock: SignalClock) -> None:
        super().__init__(clock, settings.clear_s)
        self._slow = SLOW_RR_S * float(clock.rate_hz)
        self.condition = Condition(
            "r_on_t", Priority.MEDIUM, f"{_MANUALS}: V at less than a third of the mean RR"
        )

    def _see(self, label: Label, rr: int | None) -> Findings:
        state, mean = self.state, self._mean()
        early, state.early = state.early, None
        if rr is None or mean is None:
            self._learn(label, rr)
            return NOTHING
        if early is not None:
            if 4 * rr < 5 * mean or label.label is _V:
                return NOTHING
            return self._tell(early, label.decided, mean)
        if label.label is _V:
            if mean > self._slow and 3 * rr < mean:
                state.early, state.early_rr = label.at, rr
            return NOTHING
        self._learn(label, rr)
        return NOTHING

    def _learn(self, label: Label, rr: int | None) -> None:
        if rr is not None and label.label in _OTHERS:
            self._remember(rr)

    def _tell(self, early: int, decided: int, mean: float) -> Findings:
        rr_s, mean_s = self._clock.seconds(self.state.early_rr), mean / float(self._clock.rate_hz)
        sentence = (
            f"A ventricular beat {rr_s:.2f} s after the one before; the mean is {mean_s:.2f}."
        )
        values = {"rr_s": round(rr_s, 3), "mean_rr_s": round(mean_s, 3)}
        return self._met((early,), decided, "R on T", sentence, values)

    def _lose(self) -> None:
        self.state.early = None


class _MultiformState(RecurringState):
    # shape and place of each V among the last beats, and the number of the beat
    seen: list[tuple[int, int, int]] = msgspec.field(default_factory=list)
    beats: int = 0


class Multiform(RecurringRule):
    """V of two looks close together."""

    name: ClassVar[str] = "multiform_pvc"
    State = _MultiformState
    state: _MultiformState

    def __init__(self, settings: MultiformSettings, clock: SignalClock) -> None:
        super().__init__(clock, settings.clear_s)
        self._within = settings.within_beats
        source = f"{_MANUALS}: two shapes of V within {settings.within_beats} beats"
        self.condition = Condition("multiform_pvc", Priority.LOW, source)

    def _see(self, label: Label, rr: int | None) -> Findings:
        state = self.state
        state.beats += 1
        while state.seen and state.seen[0][2] <= state.beats - self._within:
            del state.seen[0]
        if label.label is not _V or label.shape is None:
            return NOTHING
        state.seen.append((label.shape, label.at, state.beats))
        shapes = {shape for shape, _, _ in state.seen}
        if len(shapes) < 2:
            return NOTHING
        sentence = f"{len(shapes)} shapes of ventricular beats within {self._within} beats."
        at = [place for _, place, _ in state.seen]
        return self._met(
            at, label.decided, "Multiform PVCs", sentence, {"shapes": float(len(shapes))}
        )

    def _lose(self) -> None:
        self.state.seen = []


class PvcRate(PerMinuteRule):
    """Counts V within the last minute."""

    name: ClassVar[str] = "pvcs_per_minute"

    def __init__(self, settings: PvcRateSettings, clock: SignalClock) -> None:
        condition = Condition(
            "pvcs_per_minute",
            Priority.LOW,
            f"{_MANUALS}: more than {settings.per_minute} PVCs a minute",
            refractory_s=settings.refractory_s,
        )
        super().__init__(condition, settings.per_minute, "PVCs", clock)

    def _counts(self, label: Label, rr: int | None) -> bool:
        return label.label is _V
