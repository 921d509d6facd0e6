"""Intervals and ST of single beats, from the places of their waves.

Levels are taken of the conditioned signal (0.5 to 40 Hz, causal), so ST is a trend of one lead
against itself; docs/intervals.md states by how much it is shifted.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.landmarks import LANDMARKS, Landmarks
from edge_runtime.signal.windows import LENGTH, R_AT, STEP_S

Floats = NDArray[np.float64]

_P_ONSET, _QRS_ONSET, _QRS_END, _T_END = (
    LANDMARKS.index(name) for name in ("p_onset", "qrs_onset", "qrs_end", "t_end")
)
_BASE_SAMPLES: Final = (-3, 0)
"""From the onset of the QRS (24 ms): the PQ level, against which ST is measured."""
_ST_S: Final = 0.060
"""ST is taken 60 ms after the end of the QRS (J + 60), as bedside monitors do."""
_ST_SAMPLES: Final = (-1, 1)
_SLOPE_FROM_S: Final = 0.020
_SLOPE_SAMPLES: Final = 8
"""Its slope is taken over so many samples (64 ms) from 20 ms after the end of the QRS on."""


@dataclass(frozen=True, slots=True, eq=False)
class WaveMeasures:
    """k beats, float64 (k,) each, NaN where a wave was not found.

    `pr_s`, `qrs_s`, `qt_s`; `qrs_onset_s` and `t_end_s` from R; `st_mv` against the PQ level,
    `st_slope_mv_per_s`; `p_wave` 1 for a P wave, 0 for none.
    """

    pr_s: Floats
    qrs_s: Floats
    qt_s: Floats
    qrs_onset_s: Floats
    t_end_s: Floats
    st_mv: Floats
    st_slope_mv_per_s: Floats
    p_wave: Floats


def measure(
    found: Landmarks, window: NDArray[np.float32], unit_mv: NDArray[np.float32]
) -> WaveMeasures:
    """Of k beats whose waves were `found` in `window` (k, 160); 1 there is `unit_mv` (k,) mV."""
    seconds = found.seconds
    onset, end = seconds[:, _QRS_ONSET], seconds[:, _QRS_END]
    base = _mean(window, _sample(onset), _BASE_SAMPLES)
    st = _mean(window, _sample(end + _ST_S), _ST_SAMPLES)
    begin = _sample(end + _SLOPE_FROM_S)
    rise = _mean(window, begin + _SLOPE_SAMPLES, _ST_SAMPLES) - _mean(window, begin, _ST_SAMPLES)
    return WaveMeasures(
        pr_s=onset - seconds[:, _P_ONSET],
        qrs_s=end - onset,
        qt_s=seconds[:, _T_END] - onset,
        qrs_onset_s=onset,
        t_end_s=seconds[:, _T_END],
        st_mv=(st - base) * unit_mv,
        st_slope_mv_per_s=rise / (_SLOPE_SAMPLES * STEP_S) * unit_mv,
        p_wave=np.isfinite(seconds[:, _P_ONSET]).astype(np.float64),
    )


def _sample(at_s: Floats) -> NDArray[np.int64]:
    """The window sample nearest to each time from R, (k,)."""
    nearest: NDArray[np.int64] = np.rint(at_s / STEP_S).astype(np.int64) + R_AT
    return nearest


def _mean(
    window: NDArray[np.float32], centre: NDArray[np.int64], around: tuple[int, int]
) -> Floats:
    """Mean of each row's samples from `centre` + the first to `centre` + the second, (k,)."""
    columns = centre[:, None] + np.arange(around[0], around[1] + 1)
    taken = np.take_along_axis(window, np.clip(columns, 0, LENGTH - 1), axis=1)
    mean: Floats = taken.astype(np.float64).sum(axis=1) / columns.shape[1]
    return mean
