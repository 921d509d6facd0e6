"""From the rhythm model's steps to what is told of them: changes of rhythm, facts for the rules."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from edge_runtime.events import Event, Rhythm, RhythmClassified
from edge_runtime.inference.rhythm import RhythmReader, RhythmStep
from edge_runtime.rules.facts import RhythmSeen
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.signal.observations import RhythmReady

_DIGITS: Final = 3


class _State(msgspec.Struct):
    told: Rhythm | None = None
    fibrillates: bool = False


class RhythmTeller:
    """Keeps what was told last, and whether the heart fibrillates as far as is known now."""

    def __init__(self, reader: RhythmReader) -> None:
        self._reader = reader
        classes = reader.manifest.classes
        self._rhythms = tuple(Rhythm(name) for name in classes)
        self._af = classes.index(Rhythm.ATRIAL_FIBRILLATION)
        self._suppress = reader.manifest.smoothing.suppress
        self._state = _State()

    @property
    def fibrillates(self) -> bool:
        """Whether a premature beat is no supraventricular one: in AF every interval is by chance.

        By what is decided at present, so a beat's class waits for nothing.
        """
        return self._state.fibrillates

    def steps(self, ready: RhythmReady) -> Iterator[RhythmStep]:
        """The hops, classified and smoothed, in order."""
        return self._reader.read(ready)

    def tell(self, step: RhythmStep, book: RuleBook) -> list[Event]:
        """What one step means."""
        self._state.fibrillates = step.now[self._af] >= self._suppress
        if step.chances is None:
            return book.advance(step.decided)
        best = max(range(len(step.chances)), key=step.chances.__getitem__)
        rhythm, chance = self._rhythms[best], step.chances[self._af]
        fibrillates = rhythm is Rhythm.ATRIAL_FIBRILLATION
        seen = RhythmSeen(step.at, step.decided, fibrillates, chance, step.irregular)
        told = book.tell(seen)
        if rhythm is self._state.told:
            return told
        self._state.told = rhythm
        names = (name.value for name in self._rhythms)
        values = (round(value, _DIGITS) for value in step.chances)
        changed = RhythmClassified(
            at=step.at,
            decided=step.decided,
            rhythm=rhythm,
            scores=dict(zip(names, values, strict=True)),
        )
        place = sum(other.decided < step.decided for other in told)
        return [*told[:place], changed, *told[place:]]

    def snapshot(self) -> dict[str, Any]:
        """Its memory as plain data."""
        return {"state": msgspec.to_builtins(self._state), "reader": self._reader.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `snapshot`. Raises BundleError if another bundle made it."""
        self._state = msgspec.convert(state["state"], _State)
        self._reader.restore(state["reader"])
