"""What the whole of a recording says about each beat: medians, likeness, intervals on both sides.

Nothing here is causal, and only ratios of intervals enter, so that the archive's rate is not
needed. Undefined values are NaN, which the scaling puts at the centre.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.windows import BEAT, P_WAVE, QRS
from model_build.training.beats import PreparedBeats

Floats = NDArray[np.float32]

ALIKE: Final = 0.9
"""Correlation from which on two QRS, or two beats from P to T, are of one morphology."""
EARLY: Final = -0.15
"""Log of RR over the local median below which a beat counts as early: 14 % shorter."""
_MOST: Final = 1.5
"""Logarithms of ratios are cut here: a pause of more than four intervals says no more."""
_AT_ONCE: Final = 512

COLUMNS: Final = (
    "rr_to_record", "next_to_record", "next2_to_record", "rr_to_median_11", "next_to_median_11",
    "rr_to_median_61", "next_to_rr", "pair_to_median_11", "irregular_31", "qrs_like_next",
    "beat_like_next", "p_like_next", "qrs_like_record", "beat_like_record", "p_like_record",
    "height_to_record", "qrs_alike", "beat_alike", "alike_rr", "alike_early", "alike_next",
)  # fmt: skip
"""Of `RecordView.features`, before the path's own features less their medians."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordView:
    """A recording through one view, all of it in view.

    features: float32 (k, len(COLUMNS) + F): those of `COLUMNS`, then the path's own less the
        record's median of each.
    median: float16 (window,), the median of all readable beats.
    """

    features: Floats
    median: NDArray[np.float16]


def record_view(beats: PreparedBeats) -> RecordView:
    """What the whole of `beats` says about each of them."""
    window = np.nan_to_num(beats.window.astype(np.float32))
    readable = beats.valid & window.any(axis=1)
    median = _median_rows(window, readable)
    rr = _intervals(beats.at)
    columns = np.concatenate([rr, _shapes(window, median), _families(window, readable, rr)], axis=1)
    own = beats.features - _median_rows(beats.features, readable)
    features = np.concatenate([columns, own], axis=1, dtype=np.float32)
    return RecordView(features, median.astype(np.float16))


def _median_rows(rows: Floats, which: NDArray[np.bool_]) -> Floats:
    if not which.any():
        return np.zeros(rows.shape[1], np.float32)
    return np.nan_to_num(np.median(rows[which], axis=0)).astype(np.float32)


def _moved(values: Floats, by: int) -> Floats:
    """`values` of the beat `by` further on; NaN where there is none."""
    out = np.full_like(values, np.nan)
    if by > 0:
        out[:-by] = values[by:]
    elif by < 0:
        out[-by:] = values[:by]
    return out


def _around(values: Floats, width: int) -> Floats:
    """Median of the `width` values around each; at the ends of what there is."""
    half = width // 2
    padded = np.pad(values, half, constant_values=np.nan)
    rows = np.lib.stride_tricks.sliding_window_view(padded, width)
    # The first interval is unknown: alone in its window it leaves no median.
    rows = np.where(np.isnan(rows).all(axis=1, keepdims=True), 0.0, rows)
    return np.asarray(np.nanmedian(rows, axis=1), np.float32)


def _intervals(at: NDArray[np.int64]) -> Floats:
    """The nine columns of intervals, (k, 9)."""
    if not len(at):
        return np.zeros((0, 9), np.float32)
    rr = np.full(len(at), np.nan, np.float32)
    rr[1:] = np.log(np.maximum(np.diff(at), 1))
    after, after2 = _moved(rr, 1), _moved(rr, 2)
    record = np.nanmedian(rr) if len(at) > 1 else np.float32(0.0)
    near, far = _around(rr, 11), _around(rr, 61)
    both = np.log((np.exp(rr) + np.exp(after)) / 2.0)
    change = np.abs(np.diff(rr, prepend=np.float32(np.nan)))
    columns = (
        rr - record, after - record, after2 - record, rr - near, after - near, rr - far,
        after - rr, both - near, _around(change, 31),
    )  # fmt: skip
    return np.clip(np.stack(columns, axis=1), -_MOST, _MOST).astype(np.float32)


def _unit(window: Floats, region: slice) -> Floats:
    """Region of each window less its mean, of unit length; zero where it is flat."""
    part = window[..., region]
    part = part - part.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(part, axis=-1, keepdims=True)
    return np.asarray(part / np.maximum(length, 1e-6), np.float32)


def _shapes(window: Floats, median: Floats) -> Floats:
    """Likeness to the next beat and to the record's median beat, and the height, (k, 7)."""
    columns = []
    for region in (QRS, BEAT, P_WAVE):
        units = _unit(window, region)
        columns.append(np.append((units[:-1] * units[1:]).sum(axis=1), [np.nan] * (len(units) > 0)))
    columns += [_unit(window, region) @ _unit(median, region) for region in (QRS, BEAT, P_WAVE)]
    height, usual = np.ptp(window[:, QRS], axis=1), np.ptp(median[QRS])
    ratio = np.log(np.maximum(height, 1e-3) / max(float(usual), 1e-3))
    columns.append(np.clip(ratio, -_MOST, _MOST))
    return np.stack(columns, axis=1).astype(np.float32)


def _families(window: Floats, readable: NDArray[np.bool_], intervals: Floats) -> Floats:
    """Of the beats that look like this one: how many there are, and how they come, (k, 5)."""
    out = np.full((len(window), 5), np.nan, np.float32)
    which = np.flatnonzero(readable)
    qrs, beat = (_unit(window[which], region) for region in (QRS, BEAT))
    timing = np.nan_to_num(intervals[which][:, (3, 4)])
    timing = np.stack([timing[:, 0], timing[:, 0] < EARLY, timing[:, 1]], axis=1)
    timing = timing.astype(np.float32)
    for first in range(0, len(which), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        alike = (qrs[rows] @ qrs.T > ALIKE).astype(np.float32)
        whole = (beat[rows] @ beat.T > ALIKE).mean(axis=1, dtype=np.float32)
        count = alike.sum(axis=1, keepdims=True)
        # A flat beat is unlike even itself.
        mean = alike @ timing / np.maximum(count, 1.0)
        share = count / len(which)
        out[which[rows]] = np.concatenate([share, whole[:, None], mean], axis=1)
    return out
