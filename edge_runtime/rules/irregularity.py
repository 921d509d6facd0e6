"""Missed beats, many pauses and an irregular rhythm: rules over intervals of accepted beats.

Source: bedside monitors' manuals. Missed beat (Philips ST/AR): after three or more N, an RR of more
than 1.75 times the mean at a rate below 100/min, or of more than 1 s at 100/min or more.
Irregular rhythm (Philips ST/AR: "consistently irregular", interval changes above 12.5 %): for 60 s
more than half of the changes from one N-N interval to the next exceed an eighth of their mean; so
ectopic beats with their pauses make no rhythm irregular, and neither does a slow sinus arrhythmia.
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

_N: Final = BeatClass.NORMAL
_MANUALS: Final = "bedside monitors' manuals"
_LEAST_N: Final = 3
_LEAST_CHANGES: Final = 20
_CHANGE: Final = 0.125
_BEGINS_ABOVE: Final = 0.5
_ENDS_BELOW: Final = 0.4


@dataclass(frozen=True, slots=True)
class MissedBeatSettings:
    """`of_mean`: an RR of more than so many times the mean. `over_s`: the same at 100/min or more.
    `clear_s`: over when so long none came."""

    enabled: bool = True
    of_mean: float = bounded(1.75, 1.5, 2.5)
    over_s: float = bounded(1.0, 0.8, 1.5)
    clear_s: float = bounded(10.0, 2.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class PauseRateSettings:
    """More than `per_minute` RR of more than `over_s` within the last 60 s."""

    enabled: bool = True
    per_minute: int = bounded(8, 1, 15)
    over_s: float = bounded(2.0, 1.5, 3.5)
    refractory_s: float = bounded(60.0, 0.0, 300.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class IrregularSettings:
    """Irregular for `after_s`."""

    enabled: bool = True
    after_s: float = bounded(60.0, 30.0, 300.0)
    refractory_s: float = bounded(300.0, 0.0, 1800.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _MissedState(RecurringState):
    normals: int = 0  # N in a row before this beat


class MissedBeat(RecurringRule):
    """One interval far longer than those before it."""

    name: ClassVar[str] = "missed_beat"
    State = _MissedState
    state: _MissedState

    def __init__(self, settings: MissedBeatSettings, clock: SignalClock) -> None:
        super().__init__(clock, settings.clear_s)
        self._of_mean = settings.of_mean
        self._over_rr = clock.samples(settings.over_s)
        self._slow = SLOW_RR_S * float(clock.rate_hz)
        self.condition = Condition(
            "missed_beat", Priority.LOW, f"{_MANUALS}: RR > {settings.of_mean:g} x mean after 3 N"
        )

    def _see(self, label: Label, rr: int | None) -> Findings:
        state, mean = self.state, self._mean()
        before, state.normals = state.normals, state.normals + 1
        if label.label is not _N:
            state.normals = 0
        if rr is None or before < _LEAST_N or mean is None:
            if rr is not None:
                self._remember(rr)
            return NOTHING
        limit = self._of_mean * mean if mean > self._slow else float(self._over_rr)
        if rr <= limit:
            self._remember(rr)
            return NOTHING
        rr_s, mean_s = self._clock.seconds(rr), mean / float(self._clock.rate_hz)
        sentence = f"An interval of {rr_s:.2f} s; the mean of those before is {mean_s:.2f} s."
        values = {"rr_s": round(rr_s, 3), "mean_rr_s": round(mean_s, 3)}
        return self._met((label.at - rr,), label.decided, "Missed beat", sentence, values)

    def _lose(self) -> None:
        self.state.normals = 0


class PauseRate(PerMinuteRule):
    """Counts long intervals by the beat that ends them."""

    name: ClassVar[str] = "pauses_per_minute"

    def __init__(self, settings: PauseRateSettings, clock: SignalClock) -> None:
        self._long = clock.samples(settings.over_s)
        condition = Condition(
            "pauses_per_minute",
            Priority.MEDIUM,
            f"{_MANUALS}: more than {settings.per_minute} pauses a minute",
            refractory_s=settings.refractory_s,
        )
        super().__init__(condition, settings.per_minute, "pauses", clock)

    def _counts(self, label: Label, rr: int | None) -> bool:
        return rr is not None and rr > self._long


class _IrregularState(SequenceState):
    active: bool = False
    since: int | None = None  # the first beat that was watched
    last_normal: bool = False
    rr: int | None = None  # the last N-N interval, where nothing lies between
    changes: list[tuple[int, bool]] = msgspec.field(
        default_factory=list
    )  # (beat, whether its interval changed much)
    much: int = 0  # how many of them did


class Irregular(LastingRule):
    """Watches how N-N intervals change."""

    name: ClassVar[str] = "irregular_rhythm"
    State = _IrregularState
    state: _IrregularState

    def __init__(self, settings: IrregularSettings, clock: SignalClock) -> None:
        super().__init__(clock)
        self._after = clock.samples(settings.after_s)
        self.condition = Condition(
            "irregular_rhythm",
            Priority.LOW,
            f"{_MANUALS}: interval changes above 12.5 % for {settings.after_s:g} s",
            rhythm=Rhythm.IRREGULAR,
            refractory_s=settings.refractory_s,
        )

    def _see(self, label: Label, rr: int | None) -> Findings:
        state = self.state
        is_normal = label.label is _N
        state.since = label.at if state.since is None else state.since
        between = rr if is_normal and state.last_normal else None
        before, state.rr, state.last_normal = state.rr, between, is_normal
        if before is not None and between is not None:
            much = abs(between - before) > _CHANGE * (between + before) / 2
            state.changes.append((label.at, much))
            state.much += much
        while state.changes and state.changes[0][0] <= label.at - self._after:
            state.much -= state.changes.pop(0)[1]
        return self._judge(label)

    def _judge(self, label: Label) -> Findings:
        state = self.state
        n = len(state.changes)
        if state.since is None or label.at - state.since < self._after or n < _LEAST_CHANGES:
            return NOTHING
        share = state.much / n
        if share < _ENDS_BELOW:
            return self._over(label.at, label.decided, f"{share:.0%} of the intervals change much")
        if state.active or share <= _BEGINS_ABOVE:
            return NOTHING
        sentence = f"{share:.0%} of {n} changes between normal intervals exceed an eighth."
        values = {"large_changes": round(share, 3), "changes": float(n)}
        return self._begin(state.changes[0][0], label.decided, "Irregular rhythm", sentence, values)

    def _break(self, at: int, decided: int, reason: str) -> Findings:
        """A gap takes an interval or two away; only a minute with few of them says nothing."""
        self.state.last = self.state.rr = None
        self.state.last_normal = False
        if reason.endswith("gap"):
            return NOTHING
        self.state.since = None
        self.state.changes, self.state.much = [], 0
        return self._over(at, decided, reason)
