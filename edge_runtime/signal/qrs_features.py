"""Where a QRS complex could be, and what each such place looks like.

Everything here is a function of the signal alone: finite filters made of moving sums whose
lengths are powers of two, so a value depends on its own neighbourhood and on nothing else, and any
chunking of the input gives the same bits. What the detector has learnt from earlier beats enters
only in `qrs.py`.

Around a centre `c` (between samples `c-1` and `c`) two box kernels of one scale `s` form a
quadrature pair: the slope (mean of the next `s` samples less the mean of the last `s`) and the
curvature (mean of the middle `s` samples less the mean of their neighbours). The sum of their
squares is an energy that does not depend on the shape's polarity or phase and has one hump a QRS.
At 250 Hz the scales 4, 8 and 16 lie near 23, 12 and 6 Hz.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

RATE_HZ: Final = 250
"""The contract rate; every length in this module is in samples of it."""

WIDE: Final = 0.5
"""Weight of the 6 Hz energy in the main one: lets wide beats in without making T waves equal."""

LEFT_REACH: Final = 96
"""Samples before a candidate's centre on which its description depends."""
LOOK_AHEAD: Final = 42
"""How far after a candidate's centre the energy is looked at (168 ms)."""
RIGHT_REACH: Final = LOOK_AHEAD + 27
"""Samples from a candidate's centre (counted as the first) on which its description depends."""

SEPARATION: Final = 12
"""A candidate is the highest energy within this many samples on either side."""
SHAPE_HALF: Final = 20
"""Half the stretch of signal (80 ms) that is compared with earlier beats."""
SHAPE_LENGTH: Final = SHAPE_HALF
"""Samples of a shape: every other one of `2 * SHAPE_HALF`."""
PEAK_HALF: Final = 14
"""The R peak lies at most this far (56 ms) from the centre of the energy."""

_EDGE: Final = 28  # first centre with an energy: 24 for the widest kernel, 4 for smoothing
_NEAR: Final = 13  # beside a candidate, the energy that is not its own begins here


@dataclass(frozen=True, slots=True)
class Candidates:
    """`k` places in order. Row `i` of every array describes one of them; energies in mV.

    `centre` counts from the segment's first sample; `local` holds the columns of `LOCAL`;
    `shapes` (k, 2, SHAPE_LENGTH) have mean 0 and norm 1: around the centre (its norm is in
    `local`) and around the highest energy of the look-ahead. `peak` is the index of the highest and
    of the lowest deflection, `deflection` how far (mV, both positive) they stand out.
    """

    centre: Indices
    local: Floats
    shapes: Floats
    peak: Indices
    deflection: Floats

    def __len__(self) -> int:
        return len(self.centre)


LOCAL: Final = (
    "energy",
    "sharp",
    "wide",
    "before_max",
    "after_max",
    "before_mean",
    "after_mean",
    "before_sharp",
    "step",
    "next_sharp",
    "next_after",
    "norm",
)
"""Columns of `Candidates.local`, all positive: `next_after` in s, all else in mV."""


def _box(x: Floats, length: int) -> Floats:
    """Sums of `length` (a power of two) neighbours; entry `i` is `x[i:i+length].sum()`."""
    width = 1
    while width < length:
        x = x[:-width] + x[width:]
        width *= 2
    return x


