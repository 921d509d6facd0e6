"""A hint that electrodes are swapped: P, QRS and T all point down where they should point up."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.windows import LENGTH, P_WAVE, QRS, T_WAVE

UPRIGHT_LEADS: Final = frozenset({"I", "II", "MLI", "MLII", "V5", "V6", "ECG"})
"""Leads in which a healthy heart's P, QRS and T point up (limb and left chest leads, and the one
lead of a strap or patch)."""

INVERTED: Final = "P, QRS and T point down; electrodes may be swapped"

_BEATS: Final = 32
_IN_A_ROW: Final = 3
"""So many medians of so many beats must agree. On MIT-BIH, first lead, as recorded: two of 48
records are hinted at (112, 118); turned over: 30."""
_LEAST: Final = 0.02
"""Share of the QRS height below which a P or T wave points nowhere."""
_QUIET: Final = np.r_[50:58, 144:150]
"""Before P and after T of a decimated window: the line from which waves are measured."""
_SEEN: Final = slice(50, 150)


class PolarityWatch:
    """Watches the beats of one lead; speaks at most once."""

    def __init__(self) -> None:
        self._windows: NDArray[np.float32] = np.zeros((0, LENGTH), np.float32)
        self._in_a_row = 0
        self._told = False

    def observe(self, block: BeatBlock) -> int | None:
        """Take beats in order; the place in `block` of the beat that settles it, if one does."""
        if self._told:
            return None
        places = np.flatnonzero(block.valid)
        begun = len(self._windows)
        self._windows = np.concatenate([self._windows, block.window[places]])
        for full in range(_BEATS, len(self._windows) + 1, _BEATS):
            down = _points_down(self._windows[full - _BEATS : full])
            self._in_a_row = self._in_a_row + 1 if down else 0
            if self._in_a_row == _IN_A_ROW:
                self._told = True
                self._windows = self._windows[:0]
                return int(places[full - begun - 1])
        self._windows = self._windows[len(self._windows) // _BEATS * _BEATS :].copy()
        return None

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "windows": self._windows.copy(),
            "in_a_row": self._in_a_row,
            "told": self._told,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._windows = np.array(state["windows"], dtype=np.float32)
        self._in_a_row, self._told = int(state["in_a_row"]), bool(state["told"])


def _points_down(windows: NDArray[np.float32]) -> bool:
    beat = np.zeros(LENGTH, np.float32)
    beat[_SEEN] = _medians(windows[:, _SEEN].T)
    line = float(_medians(beat[_QUIET]))
    return all(_deflection(beat[part] - line) < -_LEAST for part in (P_WAVE, QRS, T_WAVE))


def _medians(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median of each row (..., n), n even."""
    half = rows.shape[-1] // 2
    middle = np.partition(rows, (half - 1, half), axis=-1)[..., half - 1 : half + 1]
    medians: NDArray[np.float32] = np.add.reduce(middle, axis=-1) / np.float32(2)
    return medians


def _deflection(wave: NDArray[np.float32]) -> float:
    """The larger of what stands up and what hangs down, with its sign."""
    top, bottom = float(wave.max()), float(wave.min())
    return top if top > -bottom else bottom
