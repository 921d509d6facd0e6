"""A patient's own beats as building blocks: which ones serve, where they begin and end."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.augmentation.lead import Floats, Indices, Lead, is_beat
from model_build.datasets.census import within
from model_build.evaluate.ec57.classes import ESCAPES_AS_N, N, V

SINUS_SYMBOLS: Final = "NLRB"
"""Conducted beats; bundle branch block is the patient's own N. Escapes have no P to speak of."""
_NOT_SINUS: Final = ("(AFIB", "(AFL", "(VFL", "(VT", "(NOD", "(IVR", "(SVTA", "(P")
LEAST_SINUS: Final = 100
LEAST_VENTRICULAR: Final = 10
_VISIBLE: Final = 0.5
"""Height of a ventricular beat in QRS heights; a lower one is hardly seen, or marked elsewhere."""

_REGULAR: Final = (0.8, 1.25)
"""Intervals on both sides, against the local median, of a beat whose P and T stand free."""
_KEPT_SHARE: Final = 0.85
"""Of the candidates, those most like their neighbours: the noisiest are left out."""
_NOISY: Final = 1.6
"""So much less like them than is usual, a beat is noisy, however few are better."""
_NEIGHBOURS: Final = 15
_T_END_S: Final = 0.46
"""End of T after R at 60 beats a minute, with some margin (QT 0.36 to 0.44 s)."""
_P_BEGIN_S: Final = 0.28
_QRS_SLOPE_SHARE: Final = 0.08
"""Below this share of the steepest slope the QRS has not begun."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Annotated beats that may serve: R samples of sinus and of ventricular beats, and RR (s)."""

    sinus: Indices
    sinus_rr_s: Floats
    ventricular: Indices
    ventricular_rr_s: Floats


def choose(annotations: Annotations, fs: float) -> Choice:
    """The beats whose surroundings leave them whole, by the annotations alone.

    A sinus beat stands between two others at regular intervals, outside annotated fibrillation,
    flutter and tachycardia; a ventricular one has 0.5 s for itself after R and 0.35 s before.
    The RR given is the one after the beat.
    """
    beat = is_beat(annotations)
    at = annotations.sample[beat]
    symbols = np.array(annotations.symbol, dtype=np.str_)[beat]
    codes = np.array([ESCAPES_AS_N.codes[symbol] for symbol in symbols])
    if len(at) < 3:
        none, no_rr = np.zeros(0, np.int64), np.zeros(0)
        return Choice(none, no_rr, none, no_rr)
    rr = np.diff(at) / fs
    before, after = rr[:-1], rr[1:]
    usual = _local_median(rr)[:-1]
    low, high = _REGULAR
    regular = (np.minimum(before, after) > low * usual) & (np.maximum(before, after) < high * usual)
    own = np.isin(symbols, list(SINUS_SYMBOLS))
    n = codes == N
    in_sinus = ~within(annotations, at, _NOT_SINUS)
    sinus = own[1:-1] & n[:-2] & n[2:] & regular & in_sinus[1:-1] & (before > 0.35)
    free = (codes[1:-1] == V) & (after > 0.5) & (before > 0.35)
    inner = at[1:-1]
    return Choice(inner[sinus], after[sinus], inner[free], after[free])


