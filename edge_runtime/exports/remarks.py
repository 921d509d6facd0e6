"""What is worth a word in an annotated export: beats, rhythms, alarms, marks, holes."""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    BeatClassified,
    Event,
    GapRecorded,
    RhythmEpisode,
    UserMarked,
)
from edge_runtime.publication import Published


@dataclass(frozen=True, slots=True)
class Remark:
    """`text` belongs to sample `at`, and the `length` samples from it on."""

    at: int
    length: int
    text: str


def remarks(events: tuple[Published, ...]) -> Iterator[Remark]:
    """In the order of the events."""
    for one in events:
        text = _text(one.event)
        if text:
            length = one.event.n_missing if isinstance(one.event, GapRecorded) else 0
            yield Remark(one.event.at, length, text)


def _text(event: Event) -> str:  # noqa: PLR0911 - one for each kind
    match event:
        case BeatClassified():
            return f"beat {event.label.value}"
        case RhythmEpisode():
            return f"{event.rhythm.value} {event.phase.value}"
        case AlarmRaised():
            return f"ALARM {event.priority.value}: {event.text}"
        case AlarmCleared():
            return f"ALARM END {event.rule}"
        case UserMarked():
            return f"mark: {event.text}"
        case GapRecorded():
            return f"no signal: {event.reason}"
        case _:
            return ""
