"""Hops of all recordings as one table: what trains, in which fold, with what targets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.rhythm import JUDGED_S
from model_build.datasets.splits import fold_of
from model_build.rhythm.prepare import PreparedRhythm
from model_build.rhythm.recordings import RhythmRecording

NO_FOLD: Final = -1
_MARGIN_S: Final = 3.0
"""So near to a change of rhythm a hop trains nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class RhythmPool:
    """n hops, recording by recording. `features` (n, F); `target` (n,) bits of `Rhythms`, 0 trains
    nothing; `recording` (n,) its number; `end_s` (n,); `fold` (n,), `NO_FOLD` for archives that
    only train; `archive` (n,) its group's name."""

    features: NDArray[np.float32]
    target: NDArray[np.uint8]
    recording: NDArray[np.int32]
    end_s: NDArray[np.float64]
    fold: NDArray[np.int8]
    archive: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.target)

    def without(self, fold: int | None) -> "RhythmPool":
        """The pool with nothing to learn in `fold` (None: all trains)."""
        kept = np.where(self.fold == fold, 0, self.target).astype(np.uint8)
        return self if fold is None else replace(self, target=kept)

    def draw(
        self, per_recording: Mapping[str, float], random: np.random.Generator
    ) -> NDArray[np.int64]:
        """So many hops of each recording on average, by archive, of those with a target; a rare
        rhythm of a recording is drawn as if it were more frequent, by the root."""
        rows = np.flatnonzero(self.target)
        kind = self.recording[rows].astype(np.int64) << 8 | self.target[rows]
        _, place, counts = np.unique(kind, return_inverse=True, return_counts=True)
        share = 1.0 / np.sqrt(counts[place])
        _, number = np.unique(self.recording[rows], return_inverse=True)
        share /= np.bincount(number, share)[number]
        share *= [per_recording.get(name, 0.0) for name in self.archive[rows].tolist()]
        drawn: NDArray[np.int64] = random.choice(
            rows, size=round(share.sum()), p=share / share.sum()
        )
        return drawn


def pooled(recordings: Iterable[RhythmRecording], prepared: Iterable[PreparedRhythm]) -> RhythmPool:
    """Every hop of the recordings."""
    columns: list[tuple[NDArray[np.generic], ...]] = []
    for number, (recording, hops) in enumerate(zip(recordings, prepared, strict=True)):
        k = len(hops)
        fold = fold_of(recording.subject) if recording.folded else NO_FOLD
        columns.append(
            (
                hops.features,
                targets(recording, hops.end_s),
                np.full(k, number, np.int32),
                hops.end_s,
                np.full(k, fold, np.int8),
                np.full(k, recording.group),
            )
        )
    return RhythmPool(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def targets(recording: RhythmRecording, end_s: NDArray[np.float64]) -> NDArray[np.uint8]:
    """`Rhythms` of hops that end at `end_s` (k,): of what they judge, or of the whole recording."""
    if recording.whole:
        return recording.at(end_s)
    at = np.maximum(end_s - JUDGED_S, 0.0)
    target = recording.at(at)
    for near in (-_MARGIN_S, _MARGIN_S):
        target[recording.at(np.maximum(at + near, 0.0)) != target] = 0
    return target
