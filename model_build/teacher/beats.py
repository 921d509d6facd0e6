"""The teacher's pool: recordings whole, and for each beat the same beat on the other lead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.recipe import Weight
from model_build.teacher.record_view import RecordView, record_view
from model_build.training.beats import Pool, PreparedBeats, pool

SAME_BEAT_SHARE: Final = 0.25
"""Of the median interval: peaks of two leads nearer than that, each nearest to the other, are one
beat's. 0.2 s at 75 beats a minute: a wide QRS may peak that much later on another lead."""

LEADS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class WholeBeats:
    """A recording through one view, its pieces joined, with what the whole of it says."""

    beats: PreparedBeats
    whole: RecordView


@dataclass(frozen=True, slots=True, eq=False)
class TeacherPool:
    """All beats end to end, a span for each recording and view.

    `beats.features` hold the path's own features and after them those of `RecordView`.
    `other` int64 (beats,): the same beat in another view of the recording, -1 where there is none.
    `median` float16 (spans, window); `span_of` int64 (beats,) says which span a beat is of.
    """

    beats: Pool
    other: NDArray[np.int64]
    median: NDArray[np.float16]
    span_of: NDArray[np.int64]


def whole_beats(prepared: PreparedBeats) -> WholeBeats:
    """Join the pieces of a recording and look at all of it; labels are not looked at."""
    return WholeBeats(prepared, record_view(prepared))


def teacher_pool(
    items: Sequence[WholeBeats], weight: Weight, pairs: Sequence[tuple[str, str]]
) -> TeacherPool:
    """Join recordings. `pairs` are names of views that show the same beats on two leads.

    A recording and view without a beat is left out of the spans.
    """
    joined = [
        replace(
            item.beats,
            starts=np.zeros(1, np.int64),
            features=np.concatenate([item.beats.features, item.whole.features], axis=1),
        )
        for item in items
    ]
    beats = pool(joined, weight)
    medians = [item.whole.median for item in items if len(item.beats)]
    lengths = beats.spans[:, 1] - beats.spans[:, 0]
    return TeacherPool(
        beats=beats,
        other=_others(joined, pairs),
        median=np.stack(medians),
        span_of=np.repeat(np.arange(len(lengths)), lengths),
    )


def _others(items: Sequence[PreparedBeats], pairs: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    ends = np.cumsum([0, *(len(item) for item in items)])
    where = {(item.key, item.view): k for k, item in enumerate(items)}
    other = np.full(ends[-1], -1, np.int64)
    for item in items:
        for one, two in pairs:
            k, m = where.get((item.key, one)), where.get((item.key, two))
            # Once for a recording: at its view named first.
            if k is None or m is None or item.view != one:
                continue
            first, second = same_beats(items[k].at, items[m].at)
            other[ends[k] + first] = ends[m] + second
            other[ends[m] + second] = ends[k] + first
    return other


def same_beats(
    one: NDArray[np.int64], two: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the beats of two leads (times in one unit, rising) that are the same beat."""
    none = np.zeros(0, np.int64)
    if len(one) < 2 or not len(two):
        return none, none
    nearest, back = _nearest(one, two), _nearest(two, one)
    mine = np.arange(len(one))
    apart = np.abs(two[nearest] - one)
    same = (back[nearest] == mine) & (apart < SAME_BEAT_SHARE * np.median(np.diff(one)))
    return mine[same], nearest[same]


def _nearest(of: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    after = np.clip(np.searchsorted(among, of), 0, len(among) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(among[before] - of) <= np.abs(among[after] - of)
    return np.where(closer, before, after)
