"""Rules over classified beats in their order, and conditions that come and go in moments.

Classes come in the order of the beats, tentative ones among them, so a rule of low or medium
priority that can wait 0.6 s for the class sees each interval once and for good. A gap, an
unreadable stretch or an electrode off breaks the sequence: no interval spans it.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from edge_runtime.events import QualityLevel
from edge_runtime.rules.facts import Hole, Label, LeadsOff, Readability, SignalClock
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Findings, Rule

MEAN_OF: Final = 8
"""So many of the last intervals make the mean that an interval is compared with."""
SLOW_RR_S: Final = 0.6
"""Bedside monitors compare intervals otherwise above 100/min: 60 / 100 s."""


class SequenceState(msgspec.Struct):
    """`last`: the beat before, None after a break. `recent`: intervals between the last beats."""

    last: int | None = None
    recent: list[int] = msgspec.field(default_factory=list)


class SequenceRule(Rule):
    """Sees each classified beat with its interval (samples; None behind a break)."""

    State: ClassVar[type[msgspec.Struct]] = SequenceState

    def __init__(self, clock: SignalClock) -> None:
        super().__init__()
        self._clock = clock

    def on_label(self, label: Label) -> Findings:
        last, self.state.last = self.state.last, label.at
        return self._see(label, None if last is None else label.at - last)

    def on_hole(self, hole: Hole) -> Findings:
        return self._break(hole.at, hole.decided, "the signal has a gap")

    def on_leads(self, leads: LeadsOff) -> Findings:
        if not leads.blind:
            return NOTHING
        return self._break(leads.at, leads.decided, "the electrode is reported off")

    def on_quality(self, quality: Readability) -> Findings:
        if quality.flat or quality.level is not QualityLevel.UNUSABLE:
            return NOTHING
        return self._break(quality.at, quality.decided, "the signal is unreadable")

    def _see(self, label: Label, rr: int | None) -> Findings:
        """The next beat; `rr` in samples."""
        raise NotImplementedError

    def _lose(self) -> None:
        """Nothing that follows continues what was before."""

    def _break(self, at: int, decided: int, reason: str) -> Findings:
        self.state.last = None
        self.state.recent.clear()
        self._lose()
        return self._over(at, decided, reason)

    def _over(self, at: int, decided: int, reason: str) -> Findings:
        """What follows for conditions that hold when the sequence breaks."""
        return NOTHING

    def _remember(self, rr: int) -> None:
        recent = self.state.recent
        recent.append(rr)
        if len(recent) > MEAN_OF:
            del recent[0]

    def _mean(self) -> float | None:
        """Mean of the remembered intervals in samples, None while there are fewer than three."""
        recent = self.state.recent
        return sum(recent) / len(recent) if len(recent) >= 3 else None


class LastingRule(SequenceRule):
    """One condition that begins and ends with certain beats. Its state has `active`."""

    condition: Condition

    def _begin(
        self, at: int, decided: int, text: str, sentence: str, values: dict[str, float]
    ) -> Findings:
        self.state.active = True
        return (Begin(self.condition, at, decided, text, sentence, values),)

    def _over(self, at: int, decided: int, reason: str) -> Findings:
        if not self.state.active:
            return NOTHING
        self.state.active = False
        return (End(self.condition, at, decided, reason),)


class MinuteState(SequenceState):
    """`seen`: where what is counted lay within the last minute."""

    active: bool = False
    seen: list[int] = msgspec.field(default_factory=list)


class PerMinuteRule(LastingRule):
    """More than `limit` of something within the last 60 s, of beats that `_counts` says yes to.

    A gap does not empty the count: it only makes it lower.
    """

    State: ClassVar[type[msgspec.Struct]] = MinuteState

    def __init__(self, condition: Condition, limit: int, what: str, clock: SignalClock) -> None:
        super().__init__(clock)
        self.condition = condition
        self._limit = limit
        self._what = what
        self._minute = clock.samples(60.0)

    def _counts(self, label: Label, rr: int | None) -> bool:
        raise NotImplementedError

    def _see(self, label: Label, rr: int | None) -> Findings:
        seen = self.state.seen
        while seen and seen[0] <= label.at - self._minute:
            del seen[0]
        if self._counts(label, rr):
            seen.append(label.at)
        n = len(seen)
        if n <= self._limit:
            return self._over(label.at, label.decided, f"{n} in the last minute")
        if self.state.active:
            return NOTHING
        sentence = f"{n} {self._what} within a minute; the limit is {self._limit}."
        values = {self.condition.name: float(n)}
        return self._begin(seen[0], label.decided, f"Many {self._what}", sentence, values)

    def _break(self, at: int, decided: int, reason: str) -> Findings:
        self.state.last = None
        return NOTHING


class RecurringState(SequenceState):
    """`latest`: where the condition was met last."""

    active: bool = False
    latest: int = 0


class RecurringRule(SequenceRule):
    """A condition met at single beats: it is over when it was not met again for `clear_s`.

    So ten couplets in a minute are one alarm, and a person has time to read it.
    """

    State: ClassVar[type[msgspec.Struct]] = RecurringState
    condition: Condition

    def __init__(self, clock: SignalClock, clear_s: float) -> None:
        super().__init__(clock)
        self._clear_s = clear_s
        self._clear = clock.samples(clear_s)

    def _met(
        self, at: Sequence[int], decided: int, text: str, sentence: str, values: dict[str, float]
    ) -> Findings:
        """The condition was met by the beats at `at`, the first and the last of them."""
        state = self.state
        state.latest, self.deadline = at[-1], decided + self._clear
        if state.active:
            return NOTHING
        state.active = True
        return (Begin(self.condition, at[0], decided, text, sentence, values),)

    def on_time(self, now: int) -> Findings:
        self.deadline = NEVER
        self.state.active = False
        return (End(self.condition, self.state.latest, now, f"none for {self._clear_s:g} s"),)
