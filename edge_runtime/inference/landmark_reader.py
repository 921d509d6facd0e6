"""What a delineation network says: nine places in a beat window, and which waves are there.

The network gives for each landmark a score at every sample of the window. The place is the mean
over the likeliest stretch, so it is finer than the window's 8 ms. Weights are whole numbers: their
sums are exact, and do not depend on how beats are cut into blocks.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.interpreter import Int8Array, Quantization
from edge_runtime.inference.landmarks import Landmarks
from edge_runtime.signal.windows import R_AT, STEP_S

REACH: Final = 16
"""The mean is taken over so many samples (128 ms) on either side of the likeliest."""
_BITS: Final = 20
_SPAN: Final = 2 * REACH + 1
_BYTES: Final = np.arange(-128, 128).astype(np.int8)


class LandmarkReader:
    """INT8 outputs of a network to places. `thresholds`: the least scores at which P and T are."""

    def __init__(
        self, places: Quantization, present: Quantization, thresholds: tuple[float, ...]
    ) -> None:
        self._table = weights_table(places)
        real = present.to_real(_BYTES).astype(float)
        self._present = np.array([1.0 / (1.0 + math.exp(-value)) for value in real])
        self._thresholds = np.array(thresholds)

    def __call__(self, places: Int8Array, present: Int8Array) -> Landmarks:
        """`places` (k, 160, 9) and `present` (k, 2) in INT8 steps."""
        samples = mean_places(self._table[places.astype(np.int64) + 128])
        scores = self._present[present.astype(np.int64) + 128]
        seconds = (samples - R_AT) * STEP_S
        absent = scores < self._thresholds
        seconds[:, 0:3][absent[:, 0]] = np.nan
        seconds[:, 6:9][absent[:, 1]] = np.nan
        return Landmarks(seconds, scores)


def weights_table(places: Quantization) -> NDArray[np.int64]:
    """Length 256: entry `step + 128` is the whole-number weight of a score, at most 2**20."""
    real = places.to_real(_BYTES).astype(float)
    return np.array([round(math.exp(r - real[-1]) * 2**_BITS) for r in real], np.int64)


def mean_places(weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights (k, n, m) to places (k, m) in samples: the mean within `REACH` of the largest one."""
    k, n, m = weights.shape
    padded = np.zeros((k, n + 2 * REACH, m), np.int64)
    padded[:, REACH : REACH + n] = weights
    peak = weights.argmax(axis=1)
    rows = peak[:, None, :] + np.arange(_SPAN)[None, :, None]
    near = np.take_along_axis(padded, rows, axis=1)
    total = near.sum(axis=1)
    moment = (near * np.arange(-REACH, REACH + 1)[None, :, None]).sum(axis=1)
    # All weights may be zero where scores are far below the table's top.
    places: NDArray[np.float64] = peak + moment / np.maximum(total, 1)
    return places
