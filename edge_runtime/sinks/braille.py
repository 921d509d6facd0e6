"""A curve as text: braille patterns give two by four dots in each character cell."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BASE: Final = 0x2800
_OUTLIERS_PERCENT: Final = 0.5
# Bit of each dot of a cell, as Unicode numbers them: rows downwards, two columns.
_BITS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)


def curve(signal: NDArray[np.float32], columns: int, rows: int) -> list[str]:
    """`rows` lines of `columns` characters with the whole of `signal`, NaN left blank.

    Each dot column shows the range of its samples, so that a narrow R peak is never lost between
    two dots. The scale follows the signal, but not below 1 mV: noise must look like noise.
    """
    n_dots = 2 * columns
    low, high = _column_ranges(signal, n_dots)
    readable = np.isfinite(low)
    if not readable.any():
        return [" " * columns] * rows
    # A single spike (an electrode coming off) must not flatten the rest: it may leave the picture.
    bottom = float(np.percentile(low[readable], _OUTLIERS_PERCENT))
    top = float(np.percentile(high[readable], 100 - _OUTLIERS_PERCENT))
    middle, half = (top + bottom) / 2, max(top - bottom, 1.0) / 2
    height = 4 * rows - 1
    first = _dot(high[readable], middle, half, height)
    last = _dot(low[readable], middle, half, height)
    grid = np.zeros((4 * rows, n_dots), dtype=bool)
    for column, a, b in zip(np.flatnonzero(readable), first, last, strict=True):
        grid[a : b + 1, column] = True
    cells = grid.reshape(rows, 4, columns, 2).transpose(0, 2, 1, 3)
    codes = (cells * _BITS).sum(axis=(2, 3))
    return ["".join(chr(_BASE + code) for code in line) for line in codes]


def _dot(value: NDArray[np.float64], middle: float, half: float, height: int) -> NDArray[np.int64]:
    """Row of dots from the top, clipped to the picture."""
    row = np.round((middle + half - value) / (2 * half) * height)
    return np.clip(row, 0, height).astype(np.int64)


def _column_ranges(
    signal: NDArray[np.float32], n_dots: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = np.linspace(0, len(signal), n_dots + 1).astype(int)
    low = np.full(n_dots, np.nan)
    high = np.full(n_dots, np.nan)
    for column in range(n_dots):
        # One sample of overlap joins neighbouring columns to a line.
        part = signal[max(0, edges[column] - 1) : edges[column + 1]]
        part = part[np.isfinite(part)]
        if len(part):
            low[column], high[column] = part.min(), part.max()
    return low, high
