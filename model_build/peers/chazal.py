"""De Chazal 2004: intervals and fixed-interval morphology of one lead, linear discriminants.

Features are the paper's sets of one lead: four RR intervals; QRS duration, T duration and whether
there is a P wave; ten samples of the QRS and nine of the T wave at fixed places. The discriminant
is the paper's: one covariance for all classes to which every class contributes alike, whatever its
number of beats, and equal priors. Instead of the paper's delineator, boundaries are read from the
slope and the height of the window, since its program is not published; amplitudes are relative to
the patient's template, not in mV.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.windows import P_WAVE, QRS, R_AT, STEP_S, T_WAVE, span
from model_build.peers.beats import Floats, PeerBeats, Rows, among_all

TITLE: Final = "De Chazal 2004, LDA"
CITATION: Final = (
    "de Chazal P, O'Dwyer M, Reilly RB. Automatic classification of heartbeats using ECG "
    "morphology and heartbeat interval features. IEEE Trans Biomed Eng 2004;51(7):1196-1206"
)

_QRS_SAMPLES_S: Final = np.linspace(-0.05, 0.10, 10)
_T_SAMPLES_S: Final = np.linspace(0.15, 0.50, 9)
_STEEP: Final = 0.1
"""Of the steepest slope: where a QRS begins and ends."""
_TAIL: Final = 0.2
"""Of the T wave's height: where it ends."""
_P_HEIGHT: Final = 0.05
"""Of the QRS height, off the line through the P region: from there on there is a P wave."""
_RIDGE: Final = 1e-6
"""Of the mean variance, added to the covariance: a constant feature must not stop the solver."""


def features(beats: PeerBeats) -> Floats:
    """The 26 features (k, 26) in the order of the module's docstring; durations in s."""
    window = beats.window.astype(np.float64)
    onset, offset = qrs_bounds(window)
    intervals = (beats.pre_s, beats.post_s, beats.record_s, beats.local_s)
    heartbeat = (
        (offset - onset) * STEP_S,
        (t_end(window) - offset) * STEP_S,
        has_p_wave(window).astype(np.float64),
    )
    at_s = np.concatenate([_QRS_SAMPLES_S, _T_SAMPLES_S])
    places = R_AT + np.round(at_s / STEP_S).astype(np.int64)
    rows: Floats = np.hstack([np.column_stack([*intervals, *heartbeat]), window[:, places]])
    return rows


def qrs_bounds(window: Floats) -> tuple[Floats, Floats]:
    """First and last sample (k,) within the QRS region whose slope is a tenth of the steepest."""
    slope = np.abs(np.diff(window[:, QRS], axis=1))
    steep = slope >= _STEEP * slope.max(axis=1, keepdims=True)
    first = steep.argmax(axis=1)
    last = steep.shape[1] - steep[:, ::-1].argmax(axis=1)
    return (QRS.start + first).astype(np.float64), (QRS.start + last).astype(np.float64)


def t_end(window: Floats) -> Floats:
    """Sample (k,) from which on the T wave stays below a fifth of its height."""
    wave = window[:, T_WAVE]
    size = np.abs(wave - np.median(wave, axis=1, keepdims=True))
    large = size >= _TAIL * size.max(axis=1, keepdims=True)
    end: Floats = (T_WAVE.stop - large[:, ::-1].argmax(axis=1)).astype(np.float64)
    return end


def has_p_wave(window: Floats) -> NDArray[np.bool_]:
    """Whether (k,) the P region departs from the line between its ends."""
    part = window[:, P_WAVE]
    share = np.linspace(0.0, 1.0, part.shape[1])
    line = part[:, :1] + (part[:, -1:] - part[:, :1]) * share
    found: NDArray[np.bool_] = span(part - line) >= _P_HEIGHT * span(window[:, QRS])
    return found


class LinearDiscriminant:
    """Gaussian classes of one covariance, every class of the same weight and prior."""

    def fit(self, rows: Floats, classes: NDArray[np.int64]) -> None:
        """Learn from rows (k, n) of `classes` (k,)."""
        self.classes = np.unique(classes)
        self._centre = rows.mean(axis=0)
        self._scale = np.maximum(rows.std(axis=0), 1e-9)
        rows = (rows - self._centre) / self._scale
        means = np.array([rows[classes == c].mean(axis=0) for c in self.classes])
        covariance = np.mean(
            [np.cov(rows[classes == c].T, bias=True) for c in self.classes], axis=0
        )
        covariance += _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        self._directions = np.linalg.solve(covariance, means.T)
        self._offsets = -0.5 * (means.T * self._directions).sum(axis=0)

    def scores(self, rows: Floats) -> Floats:
        """Log posteriors (k, classes), but for what all classes share."""
        out: Floats = (rows - self._centre) / self._scale @ self._directions + self._offsets
        return out


class Chazal:
    """The discriminant on the paper's features."""

    def __init__(self) -> None:
        self._discriminant = LinearDiscriminant()

    def fit(self, beats: PeerBeats, seed: int) -> None:
        """See `Peer`; nothing is drawn."""
        self._discriminant.fit(features(beats), beats.number)

    def scores(self, beats: PeerBeats) -> Rows:
        """See `Peer`."""
        return among_all(
            self._discriminant.scores(features(beats)), self._discriminant.classes.tolist()
        )


def new() -> Chazal:
    """Untrained."""
    return Chazal()
