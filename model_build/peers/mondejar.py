"""Mondejar-Guerra 2019: one support vector machine for each kind of feature, combined by product.

Descriptors, kernel, C and the combination are those of the paper and of the authors' published
program: RR intervals (as they are and over the record's mean), Daubechies-1 wavelet of level 3,
skewness and kurtosis of five intervals, uniform local binary patterns, and distances from R to
four extremes; on 0.5 s around R at 360 Hz. One machine a pair of classes, whose margins become
votes by the logistic function.

To be fast, and unlike the paper, at most `MOST` beats of a class train, drawn at random; C grows
as their number shrinks, so that errors weigh as much against smoothness as in the paper.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model_build.peers.beats import Floats, PeerBeats, Rows, among_all, resampled

TITLE: Final = "Mondejar-Guerra 2019, SVM ensemble"
CITATION: Final = (
    "Mondejar-Guerra V, Novo J, Rouco J, Penedo MG, Ortega M. Heartbeat classification fusing "
    "temporal and morphological information of ECGs via ensemble of classifiers. Biomed Signal "
    "Process Control 2019;47:41-48"
)

MOST: Final = 2000
_C_TIMES_BEATS: Final = 0.001 * 51_013
"""The paper's C, and the beats of DS1 that it trained on."""
_RATE_HZ: Final = 360.0
_HALF: Final = 90
_HOS_LAG: Final = 30
_HOS_INTERVALS: Final = 5
_NEIGHBOURS: Final = 4
"""To each side, for the local binary patterns."""
_BINS: Final = 59
"""58 uniform patterns of eight bits, and all others."""
_EXTREMES: Final = ((0, 40, 1), (75, 85, -1), (95, 105, -1), (150, 180, 1))
"""Where the own descriptor looks for maxima (1) and minima (-1): P, Q, S and T."""


def cut(window: Rows) -> Floats:
    """Windows (k, 160) as 180 samples around R (at 90), (k, 180)."""
    return resampled(window, _RATE_HZ, _HALF, _HALF - 1).astype(np.float64)


def intervals(beats: PeerBeats) -> Floats:
    """Four intervals in s, and over the mean of the record, (k, 8)."""
    plain = np.column_stack([beats.pre_s, beats.post_s, beats.local_s, beats.past_s])
    return np.hstack([plain, plain / beats.record_s[:, None]])


def wavelets(beats: PeerBeats) -> Floats:
    """Approximation of level 3, (k, 23)."""
    import pywt  # noqa: PLC0415 - only this peer needs it

    coefficients: Floats = pywt.wavedec(cut(beats.window), "db1", level=3, axis=1)[0]
    return coefficients


def moments(beats: PeerBeats) -> Floats:
    """Skewness and kurtosis of five intervals of 30 samples, (k, 10)."""
    beat = cut(beats.window)
    first = _HOS_LAG // 2
    parts = beat[:, first : first + _HOS_INTERVALS * _HOS_LAG]
    parts = parts.reshape(len(beat), _HOS_INTERVALS, _HOS_LAG)
    off = parts - parts.mean(axis=2, keepdims=True)
    variance = (off**2).mean(axis=2)
    safe = np.where(variance > 1e-12, variance, np.inf)
    skewness = (off**3).mean(axis=2) / safe**1.5
    kurtosis = (off**4).mean(axis=2) / safe**2
    return np.hstack([skewness, kurtosis])


def patterns(beats: PeerBeats) -> Floats:
    """How often each uniform local binary pattern of eight neighbours occurs, (k, 59)."""
    beat = cut(beats.window)
    around = sliding_window_view(beat, 2 * _NEIGHBOURS + 1, axis=1)
    centre = around[..., _NEIGHBOURS : _NEIGHBOURS + 1]
    others = np.delete(around, _NEIGHBOURS, axis=2)
    code = ((centre > others) << np.arange(2 * _NEIGHBOURS)).sum(axis=2)
    bins = _uniform_bins()[code]
    flat = bins + _BINS * np.arange(len(beat))[:, None]
    counts = np.bincount(flat.ravel(), minlength=_BINS * len(beat))
    return counts.reshape(len(beat), _BINS).astype(np.float64)


