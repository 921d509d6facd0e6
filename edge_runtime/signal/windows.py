"""The beat window: what is cut out around an R peak, and the regions it is looked at through.

A window is 1.28 s of the conditioned lead at the contract rate, 320 samples with R at offset 176
(0.704 s before it, 0.576 s from it on). Every second sample is kept: the conditioned signal ends
at 40 Hz, so 125 Hz lose nothing. A beat is decided when its window is complete, `WINDOW_AFTER`
samples after R.
"""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge_runtime.signal.spec import CONTRACT_RATE_HZ

WINDOW: Final = 320
WINDOW_BEFORE: Final = 176
WINDOW_AFTER: Final = WINDOW - WINDOW_BEFORE

DECIMATION: Final = 2
LENGTH: Final = WINDOW // DECIMATION
"""Samples of a decimated window."""
R_AT: Final = WINDOW_BEFORE // DECIMATION
"""Where R lies in a decimated window."""
STEP_S: Final = DECIMATION / CONTRACT_RATE_HZ

# Regions of a decimated window (8 ms a sample), seconds from R in the comment.
BEFORE: Final = slice(0, 58)  # -0.704 to -0.240: where the T wave before the beat lies
P_WAVE: Final = slice(58, 81)  # -0.240 to -0.056: PR intervals of 0.12 to 0.22 s, upstroke left out
QRS: Final = slice(76, 102)  # -0.096 to +0.112
QRST_START: Final = slice(76, 108)  # -0.096 to +0.160: tells morphologies apart
T_WAVE: Final = slice(106, 144)  # +0.144 to +0.448
BEAT: Final = slice(58, 144)  # P to T

LIMIT_MV: Final = 100.0
"""Amplitudes are clipped here; electrodes give 5 mV, their offset up to 300 mV is filtered out."""
FLAT_MV: Final = 0.01
"""A QRS region that spans less is no beat: two steps of a common recorder (5 uV each)."""


def cut_windows(
    signal: NDArray[np.float64], first: int, at: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Windows (k, 320) around the contract indices `at` out of a stretch of `signal` (n,).

    `first` is the contract index of `signal[0]`. A window that the stretch does not cover whole
    is all NaN: `BeatHistory` counts such a beat and masks its shape.
    """
    out = np.full((len(at), WINDOW), np.nan)
    starts = at - (first + WINDOW_BEFORE)
    inside = (starts >= 0) & (starts + WINDOW <= len(signal))
    if inside.any():
        out[inside] = sliding_window_view(signal, WINDOW)[starts[inside]]
    return out


def to_shapes(
    windows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Decimate windows (k, 320) to shapes (k, 160) around their own median, in mV.

    The second array (k,) tells which are readable: finite, and not flat around R. Unreadable
    shapes are zero.
    """
    if windows.ndim != 2 or windows.shape[1] != WINDOW:
        raise ValueError(f"beat windows must be (k, {WINDOW}), not {windows.shape}")
    shapes = np.ascontiguousarray(windows[:, ::DECIMATION], dtype=np.float64)
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(shapes), axis=1)
    shapes = np.where(finite[:, None], shapes, 0.0)
    shapes = np.minimum(np.maximum(shapes, -LIMIT_MV), LIMIT_MV)
    # The median is the isoelectric line of a beat window, and a selection, not a sum.
    shapes -= np.partition(shapes, LENGTH // 2, axis=1)[:, LENGTH // 2, None]
    readable = finite & (span(shapes[:, QRS]) >= FLAT_MV)
    shapes[~readable] = 0.0
    return shapes, readable


def span(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peak to peak of each row, (k, n) to (k,)."""
    width: NDArray[np.float64] = rows.max(axis=1) - rows.min(axis=1)
    return width
