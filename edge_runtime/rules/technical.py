"""Technical alarms: signal lost, lead off, unreadable, battery low.

Source: IEC 60601-2-27 (a monitor tells within 10 s that it cannot monitor) and IEC 60601-1-8
(technical alarm conditions). Signal lost takes half of these ten seconds and leaves the rest to
whoever passes the alarm on.

Signal lost goes by the source clock, not by samples: ticks and gaps tell how long nothing came.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from edge_runtime.events import AlarmKind, Priority, QualityLevel
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import (
    Battery,
    Hole,
    LeadsOff,
    Readability,
    Return,
    SignalClock,
    Silence,
)
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Finding, Findings, Rule

_SOURCE = "IEC 60601-2-27: inability to monitor is told within 10 s"


@dataclass(frozen=True, slots=True)
class SignalLostSettings:
    """Cannot be switched off. `clear_s`: so much signal ends it."""

    after_s: float = bounded(5.0, 2.0, 10.0)
    clear_s: float = bounded(1.0, 0.0, 10.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class LeadOffSettings:
    """`refractory_s`: an electrode that flickers alarms at most this often."""

    enabled: bool = True
    refractory_s: float = bounded(10.0, 0.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class UnreadableSettings:
    """The analysis lead, not reported off, is of no use for `after_s`."""

    enabled: bool = True
    after_s: float = bounded(10.0, 5.0, 60.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class BatterySettings:
    """The device's charge is below `below_percent`; over once `hysteresis_percent` above it."""

    enabled: bool = True
    below_percent: float = bounded(20.0, 5.0, 50.0)
    hysteresis_percent: float = bounded(5.0, 0.0, 20.0)

    def __post_init__(self) -> None:
        check_bounds(self)


SIGNAL_LOST = Condition(
    name="signal_lost",
    kind=AlarmKind.TECHNICAL,
    priority=Priority.MEDIUM,
    source=_SOURCE,
)


class _LostState(msgspec.Struct):
    active: bool = False
    back: int | None = None


class SignalLost(Rule):
    """Nothing has come from the source for `after_s`."""

    name: ClassVar[str] = "signal_lost"
    State = _LostState
    state: _LostState

    def __init__(self, settings: SignalLostSettings, clock: SignalClock) -> None:
        super().__init__()
        self._after_s = settings.after_s
        self._limit = clock.samples(settings.after_s)
        self._clear = clock.samples(settings.clear_s)

    def on_silence(self, silence: Silence) -> Findings:
        state = self.state
        if silence.decided - silence.at < self._limit:
            return NOTHING
        state.back, self.deadline = None, NEVER
        if state.active:
            return NOTHING
        state.active = True
        return (
            Begin(
                SIGNAL_LOST,
                at=silence.at,
                decided=silence.at + self._limit,
                text="Signal lost: not monitoring",
                sentence=f"No sample has come for {self._after_s:g} s.",
                values={"after_s": self._after_s},
            ),
        )

    def on_return(self, back: Return) -> Findings:
        if self.state.active and self.state.back is None:
            self.state.back = back.at
            self.deadline = back.at + self._clear
        return NOTHING

    def on_hole(self, hole: Hole) -> Findings:
        if self.deadline != NEVER:
            self.deadline += hole.end - hole.at
        return NOTHING

    def on_time(self, now: int) -> Findings:
        at, self.deadline = self.state.back, NEVER
        if at is None:
            return NOTHING
        self.state.active, self.state.back = False, None
        return (End(SIGNAL_LOST, at=at, decided=now, reason="samples come again"),)


class _OffState(msgspec.Struct):
    off: list[str] = []


class LeadOff(Rule):
    """The device's own sensor reports an electrode off: one alarm per lead."""

    name: ClassVar[str] = "lead_off"
    State = _OffState
    state: _OffState

    def __init__(self, settings: LeadOffSettings) -> None:
        super().__init__()
        self.condition = Condition(
            name="lead_off",
            kind=AlarmKind.TECHNICAL,
            priority=Priority.MEDIUM,
            source="the device's lead-off sensor",
            refractory_s=settings.refractory_s,
        )

    def on_leads(self, leads: LeadsOff) -> Findings:
        before = set(self.state.off)
        found: list[Finding] = [
            End(self.condition, leads.at, leads.decided, "the electrode is on again", key=lead)
            for lead in sorted(before - leads.off)
        ]
        found += [
            Begin(
                self.condition,
                at=leads.at,
                decided=leads.decided,
                text=f"Lead off: {lead}",
                sentence=f"The device reports that the electrode of lead {lead} has no contact.",
                key=lead,
            )
            for lead in sorted(leads.off - before)
        ]
        self.state.off = sorted(leads.off)
        return found


class _UnreadableState(msgspec.Struct):
    since: int | None = None
    reason: str = ""
    active: bool = False


class Unreadable(Rule):
    """The analysis lead has been unusable for `after_s`."""

    name: ClassVar[str] = "unreadable"
    State = _UnreadableState
    state: _UnreadableState

    def __init__(self, settings: UnreadableSettings, clock: SignalClock) -> None:
        super().__init__()
        self._after_s = settings.after_s
        self._limit = clock.samples(settings.after_s)
        self.condition = Condition(
            name="unreadable",
            kind=AlarmKind.TECHNICAL,
            priority=Priority.LOW,
            source=_SOURCE,
        )

    def on_quality(self, quality: Readability) -> Findings:
        state = self.state
        if quality.level is QualityLevel.UNUSABLE:
            state.reason = quality.reason
            if state.since is None:
                state.since = quality.at
                self.deadline = max(quality.decided, quality.at + self._limit)
            return NOTHING
        state.since, self.deadline = None, NEVER
        if not state.active:
            return NOTHING
        state.active = False
        return (End(self.condition, quality.at, quality.decided, "the signal is readable"),)

    def retuned(self) -> None:
        if self.deadline != NEVER and self.state.since is not None:
            self.deadline = self.state.since + self._limit

    def on_time(self, now: int) -> Findings:
        state = self.state
        self.deadline = NEVER
        if state.since is None:
            return NOTHING
        state.active = True
        return (
            Begin(
                self.condition,
                at=state.since,
                decided=now,
                text="Signal unreadable",
                sentence=f"The lead could not be read for {self._after_s:g} s: {state.reason}.",
                values={"after_s": self._after_s},
            ),
        )


class _BatteryState(msgspec.Struct):
    active: bool = False


class BatteryLow(Rule):
    """The device tells that its charge goes to an end."""

    name: ClassVar[str] = "battery_low"
    State = _BatteryState
    state: _BatteryState

    def __init__(self, settings: BatterySettings) -> None:
        super().__init__()
        self._below = settings.below_percent
        self._again = settings.below_percent + settings.hysteresis_percent
        self.condition = Condition(
            name="battery_low",
            kind=AlarmKind.TECHNICAL,
            priority=Priority.LOW,
            source="the device's own report",
        )

    def on_battery(self, battery: Battery) -> Findings:
        state, percent = self.state, battery.percent
        if state.active and percent >= self._again:
            state.active = False
            return (End(self.condition, battery.at, battery.decided, f"{percent:g} % again"),)
        if state.active or percent >= self._below:
            return NOTHING
        state.active = True
        return (
            Begin(
                self.condition,
                at=battery.at,
                decided=battery.decided,
                text="Battery low",
                sentence=f"The device has {percent:g} % left; the limit is {self._below:g} %.",
                values={"battery_percent": percent},
            ),
        )