def _uniform_bins() -> NDArray[np.int64]:
    """Bin (256,) of each pattern: uniform ones change at most twice around the circle."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins = np.full(256, _BINS - 1)
    bins[uniform] = np.arange(int(uniform.sum()))
    return bins


def distances(beats: PeerBeats) -> Floats:
    """From R to four extremes, in the box that holds the five points, (k, 4)."""
    beat = cut(beats.window)
    rows = np.arange(len(beat))
    places = [
        first + (sign * beat[:, first:last]).argmax(axis=1) for first, last, sign in _EXTREMES
    ]
    x = np.column_stack([*places, np.full(len(beat), _HALF)]).astype(np.float64)
    y = np.column_stack([beat[rows, place] for place in (*places, np.full(len(beat), _HALF))])
    x, y = (
        (v - v.min(axis=1, keepdims=True)) / np.maximum(np.ptp(v, axis=1, keepdims=True), 1e-9)
        for v in (x, y)
    )
    out: Floats = np.hypot(x[:, 4:] - x[:, :4], y[:, 4:] - y[:, :4])
    return out


DESCRIPTORS: Final[Sequence[Callable[[PeerBeats], Floats]]] = (
    intervals, wavelets, moments, patterns, distances,
)  # fmt: skip


class Machine:
    """One support vector machine with radial kernel on standardized rows, a vote for each class."""

    def fit(self, rows: Floats, classes: NDArray[np.int64]) -> None:
        """Learn from rows (k, n) of `classes` (k,)."""
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - only this peer needs it
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
        from sklearn.svm import SVC  # noqa: PLC0415

        machine = SVC(
            C=_C_TIMES_BEATS / len(rows), gamma="auto", class_weight="balanced",
            decision_function_shape="ovo", cache_size=500,
        )  # fmt: skip
        self._pipeline: Any = make_pipeline(StandardScaler(), machine).fit(rows, classes)

    def votes(self, rows: Floats) -> Floats:
        """Share of the votes (k, classes) that each class wins against the others."""
        margin = np.asarray(self._pipeline.decision_function(rows))
        n = len(self._pipeline.classes_)
        if n == 2:  # given for the second class, alone
            margin = -margin[:, None]
        counted = np.zeros((len(rows), n))
        pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
        for (a, b), column in zip(pairs, margin.T, strict=True):
            won = 1.0 / (1.0 + np.exp(-column))
            counted[:, a] += won
            counted[:, b] += 1.0 - won
        return counted / len(pairs)


class Ensemble:
    """A machine for each descriptor."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._machines = [Machine() for _ in DESCRIPTORS]

    def fit(self, beats: PeerBeats, seed: int) -> None:
        """See `Peer`."""
        random = np.random.default_rng(seed)
        self._classes = np.unique(beats.number).tolist()
        drawn = [
            random.permutation(np.flatnonzero(beats.number == c))[: self._most]
            for c in self._classes
        ]
        chosen = beats[np.sort(np.concatenate(drawn))]
        for machine, describe in zip(self._machines, DESCRIPTORS, strict=True):
            machine.fit(describe(chosen), chosen.number)

    def scores(self, beats: PeerBeats) -> Rows:
        """See `Peer`: sums of log votes, which is the product rule."""
        total = np.zeros((len(beats), len(self._classes)))
        for machine, describe in zip(self._machines, DESCRIPTORS, strict=True):
            total += np.log(np.maximum(machine.votes(describe(beats)), 1e-12))
        return among_all(total, self._classes)


def new() -> Ensemble:
    """Untrained."""
    return Ensemble()
