"""Raw recordings as another recorder would have taken them: rate, band, resolution, polarity.

A network can tell svdb from mitdb by their spectra alone, and S is three times as frequent in
svdb, so it would learn the recorder instead of the beat.
"""

import zlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from model_build.recipe import View

Samples = NDArray[np.float32]


def altered(
    samples: Samples, fs: Fraction, view: View, key: str, seed: int
) -> tuple[Samples, Fraction]:
    """One lead (n,) in mV at `fs` through `view`: samples and rate.

    What is random is drawn from (seed, key, view), so a view is a function of its arguments.
    """
    random = np.random.default_rng((seed, zlib.crc32(f"{key} {view.name}".encode())))
    x = samples.astype(np.float64)
    rate = fs
    if 0 < view.rate_hz < fs:
        rate = Fraction(view.rate_hz)
        ratio = rate / fs
        x = signal.resample_poly(x, ratio.numerator, ratio.denominator)
    x = _filtered(x, float(rate), view.highpass_hz, "highpass", random)
    x = _filtered(x, float(rate), view.lowpass_hz, "lowpass", random)
    if view.gain:
        x = x * np.exp(random.uniform(*np.log(view.gain)))
    if random.random() < view.inverted_share:
        x = -x
    if view.bits:
        step = view.range_mv / 2 ** random.integers(view.bits[0], view.bits[1], endpoint=True)
        x = np.round(x / step) * step
    return x.astype(np.float32), rate


def _filtered(
    x: NDArray[np.float64],
    rate_hz: float,
    span_hz: Sequence[float],
    kind: Literal["highpass", "lowpass"],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    if not span_hz:
        return x
    corner = float(np.exp(random.uniform(*np.log(span_hz))))
    if corner >= 0.45 * rate_hz:
        return x
    # First order high-pass and second order low-pass: what recorders have; causal, as they are.
    sos = signal.butter(1 if kind == "highpass" else 2, corner, kind, fs=rate_hz, output="sos")
    settled = signal.sosfilt_zi(sos) * x[0]
    filtered, _ = signal.sosfilt(sos, x, zi=settled)
    return np.asarray(filtered, dtype=np.float64)