def _local_median(values: Floats, half: int = 10) -> Floats:
    padded = np.pad(values, half, mode="reflect" if len(values) > half else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.median(windows, axis=1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Donor:
    """One lead whose beats are taken apart. Offsets are samples from R, before it positive.

    `x` (n,) mV; `baseline` (n,) mV through the PR segments; `sinus`, `ventricular` R samples with
    the RR after each in s; `p_begin`, `qrs_begin` where P and QRS begin before R; `height_mv` the
    typical QRS height; `has_v` whether enough ventricular beats are well seen on this lead (others
    are left out, unless there are no more).
    """

    x: Floats
    fs: float
    baseline: Floats
    sinus: Indices
    sinus_rr_s: Floats
    ventricular: Indices
    ventricular_rr_s: Floats
    p_begin: int
    qrs_begin: int
    height_mv: float
    has_v: bool

    def t_end(self, rr_s: float) -> int:
        """Samples from R to where a beat followed after `rr_s` has ended."""
        free = rr_s - self.p_begin / self.fs
        return int(min(_T_END_S * np.sqrt(min(rr_s, 1.0)), free) * self.fs)

    def nearest(self, at: int) -> int:
        """Position in `sinus` of the beat nearest to sample `at`."""
        right = int(np.clip(np.searchsorted(self.sinus, at), 1, len(self.sinus) - 1))
        return right - int(at - self.sinus[right - 1] < self.sinus[right] - at)

    @cached_property
    def alike(self) -> NDArray[np.int64]:
        """Positions in `ventricular` by likeness to each (v, v), the beat itself first."""
        span = np.arange(-int(0.16 * self.fs), int(0.3 * self.fs))
        cut = self.x[self.ventricular[:, None] + span]
        cut = cut - cut.mean(axis=1, keepdims=True)
        squares = (cut * cut).sum(axis=1)
        distance = squares[:, None] + squares - 2 * cut @ cut.T
        np.fill_diagonal(distance, -np.inf)
        return np.argsort(distance, axis=1, kind="stable")

    @cached_property
    def pauses(self) -> list[Floats]:
        """What lies between T and P of sinus beats, trends removed: the lead's own noise."""
        found: list[Floats] = []
        for r, rr_s in zip(self.sinus, self.sinus_rr_s, strict=True):
            part = self.x[r + self.t_end(rr_s) : r + round(rr_s * self.fs) - self.p_begin]
            if len(part) >= 0.05 * self.fs:
                line = np.linspace(part[:4].mean(), part[-4:].mean(), len(part))
                found.append(part - line)
        return found


def donor(lead: Lead) -> Donor | None:
    """The lead taken apart; None where too few of its beats serve."""
    if lead.annotations is None:
        return None
    fs = float(lead.fs)
    choice = choose(lead.annotations, fs)
    left, right = int(0.4 * fs), int(0.6 * fs)
    inside = (choice.sinus >= left) & (choice.sinus < len(lead.x) - right)
    sinus, rr_s = choice.sinus[inside], choice.sinus_rr_s[inside]
    if len(sinus) < LEAST_SINUS:
        return None
    cut = lead.x[sinus[:, None] + np.arange(-left, right)]
    cut = cut - np.median(cut, axis=1, keepdims=True)
    like = _unlikeness(cut)
    kept = like <= min(np.quantile(like, _KEPT_SHARE), _NOISY * np.median(like))
    shape = np.median(cut[kept], axis=0)
    qrs_begin = _qrs_begin(shape, left, fs)
    usual_rr_s = float(np.median(rr_s))
    qrs = shape[left - int(0.1 * fs) : left + int(0.1 * fs)]
    height_mv = float(np.ptp(qrs))
    inside = (choice.ventricular >= left) & (choice.ventricular < len(lead.x) - right)
    seen = inside.copy()
    seen[inside] = _heights(lead.x, choice.ventricular[inside], fs) >= _VISIBLE * height_mv
    has_v = int(seen.sum()) >= LEAST_VENTRICULAR
    ventricular = seen if has_v else inside
    return Donor(
        x=lead.x,
        fs=fs,
        baseline=_baseline(lead.x, sinus, qrs_begin, fs),
        sinus=sinus[kept],
        sinus_rr_s=rr_s[kept],
        ventricular=choice.ventricular[ventricular],
        ventricular_rr_s=choice.ventricular_rr_s[ventricular],
        p_begin=int(min(_P_BEGIN_S, 0.38 * usual_rr_s) * fs),
        qrs_begin=qrs_begin,
        height_mv=height_mv,
        has_v=has_v,
    )


def _heights(x: Floats, at: Indices, fs: float) -> Floats:
    """Peak to peak (k,) within 0.12 s of each of `at` (k,)."""
    around = x[at[:, None] + np.arange(-int(0.12 * fs), int(0.12 * fs))]
    return np.asarray(np.ptp(around, axis=1))


def _unlikeness(cut: Floats) -> Floats:
    """RMS distance (k,) of each beat (k, m) from the median of its neighbours in time."""
    k = len(cut)
    distance = np.zeros(k)
    for first in range(0, k, _NEIGHBOURS):
        near = slice(max(first - _NEIGHBOURS, 0), first + 2 * _NEIGHBOURS)
        middle = np.median(cut[near], axis=0)
        block = slice(first, first + _NEIGHBOURS)
        distance[block] = np.sqrt(((cut[block] - middle) ** 2).mean(axis=1))
    return distance


def _qrs_begin(shape: Floats, r: int, fs: float) -> int:
    """Samples from where the slope rises above `_QRS_SLOPE_SHARE` of its maximum, to R.

    Between 0.03 and 0.12 s, and 20 ms of margin.
    """
    slope = np.abs(np.gradient(shape))
    steep = slope[r - int(0.1 * fs) : r + int(0.1 * fs)].max() * _QRS_SLOPE_SHARE
    quiet = max(round(0.016 * fs), 2)
    first, last = r - int(0.12 * fs), r - int(0.03 * fs)
    for at in range(last, first, -1):
        if (slope[at - quiet : at] < steep).all():
            return r - at + round(0.02 * fs)
    return r - first


def _baseline(x: Floats, sinus: Indices, qrs_begin: int, fs: float) -> NDArray[np.float64]:
    """Lines through the PR level in the 25 ms before the QRS of each sinus beat."""
    around = x[(sinus - qrs_begin)[:, None] + np.arange(-max(round(0.025 * fs), 3), 1)]
    return np.asarray(np.interp(np.arange(len(x)), sinus - qrs_begin, around.mean(axis=1)))
