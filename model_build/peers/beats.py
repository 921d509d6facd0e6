"""What a peer is given of a recording: windows and intervals at the shipped detector's peaks."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from edge_runtime.signal.windows import LENGTH, R_AT, STEP_S
from model_build.datasets.recording import CLASSES
from model_build.training.beats import PreparedBeats

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

LEARNT: Final = tuple(k for k, name in enumerate(CLASSES) if name in {"N", "S", "V", "F"})
"""Positions in `CLASSES` of what the papers tell apart; a peer never says anything else."""
UNKNOWN: Final = -1
"""Number of a beat whose label leaves several classes, or none that a peer learns."""
_LOCAL_BEATS: Final = 10
_PAST_S: Final = 300.0
_NEVER: Final = -1e9


@dataclass(frozen=True, slots=True, eq=False)
class PeerBeats:
    """Detected beats of some recordings, end to end, (k,) each.

    `window` float32 (k, 160), conditioned, scaled by the height of the patient's template, 8 ms a
    sample, R at `windows.R_AT`; `pre_s`, `post_s` intervals to the peaks before and after;
    `local_s` mean of the past 10 intervals, `past_s` of those of the past 5 minutes, `record_s` of
    the whole recording: papers that look ahead may do so here. `valid` tells which windows are
    readable; `number` is the class's position in `CLASSES`, or `UNKNOWN`.
    """

    window: Rows
    pre_s: Floats
    post_s: Floats
    local_s: Floats
    past_s: Floats
    record_s: Floats
    valid: NDArray[np.bool_]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | NDArray[np.int64]) -> "PeerBeats":
        return PeerBeats(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def learnable(self) -> "PeerBeats":
        """Those with a class and a readable window."""
        return self[self.valid & (self.number != UNKNOWN)]

    @classmethod
    def join(cls, parts: Sequence["PeerBeats"]) -> "PeerBeats":
        """End to end."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def peer_beats(prepared: PreparedBeats, fs: float) -> PeerBeats:
    """Firm beats of one recording whose `at` counts samples at `fs` Hz.

    Tentative peaks are left out, of intervals too: what decides on them is a class that no paper
    has.
    """
    firm = ~prepared.tentative
    at_s = prepared.at[firm] / fs
    between = np.diff(at_s)
    # A recording's first and last interval are known on one side only: the other is taken alike.
    pre_s = np.concatenate([between[:1], between]) if len(between) else np.ones(len(at_s))
    post_s = np.concatenate([between, between[-1:]]) if len(between) else np.ones(len(at_s))
    numbers = np.full(1 << len(CLASSES), UNKNOWN, np.int64)
    numbers[1 << np.array(LEARNT)] = LEARNT
    order = np.arange(len(at_s))
    return PeerBeats(
        window=prepared.window[firm].astype(np.float32),
        pre_s=pre_s,
        post_s=post_s,
        local_s=_mean_since(pre_s, np.maximum(order + 1 - _LOCAL_BEATS, 0)),
        past_s=_mean_since(pre_s, np.searchsorted(at_s, at_s - _PAST_S)),
        record_s=np.full(len(at_s), pre_s.mean() if len(pre_s) else 1.0),
        valid=prepared.valid[firm],
        number=numbers[prepared.target[firm]],
    )


def _mean_since(values: Floats, first: NDArray[np.int64]) -> Floats:
    """Mean of `values` from `first` (k,) up to and with each."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    mean: Floats = (total[last] - total[first]) / (last - first)
    return mean


def resampled(window: Rows, rate_hz: float, before: int, after: int) -> Rows:
    """Windows (k, 160) at `rate_hz`: `before` samples up to R, R itself and `after` beyond.

    By cubic splines, which are linear in the samples; the window's ends hold their value.
    """
    t = (np.arange(LENGTH) - R_AT) * STEP_S
    wanted = np.clip(np.arange(-before, after + 1) / rate_hz, t[0], t[-1])
    weights = CubicSpline(t, np.eye(LENGTH))(wanted).astype(np.float32)
    out: Rows = window @ weights.T
    return out


def among_all(scores: NDArray[np.floating], learnt: Sequence[int]) -> Rows:
    """Scores (k, n) of the classes at `learnt` as columns of all `CLASSES`, the rest far below."""
    out = np.full((len(scores), len(CLASSES)), _NEVER, np.float32)
    out[:, list(learnt)] = scores
    return out
