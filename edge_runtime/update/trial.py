"""A new bundle set on probation: what the engines that it makes are seen to do.

A `Trial` wraps the engines while it lasts, in the engine thread; the loop asks for its verdict. It
counts signal, not time: a device that nobody wears proves nothing. Of engines that work together
each answers for its own time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_runtime.errors import EdgeRuntimeError, PathError
from edge_runtime.events import Event
from edge_runtime.gathering import own_time_s
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.signal.reference import reference_of
from edge_runtime.threads import AnyEngine
from firmware_bridge.stream import (
    RrIntervals,
    SampleChunk,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
)

_LEAST_SIGNAL_S: Final = 60.0
_MOST_BUSY: Final = 0.25
"""Share of a core for each source: four of them must still be possible."""
_LATE_S: Final = 1.0
_MOST_LATE: Final = 3
"""Answers that took longer than `_LATE_S` beyond the signal they were about; one may be the first
call of a cold interpreter, or another program."""


@dataclass(slots=True)
class Trial:
    """What was seen so far; written by the engine thread, read by the loop."""

    signal_s: float = 0.0
    busy_s: float = 0.0
    late: int = 0
    refusal: str = ""
    clock: Callable[[], float] = own_time_s

    def watched(self, engine: AnyEngine, opened: StreamOpened) -> AnyEngine:
        """The engine, with this trial looking on."""
        return _Watched(engine, self, reference_of(opened))

    def refused(self, error: EdgeRuntimeError) -> None:
        """An engine could not be made, or gave up. What the stream itself is to blame for (a rate
        that no engine takes) does not count."""
        if not isinstance(error, PathError):
            self.refusal = self.refusal or str(error)

    def problem(self) -> str:
        """Why the set must not stay; empty: nothing speaks against it so far."""
        if self.refusal:
            return f"its engine failed: {self.refusal}"
        if self.late > _MOST_LATE:
            return f"{self.late} times it answered more than {_LATE_S:g} s late"
        if self.signal_s >= _LEAST_SIGNAL_S and self.busy_s > _MOST_BUSY * self.signal_s:
            return f"it takes {self.busy_s / self.signal_s:.0%} of a core for one source"
        return ""


class _Watched:
    """An engine and what its trial wants to know of it."""

    def __init__(self, engine: AnyEngine, trial: Trial, reference: SignalInfo) -> None:
        self._engine, self._trial, self._reference = engine, trial, reference

    def feed(self, item: StreamItem) -> list[Event]:
        """As the engine does."""
        trial = self._trial
        began_s = trial.clock()
        try:
            return self._engine.feed(item)
        except EdgeRuntimeError as error:
            trial.refused(error)
            raise
        finally:
            took_s, signal_s = trial.clock() - began_s, self._signal_s(item)
            trial.busy_s += took_s
            trial.signal_s += signal_s
            trial.late += took_s > _LATE_S + signal_s

    def finish(self) -> list[Event]:
        """As the engine does."""
        return self._engine.finish()

    def change_rules(self, rules: RuleSettings, changes: Sequence[str]) -> list[Event]:
        """As the engine does."""
        return self._engine.change_rules(rules, changes)

    def _signal_s(self, item: StreamItem) -> float:
        match item:
            case SampleChunk() if item.signal == self._reference.id:
                return float(len(item.samples) / self._reference.rate_hz)
            case RrIntervals() if self._reference.kind is SignalKind.RR:
                return sum(item.intervals_s)
            case _:
                return 0.0
