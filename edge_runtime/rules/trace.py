"""What an alarm was made of: the last beats with scores, the quality, where the strip lies."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from edge_runtime.events import AlarmRaised, Event, QualityLevel, Trace, TracedBeat
from edge_runtime.rules.facts import Fact, Label, Readability, SignalClock

STRIP_S: Final = 15.0
"""To either side of the moment the alarm is dated to."""
_BEATS: Final = 8


class _State(msgspec.Struct):
    beats: list[TracedBeat] = []
    quality: QualityLevel = QualityLevel.GOOD
    reason: str = ""


class Tracer:
    """Remembers what every alarm's trace needs."""

    def __init__(self, clock: SignalClock) -> None:
        self._half = clock.samples(STRIP_S)
        self._state = _State()

    def see(self, fact: Fact) -> None:
        """Take a fact before the rules do."""
        state = self._state
        if isinstance(fact, Label):
            disputed = fact.disputed or msgspec.UNSET
            beat = TracedBeat(at=fact.at, label=fact.label, scores=fact.scores, disputed=disputed)
            state.beats.append(beat)
            del state.beats[:-_BEATS]
        elif isinstance(fact, Readability):
            state.quality, state.reason = fact.level, fact.reason

    def traced(self, events: Sequence[Event]) -> list[Event]:
        """The events, alarms with their trace."""
        return [
            msgspec.structs.replace(event, trace=self._trace(event.at))
            if isinstance(event, AlarmRaised)
            else event
            for event in events
        ]

    def snapshot(self) -> Any:
        """What it remembers, as plain data."""
        return msgspec.to_builtins(self._state)

    def restore(self, saved: Any) -> None:
        """The inverse of `snapshot`."""
        self._state = msgspec.convert(saved, _State)

    def _trace(self, at: int) -> Trace:
        state = self._state
        return Trace(
            beats=list(state.beats),
            quality=state.quality,
            quality_reason=state.reason,
            strip_first=max(0, at - self._half),
            strip_end=at + self._half,
        )
