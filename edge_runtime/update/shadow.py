"""A new bundle set beside the old one on signal that this device has stored: do they agree?

Both run the shipped engine over the same stored hour, one after the other, before the new one may
touch anything live. The limits catch a set that is broken, not one that is better: a better model
calls some beats differently, a broken one loses them, names most of them anew, or is too slow.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engine import EngineSettings
from edge_runtime.errors import PathError, StoreError
from edge_runtime.events import BeatClass, BeatClassified, BeatDetected
from edge_runtime.exports.recording import stored_recording
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.replay import replay
from edge_runtime.store.reading import read_only, session_rows
from firmware_bridge.errors import RecordError
from firmware_bridge.records import open_record

COMPARED_S: Final = 3600.0
_MATCH_S: Final = 0.15
"""EC57's window: two peaks are one beat."""
_CHUNK_S: Final = 60
_LEAST_BEATS: Final = 100
"""Fewer say nothing about shares of a few per cent."""
LEAST_PEAKS_SHARED: Final = 0.98
LEAST_CLASSES_EQUAL: Final = 0.85
MOST_UNCLASSIFIED_MORE: Final = 0.05
MOST_COST: Final = 3.0
"""Times the old set's; a set that needs so much more was not meant for this device."""
LEAST_SPEED: Final = 20.0
"""Times real time: below that one source takes 5 % of a core and an overloaded board falls back."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """What one set made of the signal: peaks and labels by sample index, and processor time."""

    peaks: NDArray[np.int64]
    labels: dict[int, str]
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two sets on the same signal. Shares are of the old one's beats."""

    signal_s: float
    beats: int
    peaks_shared: float
    classes_equal: float
    unclassified_more: float
    cost: float
    speed: float

    @property
    def problem(self) -> str:
        """Why the new set must not run here; empty: nothing speaks against it."""
        return "; ".join(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.speed < LEAST_SPEED:
            yield f"it is too slow here: {self.speed:.0f} times real time"
        if self.cost > MOST_COST:
            yield f"it needs {self.cost:.1f} times the processor time of the present set"
        if self.beats < _LEAST_BEATS:
            return
        if self.peaks_shared < LEAST_PEAKS_SHARED:
            yield f"only {self.peaks_shared:.1%} of the present set's beats are found"
        if self.classes_equal < LEAST_CLASSES_EQUAL:
            yield f"only {self.classes_equal:.1%} of beats keep their class"
        if self.unclassified_more > MOST_UNCLASSIFIED_MORE:
            yield f"{self.unclassified_more:.1%} more of the beats get no class"

    def words(self) -> str:
        """For a person."""
        return (
            f"{self.signal_s / 60:.0f} min of stored signal, {self.beats} beats: "
            f"{self.peaks_shared:.2%} found again, {self.classes_equal:.2%} of the same class, "
            f"{self.cost:.1f} times the processor time, {self.speed:.0f} times real time"
        )


def compare(
    old: BundleSet,
    new: BundleSet,
    directory: Path,
    settings: EngineSettings,
    *,
    longest_s: float = COMPARED_S,
    clock: Callable[[], float] = time.thread_time,
) -> Agreement | None:
    """Both sets on the newest stored signal; None where there is none that can be read.

    `clock` is that of this thread: a daemon's other threads go on monitoring beside it.
    """
    parts = [
        _pair(old, new, stretch, settings, clock) for stretch in newest_signal(directory, longest_s)
    ]
    return _joined(parts) if parts else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames [first, last) of a stored record."""

    record: Path
    first: int
    last: int
    rate_hz: float


def newest_signal(directory: Path, longest_s: float) -> Iterator[Stretch]:
    """The newest stored signal, session by session backwards, `longest_s` in all."""
    try:
        with closing(read_only(directory)) as connection:
            names = [row.name for row in session_rows(connection)]
    except StoreError:
        return
    for name in names:
        try:
            stored = stored_recording(directory, name)
        except (StoreError, RecordError):
            continue  # without raw signal, or nothing finished yet
        rate_hz = float(stored.rate_hz)
        n = min(stored.n_samples, round(longest_s * rate_hz))
        if n > 0:
            yield Stretch(stored.record, stored.last - n, stored.last, rate_hz)
        longest_s -= n / rate_hz
        if longest_s < 1.0:
            return


def _pair(
    old: BundleSet,
    new: BundleSet,
    stretch: Stretch,
    settings: EngineSettings,
    clock: Callable[[], float],
) -> Agreement:
    signal_s = (stretch.last - stretch.first) / stretch.rate_hz
    before, after = (_run(bundles, stretch, settings, clock) for bundles in (old, new))
    tolerance = round(_MATCH_S * stretch.rate_hz)
    shared = sum(_near(at, after.peaks, tolerance) is not None for at in before.peaks.tolist())
    known = np.array(sorted(after.labels), np.int64)
    pairs = [
        (label, after.labels[near])
        for at, label in before.labels.items()
        if (near := _near(at, known, tolerance)) is not None
    ]
    equal = sum(a == b for a, b in pairs)
    unknown = BeatClass.UNKNOWN.value
    more = sum(b == unknown for _, b in pairs) - sum(a == unknown for a, _ in pairs)
    return Agreement(
        signal_s=signal_s,
        beats=len(before.peaks),
        peaks_shared=shared / max(1, len(before.peaks)),
        classes_equal=equal / max(1, len(pairs)),
        unclassified_more=more / max(1, len(pairs)),
        cost=after.cpu_s / max(before.cpu_s, 1e-9),
        speed=signal_s / max(after.cpu_s, 1e-9),
    )


def _run(
    bundles: BundleSet, stretch: Stretch, settings: EngineSettings, clock: Callable[[], float]
) -> Shadow:
    began_s = clock()
    peaks, labels = list[int](), dict[int, str]()
    items = open_record(stretch.record).items(
        round(_CHUNK_S * stretch.rate_hz), stretch.first, stretch.last
    )
    try:
        for event in replay(bundles, items, settings):
            match event:
                case BeatDetected():
                    peaks.append(event.at)
                case BeatClassified():
                    labels[event.at] = event.label.value
                case _:
                    pass
    except PathError:
        pass  # this set cannot take the stored leads at all: what it found so far counts
    return Shadow(np.array(sorted(peaks), np.int64), labels, clock() - began_s)


def _near(at: int, among: NDArray[np.int64], tolerance: int) -> int | None:
    """The first of `among` (sorted) within `tolerance` of `at`."""
    place = int(np.searchsorted(among, at - tolerance))
    if place < len(among) and among[place] <= at + tolerance:
        return int(among[place])
    return None


def _joined(parts: list[Agreement]) -> Agreement:
    beats = sum(part.beats for part in parts)
    signal_s = sum(part.signal_s for part in parts)
    new_s = sum(part.signal_s / part.speed for part in parts)
    old_s = sum(part.signal_s / part.speed / part.cost for part in parts)

    def mean(name: str) -> float:
        return float(sum(getattr(p, name) * p.beats for p in parts)) / max(1, beats)

    return Agreement(
        signal_s=signal_s,
        beats=beats,
        peaks_shared=mean("peaks_shared"),
        classes_equal=mean("classes_equal"),
        unclassified_more=mean("unclassified_more"),
        cost=new_s / max(old_s, 1e-9),
        speed=signal_s / max(new_s, 1e-9),
    )