def _energy(x: Floats, scale: int) -> Floats:
    """Squared quadrature amplitude of one scale; entry `i` belongs to centre `i + 3*scale/2`."""
    sums = _box(x, scale)
    half = scale // 2
    n = len(sums) - 2 * scale
    centre = scale + half  # of entry 0
    slope = sums[centre : centre + n] - sums[centre - scale : centre - scale + n]
    sides = sums[0:n] + sums[2 * scale : 2 * scale + n]
    bend = sums[scale : scale + n] - 0.5 * sides
    return np.asarray((slope * slope + bend * bend) / (scale * scale), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Energies:
    """Smoothed amplitudes in mV; entry `i` belongs to centre `i + 28` of the given signal."""

    main: Floats
    sharp: Floats
    wide: Floats


def energies(x: Floats) -> Energies:
    """The three amplitude signals of `x` (n,); each has `n - 54` entries."""
    e16 = _energy(x, 16)
    n = len(e16)
    e8 = _energy(x, 8)[12 : 12 + n]
    e4 = _energy(x, 4)[18 : 18 + n]
    return Energies(
        main=np.sqrt(_box(e8 + WIDE * e16, 8) * 0.125),
        sharp=np.sqrt(_box(e4, 8) * 0.125),
        wide=np.sqrt(_box(e16, 8) * 0.125),
    )


def _places(main: Floats, first: int, last: int, floor_mv: float) -> Indices:
    """Entries in [first, last) above the floor and highest within SEPARATION on both sides."""
    middle = main[first:last]
    top = (
        (middle > main[first - 1 : last - 1])
        & (middle >= main[first + 1 : last + 1])
        & (middle >= floor_mv)
    )
    at = np.flatnonzero(top) + first
    if not len(at):
        return at
    offsets = np.arange(1, SEPARATION + 1)
    value = main[at]
    before = main[at[:, None] - offsets].max(axis=1)
    after = main[at[:, None] + offsets].max(axis=1)
    return np.asarray(at[(value > before) & (value >= after)], dtype=np.int64)


def _shapes(x: Floats, centres: Indices) -> tuple[Floats, Floats]:
    """Shapes (k, SHAPE_LENGTH) of mean 0 and norm 1 around `centres`, and their norms (k,)."""
    offsets = np.arange(-SHAPE_HALF, SHAPE_HALF, 2)
    shape = x[centres[:, None] + offsets] + x[centres[:, None] + offsets + 1]
    shape = shape - (shape.sum(axis=1) / SHAPE_LENGTH)[:, None]
    norm = np.sqrt((shape * shape).sum(axis=1)) + 1e-9
    return shape / norm[:, None], norm


def describe(x: Floats, first: int, last: int, floor_mv: float) -> Candidates:
    """Candidates with a centre in [first, last) of `x` (n,), in mV at 250 Hz.

    Needs `first >= LEFT_REACH` and `last <= n - RIGHT_REACH + 1`; indices are those of `x`.
    """
    e = energies(x)
    main = e.main
    at = _places(main, first - _EDGE, last - _EDGE, floor_mv)
    centre = at + _EDGE
    column = at[:, None]
    ahead = main[column + np.arange(_NEAR, LOOK_AHEAD + 1)]
    behind = column - np.arange(_NEAR, 65)
    past = main[behind]
    next_centre = centre + _NEAR + ahead.argmax(axis=1)
    shape, norm = _shapes(x, centre)
    next_shape, _ = _shapes(x, next_centre)
    later = x[centre[:, None] + np.arange(12, 28)].sum(axis=1)
    earlier = x[centre[:, None] - np.arange(13, 29)].sum(axis=1)
    near = column + np.arange(-4, 5)
    next_near = (next_centre - _EDGE)[:, None] + np.arange(-4, 1)
    local = np.stack(
        (
            main[at],
            e.sharp[near].max(axis=1),
            e.wide[near].max(axis=1),
            past[:, : LOOK_AHEAD + 1 - _NEAR].max(axis=1),
            ahead.max(axis=1),
            past.sum(axis=1) / past.shape[1],
            ahead.sum(axis=1) / ahead.shape[1],
            e.sharp[behind].sum(axis=1) / past.shape[1],
            np.abs(later - earlier) / 16,
            e.sharp[next_near].max(axis=1),
            (next_centre - centre) / RATE_HZ,
            norm,
        ),
        axis=1,
    )
    local = np.maximum(local, 1e-6)
    peak, deflection = _peaks(x, centre)
    return Candidates(centre, local, np.stack((shape, next_shape), axis=1), peak, deflection)


def _peaks(x: Floats, centre: Indices) -> tuple[Indices, Floats]:
    """Index (k, 2) of the highest and the lowest point near each centre, and by how much.

    Against the mean of the 128 ms around each point, so that a sloping baseline moves nothing.
    """
    offsets = np.arange(-PEAK_HALF, PEAK_HALF + 1)
    around = centre[:, None] + offsets
    level = _box(x, 32) * (1 / 32)
    out = x[around] - level[around - 16]
    high = out.argmax(axis=1)
    low = out.argmin(axis=1)
    rows = np.arange(len(centre))
    peak = np.stack((around[rows, high], around[rows, low]), axis=1)
    deflection = np.stack((out[rows, high], -out[rows, low]), axis=1)
    return peak, np.maximum(deflection, 0.0)
