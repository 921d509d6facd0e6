"""What is measured of each second of a lead, to tell how well its R peaks can be found.

All of it in mV and from that second alone. Slopes over tens of milliseconds stand for the QRS,
slower ones for P, T and movement; how their quiet and loud moments compare tells noise from beats.
"""

import math
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEASURES: Final = (
    "noise",
    "noise_loud",
    "wander",
    "span",
    "fast_max",
    "fast_90",
    "fast_75",
    "fast_50",
    "slow_max",
    "slow_50",
)
"""Last axis of what `Measurer` gives.

`noise`, `noise_loud`: second difference over 16 ms (50 Hz comes through 3.6-fold, 5 Hz 16-fold
less), root mean square of tenths of a second, the fourth- and ninth-smallest: between the QRS, and
in them. `wander`: peak to peak of the means of tenths of a second. `span`: peak to peak. `fast_*`:
mean of 30 ms less that of 120 ms, `slow_*`: 100 ms less 400 ms, both rectified: greatest, and the
values that 90, 75 and 50 % do not exceed.
"""
NOISE, WANDER = MEASURES.index("noise"), MEASURES.index("wander")


class Measurer:
    """Measures seconds of `length` samples at a rate; mains hum is averaged away first."""

    def __init__(self, rate_hz: Fraction, length: int, mains_hz: int | None) -> None:
        self._length = length
        self._lag = max(1, round(rate_hz * Fraction(8, 1000)))
        self._half_mains = 0 if mains_hz is None else max(1, round(rate_hz / (2 * mains_hz)))
        self._period = 1 if mains_hz is None else max(1, round(rate_hz / mains_hz))
        self._fast, self._slow = (
            (max(1, round(rate_hz * Fraction(a, 1000))), max(2, round(rate_hz * Fraction(b, 1000))))
            for a, b in ((30, 120), (100, 400))
        )

    def __call__(self, x: Array) -> Array:
        """Measures (n_leads, b, len(MEASURES)) of seconds (n_leads, b, length), all finite."""
        out = np.empty((*x.shape[:2], len(MEASURES)))
        out[..., 0], out[..., 1] = self._noise(x)
        tenth = self._length // 10
        means = x[..., : 10 * tenth].reshape(*x.shape[:2], 10, tenth).sum(axis=3)
        out[..., WANDER] = (means.max(axis=2) - means.min(axis=2)) / tenth
        out[..., 3] = x.max(axis=2) - x.min(axis=2)
        total = _running_sum(x)
        if self._period > 1:
            total = _running_sum(_means(total, self._period))
        fast = _rectified(total, *self._fast)
        places = [math.floor(share * (fast.shape[-1] - 1)) for share in (0.5, 0.75, 0.9)]
        fast = np.partition(fast, [*places, fast.shape[-1] - 1], axis=-1)
        out[..., 4] = fast[..., -1]
        out[..., 7], out[..., 6], out[..., 5] = (fast[..., place] for place in places)
        slow = _rectified(total, *self._slow)
        middle = (slow.shape[-1] - 1) // 2
        slow = np.partition(slow, [middle, slow.shape[-1] - 1], axis=-1)
        out[..., 8], out[..., 9] = slow[..., -1], slow[..., middle]
        return out

    def _noise(self, x: Array) -> tuple[Array, Array]:
        lag, half = self._lag, self._half_mains
        bend = x[..., 2 * lag :] - 2.0 * x[..., lag:-lag] + x[..., : -2 * lag]
        if half:
            bend = (bend[..., half:] + bend[..., :-half]) * math.sqrt(0.5)
        tenth = bend.shape[-1] // 10
        parts = bend[..., : 10 * tenth].reshape(*x.shape[:2], 10, tenth)
        energy = np.partition((parts * parts).sum(axis=3), (3, 8), axis=2)
        return np.sqrt(energy[..., 3] / tenth), np.sqrt(energy[..., 8] / tenth)


def _running_sum(x: Array) -> Array:
    """(..., n + 1): what lies before each place. The first sample counts as zero, so that a lead
    far from zero loses no digits."""
    out = np.zeros((*x.shape[:-1], x.shape[-1] + 1))
    np.cumsum(x - x[..., :1], axis=-1, out=out[..., 1:])
    return out


def _means(total: Array, n: int) -> Array:
    """Means of n samples, where all of them are there."""
    return (total[..., n:] - total[..., :-n]) / n


def _rectified(total: Array, short: int, long: int) -> Array:
    """How far the mean of `short` samples is from that of the `long` ones around them."""
    around = _means(total, long)
    skip = (long - short) // 2
    inside = _means(total, short)[..., skip : skip + around.shape[-1]]
    return np.abs(inside - around)
