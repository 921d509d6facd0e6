"""Measures of a beat's shape, taken alike of beats, of the beats before them and of templates.

Row-wise arithmetic only: multiply, add, divide and square root over rows of fixed length, which
give the same bits for one row as for many. No BLAS, and nothing transcendental.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.windows import BEAT, FLAT_MV, P_WAVE, QRS, STEP_S, T_WAVE, span

Floats = NDArray[np.float64]

_TINY: Final = 1e-12
_RAMP: Final = np.arange(P_WAVE.stop - P_WAVE.start) - (P_WAVE.stop - P_WAVE.start - 1) / 2
_RAMP_ENERGY: Final = float((_RAMP * _RAMP).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Measures of n shapes (n, 160) in mV.

    `height` QRS peak to peak in mV (at least `FLAT_MV`); `area` of |QRS| in mV s; `width`
    area over height in s; `polarity` -1 (all down) to 1 (all up); `slope` steepest step over
    height; `p`, `qrs`, `t`, `beat` the regions around their mean (P around its line), `*_norm`
    their root sums of squares.
    """

    height: Floats
    area: Floats
    width: Floats
    polarity: Floats
    slope: Floats
    p: Floats
    p_norm: Floats
    qrs: Floats
    qrs_norm: Floats
    t: Floats
    t_norm: Floats
    beat: Floats
    beat_norm: Floats

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> "Anatomy":
        return Anatomy(*(getattr(self, field.name)[rows] for field in fields(self)))


def measure(shapes: Floats) -> Anatomy:
    """The anatomy of n shapes (n, 160) in mV around their isoelectric line."""
    region = np.ascontiguousarray(shapes[:, QRS])
    height = np.maximum(span(region), FLAT_MV)
    area = np.abs(region).sum(axis=1) * STEP_S
    polarity = (region.max(axis=1) + region.min(axis=1)) / height
    slope = np.abs(region[:, 1:] - region[:, :-1]).max(axis=1) / height
    p = _centred(shapes[:, P_WAVE])
    # T before and baseline run through the P region as a line.
    p -= ((p * _RAMP).sum(axis=1) / _RAMP_ENERGY)[:, None] * _RAMP
    qrs, t, beat = (_centred(shapes[:, part]) for part in (QRS, T_WAVE, BEAT))
    return Anatomy(
        height=height,
        area=area,
        width=area / height,
        polarity=polarity,
        slope=slope,
        p=p,
        p_norm=norm(p),
        qrs=qrs,
        qrs_norm=norm(qrs),
        t=t,
        t_norm=norm(t),
        beat=beat,
        beat_norm=norm(beat),
    )


def _centred(rows: Floats) -> Floats:
    rows = np.ascontiguousarray(rows)
    centred: Floats = rows - (rows.sum(axis=1) / rows.shape[1])[:, None]
    return centred


def norm(rows: Floats) -> Floats:
    """Root sum of squares of each row, (n, m) to (n,)."""
    out: Floats = np.sqrt((rows * rows).sum(axis=1))
    return out


def correlation(a: Floats, a_norm: Floats, b: Floats, b_norm: Floats) -> Floats:
    """Correlation of centred rows (n, m) to (n,); 0 where one of them is flat."""
    both = np.maximum(a_norm * b_norm, _TINY)
    out: Floats = (a * b).sum(axis=1) / both
    return out


def contrast(a: Floats, b: Floats) -> Floats:
    """(a - b) / (a + b) of two sizes: -1 to 1, 0 if equal, about half the log of small ratios."""
    out: Floats = (a - b) / np.maximum(a + b, _TINY)
    return out


def projection(a: Floats, b: Floats, b_norm: Floats) -> Floats:
    """How much of row b lies in row a (1: the same height), within +-3; 0 where b is flat."""
    share = (a * b).sum(axis=1) / np.maximum(b_norm * b_norm, _TINY)
    out: Floats = np.minimum(np.maximum(share, -3.0), 3.0)
    return out


def coherence(p: Floats, p_norm: Floats, usable: NDArray[np.bool_], beats: int) -> Floats:
    """Mean correlation among the P waves of the last `beats` beats: near 0 in fibrillation.

    `p` (beats - 1 + k, m) the P region of earlier beats, then of these; gives (k,). Only
    `usable` rows count; NaN-free: 0 where fewer than two do.
    """
    k = len(p) - beats + 1
    usable = usable & (p_norm > _TINY)
    unit = p * (usable / np.maximum(p_norm, _TINY))[:, None]
    total = unit[:k].copy()
    for back in range(1, beats):  # in this order for every beat, whatever the block
        total += unit[back : back + k]
    passed = np.cumsum(usable)
    count = passed[beats - 1 :] - passed[:k] + usable[:k]
    pairs = np.maximum(count * (count - 1), 1)
    out: Floats = np.where(count >= 2, ((total * total).sum(axis=1) - count) / pairs, 0.0)
    return out
