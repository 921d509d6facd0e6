"""A deterministic ECG made of Gaussians, and the stream items that carry it.

Not physiology: a signal whose R peaks are known to the sample, for tests of timing, gaps and
rules. Widths and heights follow the textbook beat of ECGSYN (McSharry 2003), rounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.stream import (
    Gap,
    GapReason,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamOpened,
)

# (centre relative to R in s, standard deviation in s, height in mV)
NORMAL: Final = (
    (-0.20, 0.025, 0.15),
    (-0.025, 0.010, -0.12),
    (0.0, 0.011, 1.1),
    (0.028, 0.010, -0.22),
    (0.28, 0.045, 0.30),
)
VENTRICULAR: Final = (
    (-0.045, 0.022, -0.25),
    (0.0, 0.034, 1.5),
    (0.09, 0.03, -0.35),
    (0.33, 0.06, -0.45),
)
SHAPES: Final = {"N": NORMAL, "V": VENTRICULAR}


def ecg(
    r_s: Iterable[float],
    duration_s: float,
    rate_hz: Fraction | float = 500,
    *,
    labels: str | None = None,
    lead_gains: Sequence[float] = (1.0,),
    noise_mv: float = 0.005,
    seed: int = 1,
) -> NDArray[np.float32]:
    """Beats at `r_s` seconds as float32 millivolts of shape (n_samples, n_leads).

    `labels` names the shape of each beat (N or V; all N when absent). White noise of `noise_mv`
    RMS, drawn from `seed`, keeps the signal from being exactly flat.
    """
    rate = float(rate_hz)
    times = list(r_s)
    shapes = labels or "N" * len(times)
    if len(shapes) != len(times):
        raise ValueError("one label per beat")
    trace = np.zeros(round(duration_s * rate))
    for time, shape in zip(times, shapes, strict=True):
        low, high = max(0, round((time - 0.6) * rate)), min(len(trace), round((time + 0.8) * rate))
        if low >= high:
            continue
        t = np.arange(low, high) / rate - time
        for centre, width, height in SHAPES[shape]:
            trace[low:high] += height * np.exp(-0.5 * ((t - centre) / width) ** 2)
    noise = np.random.default_rng(seed).normal(0.0, noise_mv, (len(trace), len(lead_gains)))
    leads: NDArray[np.float32] = (trace[:, None] * np.asarray(lead_gains) + noise).astype(
        np.float32
    )
    return leads


def steady(bpm: float, start_s: float, end_s: float) -> list[float]:
    """R times at a constant rate, from `start_s` up to but not including `end_s`."""
    step = 60.0 / bpm
    return [start_s + k * step for k in range(int(np.ceil((end_s - start_s) / step - 1e-9)))]


def opened(
    rate_hz: Fraction | int = 500, leads: Sequence[str] = ("I",), source: str = "synthetic"
) -> StreamOpened:
    """A stream of one ECG signal in millivolts."""
    n = len(leads)
    info = SignalInfo(
        id="ecg",
        kind=SignalKind.ECG,
        unit="mV",
        rate_hz=Fraction(rate_hz),
        leads=tuple(leads),
        counts_per_unit=(1000.0,) * n,
        baseline=(0,) * n,
    )
    return StreamOpened(source, "synthetic", "gaussians", "1", NoLossDetection(), (info,))


def chunks(
    samples: NDArray[np.float32], sizes: int | Sequence[int] = 250, first: int = 0
) -> Iterator[SampleChunk]:
    """`samples` cut into chunks; `sizes` repeats until the signal is used up."""
    cycle = [sizes] if isinstance(sizes, int) else list(sizes)
    at, turn = 0, 0
    while at < len(samples):
        size = cycle[turn % len(cycle)]
        yield SampleChunk("ecg", SampleIndex(first + at), samples[at : at + size].copy())
        at, turn = at + size, turn + 1


def gap(first: int, n_missing: int, *, exact: bool = True) -> Gap:
    """A hole in the synthetic signal."""
    return Gap("ecg", SampleIndex(first), n_missing, exact, GapReason.LOST_PACKET)
