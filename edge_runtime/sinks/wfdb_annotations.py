"""Events as a WFDB annotation file: what the engine found, in the record's own samples.

Beats carry their AAMI class (Q where it was refused), rhythm changes are `+` with WFDB's rhythm
names, alarms are comments (`"`): `ALARM high asystole: ...` and `ALARM END asystole`.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    BeatClassified,
    Event,
    Phase,
    Rhythm,
    RhythmClassified,
    RhythmEpisode,
)
from firmware_bridge.errors import RecordError
from firmware_bridge.records import Annotations, write_annotations

_MAX_AUX = 255
_RHYTHM_NAMES = {
    Rhythm.VENTRICULAR_FIBRILLATION: "(VF",
    Rhythm.VENTRICULAR_RUN: "(VT",
    Rhythm.OTHER: "(N",
    Rhythm.TOO_NOISY: "(N",
}
"""WFDB's names where they differ from ours; a rhythm it has no name for keeps its own."""
_OF_ANY_RHYTHM = frozenset({Rhythm.BRADYCARDIA, Rhythm.TACHYCARDIA, Rhythm.IRREGULAR})
"""What any rhythm can be; it does not hide which one it is."""
_ATRIAL = frozenset({Rhythm.ATRIAL_FIBRILLATION, Rhythm.ATRIAL_FLUTTER})


class AnnotationWriter:
    """Collects events; `write` puts them in order of time.

    WFDB counts annotations in the record's frames: `per_frame` samples of the source make one,
    and the source's first sample is frame `first`.
    """

    def __init__(self, first: int = 0, per_frame: int = 1) -> None:
        self._first, self._per_frame = first, per_frame
        self._rows: list[tuple[int, str, str]] = []
        self._episodes: list[RhythmEpisode | RhythmClassified] = []

    def see(self, event: Event) -> None:
        """Keep `event` if an annotation file has a place for it."""
        match event:
            case BeatClassified():
                self._rows.append((event.at, event.label.value, ""))
            case RhythmEpisode() | RhythmClassified():
                self._episodes.append(event)
            case AlarmRaised():
                text = f"ALARM {event.priority.value} {event.rule}: {event.text}"
                self._rows.append((event.at, '"', text))
            case AlarmCleared():
                self._rows.append((event.at, '"', f"ALARM END {event.rule}"))
            case _:
                pass

    def annotations(self) -> Annotations:
        """All so far, in order of time."""
        rows = sorted([*self._rows, *_rhythm_rows(self._episodes)], key=lambda row: row[0])
        return Annotations.of(
            [self._first + max(0, at) // self._per_frame for at, _, _ in rows],
            [symbol for _, symbol, _ in rows],
            [_plain(text) for _, _, text in rows],
        )

    def write(self, directory: Path, record: str, annotator: str) -> Path:
        """Write DIRECTORY/RECORD.ANNOTATOR, whole or not at all. Raises RecordError."""
        file = writable(directory, record, annotator)
        write_annotations(file, self.annotations())
        return file


def writable(directory: Path, record: str, annotator: str) -> Path:
    """DIRECTORY/RECORD.ANNOTATOR, the folder made and tried: asked before hours of replay.

    Raises RecordError where it cannot be written now.
    """
    file = directory / f"{record}.{annotator}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{directory}: cannot be made ({error.strerror})") from error
    try:
        with TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise RecordError(f"{file}: cannot be written ({error.strerror})") from error
    if file.is_dir():
        raise RecordError(f"{file}: cannot be written (it is a folder)")
    return file


def _rhythm_rows(
    changes: list[RhythmEpisode | RhythmClassified],
) -> Iterator[tuple[int, str, str]]:
    """A row wherever the rhythm changes: to the episode begun last that still holds, else to what
    the rhythm model sees, else sinus. Fast, slow or irregular fibrillation is fibrillation."""
    holding: list[Rhythm] = []
    beneath = Rhythm.SINUS
    names: dict[int, str] = {}
    for change in sorted(changes, key=_in_time):
        match change:
            case RhythmClassified():
                beneath = change.rhythm
            case RhythmEpisode(phase=Phase.ONSET):
                holding.append(change.rhythm)
            case RhythmEpisode():
                if change.rhythm in holding:
                    holding.remove(change.rhythm)
        names[change.at] = _rhythm_name(_shown(holding, beneath))
    for at, name in names.items():
        yield at, "+", name


def _shown(holding: list[Rhythm], beneath: Rhythm) -> Rhythm:
    telling = [rhythm for rhythm in holding if rhythm not in _OF_ANY_RHYTHM]
    if telling:
        return telling[-1]
    return holding[-1] if holding and beneath not in _ATRIAL else beneath


def _in_time(change: RhythmEpisode | RhythmClassified) -> tuple[int, bool]:
    return change.at, isinstance(change, RhythmEpisode) and change.phase is Phase.ONSET


def _rhythm_name(rhythm: Rhythm) -> str:
    return _RHYTHM_NAMES.get(rhythm, f"({rhythm.value}")


def _plain(text: str) -> str:
    """WFDB's aux strings are at most 255 bytes of Latin-1."""
    return text.encode("latin-1", "replace")[:_MAX_AUX].decode("latin-1")
