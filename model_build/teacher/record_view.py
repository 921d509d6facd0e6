"""What the whole of a recording says about each beat: medians, likeness, intervals on both sides.

Nothing here is causal, and only ratios of intervals enter, so that the archive's rate is not
needed. Tentative peaks are compared with the others and teach nothing. Undefined values are NaN,
which the scaling puts at the centre.
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
    firm = ~beats.tentative
    readable = beats.valid & window.any(axis=1)
    median = _median_rows(window, readable & firm)
    rr = _intervals(beats.at, firm)
    columns = np.concatenate(
        [rr, _shapes(window, median), _families(window, readable, firm, rr)], axis=1
    )
    own = beats.features - _median_rows(beats.features, readable & firm)
    features = np.concatenate([columns, own], axis=1, dtype=np.float32)
    return RecordView(features, median.astype(np.float16))


def _median_rows(rows: Floats, which: NDArray[np.bool_]) -> Floats:
    if not which.any():
        return np.zeros(rows.shape[1], np.float32)
    return np.nan_to_num(np.median(rows[which], axis=0)).astype(np.float32)


def _around(values: Floats, width: int) -> Floats:
    """Median of the `width` values around each; at the ends of what there is."""
    half = width // 2
    padded = np.pad(values, half, constant_values=np.nan)
    rows = np.lib.stride_tricks.sliding_window_view(padded, width)
    # The first interval is unknown: alone in its window it leaves no median.
    rows = np.where(np.isnan(rows).all(axis=1, keepdims=True), 0.0, rows)
    return np.asarray(np.nanmedian(rows, axis=1), np.float32)


def _intervals(at: NDArray[np.int64], firm: NDArray[np.bool_]) -> Floats:
    """The nine columns of intervals, (k, 9), all between `firm` peaks or from the last to this."""
    own = at[firm]
    if len(own) < 2:
        return np.full((len(at), 9), np.nan, np.float32)
    rr = _logs(np.diff(own, prepend=own[0]))
    rr[0] = np.nan
    before, after = np.searchsorted(own, at), np.searchsorted(own, at, side="right")
    here = _logs(at - own[np.maximum(before - 1, 0)])
    here[before == 0] = np.nan
    later = np.append(own, [own[-1]] * 2)
    there, there2 = _logs(later[after] - at), _logs(later[after + 1] - later[after])
    there[after >= len(own)] = np.nan
    there2[after + 1 >= len(own)] = np.nan
    place = np.minimum(before, len(own) - 1)
    near, far = (_around(rr, width)[place] for width in (11, 61))
    irregular = _around(np.abs(np.diff(rr, prepend=np.float32(np.nan))), 31)[place]
    record = np.nanmedian(rr)
    both = np.log((np.exp(here) + np.exp(there)) / 2.0)
    columns = (
        here - record, there - record, there2 - record, here - near, there - near, here - far,
        there - here, both - near, irregular,
    )  # fmt: skip
    return np.clip(np.stack(columns, axis=1), -_MOST, _MOST).astype(np.float32)


def _logs(intervals: NDArray[np.int64]) -> Floats:
    return np.log(np.maximum(intervals, 1)).astype(np.float32)


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


def _families(
    window: Floats, readable: NDArray[np.bool_], firm: NDArray[np.bool_], intervals: Floats
) -> Floats:
    """Of the firm beats that look like this one: how many there are, how they come, (k, 5)."""
    out = np.full((len(window), 5), np.nan, np.float32)
    which, among = np.flatnonzero(readable), np.flatnonzero(readable & firm)
    if not len(among):
        return out
    qrs, beat = (_unit(window, region) for region in (QRS, BEAT))
    timing = np.nan_to_num(intervals[among][:, (3, 4)])
    timing = np.stack([timing[:, 0], timing[:, 0] < EARLY, timing[:, 1]], axis=1)
    timing = timing.astype(np.float32)
    for first in range(0, len(which), _AT_ONCE):
        rows = which[first : first + _AT_ONCE]
        alike = (qrs[rows] @ qrs[among].T > ALIKE).astype(np.float32)
        whole = (beat[rows] @ beat[among].T > ALIKE).mean(axis=1, dtype=np.float32)
        count = alike.sum(axis=1, keepdims=True)
        # A flat beat is unlike even itself.
        mean = alike @ timing / np.maximum(count, 1.0)
        out[rows] = np.concatenate([count / len(among), whole[:, None], mean], axis=1)
    return out
