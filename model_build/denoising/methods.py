"""Two leads as recorded to two leads at the contract rate, by filters, wavelets and ICA.

Only the shipped filters run on the device; the others look at the whole stretch, which a study and
a teacher may do.
"""

import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.spec import CONTRACT_RATE_HZ, read_spec

Floats = NDArray[np.float64]
Cleaned = tuple[Floats, float]
"""Leads (m, 2) at 250 Hz, and by how many samples R comes later in them than in the source."""
Method = Callable[[Floats, Fraction], Cleaned]
"""Takes leads (n, 2) in mV and their rate."""

_WAVELET: Final = "sym8"
_BASELINE_LEVEL: Final = 8
"""The approximation of this level ends at 0.49 Hz: the baseline, as for the shipped high-pass."""
_SHRUNK_LEVELS: Final = 3
"""Details down to 15.6 Hz. Of two to five levels three gain most against muscle noise; with four or
five the QRS is no longer rare among a level's coefficients, and goes too."""
_MAD_OF_NORMAL: Final = 0.6745

_ICA_S: Final = 10.0
_NOISE_KURTOSIS: Final = 5.0
"""He 2006: the modulus of a continuous noise's kurtosis is below it, that of an ECG's above."""
_ICA_STEPS: Final = 500


def resampled(raw: Floats, fs: Fraction) -> Cleaned:
    """At the contract rate, nothing taken away."""
    ratio = Fraction(CONTRACT_RATE_HZ) / fs
    up, down = ratio.numerator, ratio.denominator
    x: Floats = signal.resample_poly(raw, up, down, axis=0, padtype="median")
    return x, 0.0


def filtered(raw: Floats, fs: Fraction) -> Cleaned:
    """The shipped conditioning without a notch: causal, about 0.5 to 40 Hz."""
    conditioner = Conditioner(read_spec(), fs, raw.shape[1])
    return conditioner.process(raw), float(conditioner.timeline.delay)


def shrink(x: Floats) -> Floats:
    """Wavelet denoising of leads (m, 2): baseline out, fine details softly thresholded.

    The threshold of a level is sqrt(2 ln m) times its noise's deviation, told from the median of
    its coefficients (Donoho 1995; by level, Johnstone 1997): a QRS is too rare to move it.
    """
    import pywt  # noqa: PLC0415 - of the build extra

    approximation, *details = pywt.wavedec(x, _WAVELET, level=_BASELINE_LEVEL, axis=0)
    kept = details[:-_SHRUNK_LEVELS]
    for detail in details[-_SHRUNK_LEVELS:]:
        deviation = np.median(np.abs(detail), axis=0) / _MAD_OF_NORMAL
        limit = deviation * np.sqrt(2.0 * np.log(len(x)))
        kept.append(np.sign(detail) * np.maximum(np.abs(detail) - limit, 0.0))
    out: Floats = pywt.waverec([np.zeros_like(approximation), *kept], _WAVELET, axis=0)
    return out[: len(x)]


def separate(x: Floats) -> Floats:
    """FastICA over leads (m, 2) in overlapping stretches of 10 s: what is noise is left out.

    Of each stretch's two sources, one whose kurtosis is that of noise is dropped, but never both.
    """
    size = round(_ICA_S * CONTRACT_RATE_HZ)
    if len(x) < size:
        return _ecg_alone(x)
    fade = np.hanning(size + 2)[1:-1, None]
    total, weight = np.zeros_like(x), np.zeros((len(x), 1))
    for first in (*range(0, len(x) - size, size // 2), len(x) - size):
        stretch = slice(first, first + size)
        total[stretch] += fade * _ecg_alone(x[stretch])
        weight[stretch] += fade
    out: Floats = total / weight
    return out


def _ecg_alone(x: Floats) -> Floats:
    from sklearn.decomposition import FastICA  # noqa: PLC0415 - of the build extra
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    ica = FastICA(2, whiten="unit-variance", random_state=0, max_iter=_ICA_STEPS, tol=1e-3)
    with warnings.catch_warnings():
        # Two Gaussian sources have no solution: then what was found last is as good as any.
        warnings.simplefilter("ignore", ConvergenceWarning)
        sources = ica.fit_transform(x)
    kurtosis = (sources**4).mean(axis=0) / (sources**2).mean(axis=0) ** 2 - 3.0
    noise = np.abs(kurtosis) < _NOISE_KURTOSIS
    noise[np.argmax(np.abs(kurtosis))] = False
    back: Floats = ica.inverse_transform(np.where(noise, 0.0, sources))
    return back


def _then(first: Method, second: Callable[[Floats], Floats]) -> Method:
    def both(raw: Floats, fs: Fraction) -> Cleaned:
        x, delay = first(raw, fs)
        return second(x), delay

    return both


METHODS: Final[dict[str, Method]] = {
    "none": resampled,
    "shipped filters": filtered,
    "wavelet": _then(resampled, shrink),
    "ICA": _then(resampled, separate),
    "shipped, then wavelet": _then(filtered, shrink),
    "shipped, then ICA": _then(filtered, separate),
}
