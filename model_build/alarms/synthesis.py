"""Made signals: rate steps, asystole, and look-alikes of the waveforms that IEC 60601-2-27 names.

The standard's own figures (AAMI EC13, 3a to 4f) are drawings; these have their rates, heights and
order of beats, not their exact shapes, and the report says so.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 500
Signal = NDArray[np.float32]

_QRS: Final = ((-0.025, 0.010, -0.12), (0.0, 0.011, 1.0), (0.028, 0.010, -0.22))
_P: Final = (-0.16, 0.022, 0.12)
_T: Final = (0.26, 0.045, 0.25)
_V: Final = ((-0.045, 0.022, -0.25), (0.0, 0.034, 1.4), (0.09, 0.03, -0.3), (0.33, 0.06, -0.4))
_NOISE_MV: Final = 0.008


def beats(
    r_s: Sequence[float],
    kinds: str,
    seconds: float,
    *,
    t_mv: float | None = None,
    p_after_s: float | None = None,
) -> Signal:
    """Beats at `r_s`: N, V, or v (a V upside down). `t_mv`: height of the T wave of N.

    From `p_after_s` on P waves alone go on at 75/min: an asystole of the ventricles.
    """
    signal = np.zeros(round(seconds * RATE_HZ))
    for at, kind in zip(r_s, kinds, strict=True):
        if kind == "N":
            tall = _T if t_mv is None else (_T[0], _T[1], t_mv)
            for wave in (*_QRS, _P, tall):
                _add(signal, at, wave, 1.0)
        else:
            for wave in _V:
                _add(signal, at, wave, 1.0 if kind == "V" else -1.0)
    if p_after_s is not None:
        for at in np.arange(p_after_s, seconds, 0.8):
            _add(signal, float(at), (0.0, _P[1], _P[2]), 1.0)
    return _noisy(signal)


def train(step_s: float, begin_s: float, end_s: float) -> list[float]:
    """R times `step_s` apart."""
    return np.arange(begin_s, end_s, step_s).tolist()


def tachycardia(bpm: float, height_mv: float, begin_s: float, seconds: float) -> Signal:
    """Sinus rhythm at 75/min, then a wide-complex tachycardia of `height_mv` from top to bottom."""
    calm = train(0.8, 0.5, begin_s)
    signal = beats(calm, "N" * len(calm), seconds).astype(np.float64)
    t = np.arange(len(signal)) / RATE_HZ
    wave = 0.5 * height_mv * np.sin(2 * np.pi * bpm / 60 * (t - begin_s))
    sharpened = wave + 0.15 * height_mv * np.sin(4 * np.pi * bpm / 60 * (t - begin_s))
    signal[t >= begin_s] = sharpened[t >= begin_s]
    return _noisy(signal)


def standard_rhythms(seconds: float = 60.0) -> dict[str, tuple[Signal, float]]:
    """Signal and rate over all beats of each: A1 to A4 of the standard."""
    rows = {
        "A1 ventricular bigeminy, 80/min": ("NV", (0.95, 0.55)),
        "A2 slow alternating bigeminy, 60/min": ("NV", (1.35, 0.65)),
        "A3 rapid alternating bigeminy, 120/min": ("NV", (0.6, 0.4)),
        "A4 bidirectional systoles, 90/min": ("Vv", (2 / 3, 2 / 3)),
    }
    made = {}
    for name, (kinds, (before_first, before_second)) in rows.items():
        pairs = np.arange(0.5, seconds - 2.0, before_first + before_second)
        r_s = np.sort(np.concatenate([pairs, pairs + before_second])).tolist()
        order = kinds * len(pairs)
        bpm = 60.0 * (len(r_s) - 1) / (r_s[-1] - r_s[0])
        made[name] = (beats(r_s, order, seconds), bpm)
    return made


def _add(
    signal: NDArray[np.float64], at: float, wave: tuple[float, float, float], gain: float
) -> None:
    centre, width, height = wave
    low = max(0, round((at + centre - 5 * width) * RATE_HZ))
    high = min(len(signal), round((at + centre + 5 * width) * RATE_HZ))
    if low < high:
        t = np.arange(low, high) / RATE_HZ - at - centre
        signal[low:high] += gain * height * np.exp(-0.5 * (t / width) ** 2)


def _noisy(signal: NDArray[np.float64]) -> Signal:
    noise = np.random.default_rng(1).normal(0.0, _NOISE_MV, len(signal))
    return (signal + noise).astype(np.float32)
