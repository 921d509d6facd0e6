"""Fits the network that says how likely R peaks go wrong."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.quality_measures import Measurer
from edge_runtime.signal.quality_risk import INPUTS, QualityConstants, RecentSeconds
from model_build.detector_tuning.network import Examples, Schedule
from model_build.detector_tuning.network import fit as fit_network
from model_build.evaluate.ec57.beats import LEARNING_S
from model_build.lead_quality.corpus import MAINS_HZ, Case, waves

USABLE_FROM: Final = 0.2
UNUSABLE_FROM: Final = 0.6
"""Chances of a mistake. Chosen out of fold on the allowed noise: clean seconds seldom lose their
level, and of those called unusable three in four are."""
SCHEDULE: Final = Schedule(hidden=16, epochs=12, batch=256)
_SEED: Final = 1
_WAVES_S: Final = 3600
_WEIGHT_OF_WAVES: Final = 3.0


def inputs(case: Case) -> NDArray[np.float64]:
    """What the network sees of each whole second (n, INPUTS), as on the device."""
    length = math.floor(case.fs)
    n = int(len(case.samples) / case.fs)
    starts = [-(-i * case.fs.numerator // case.fs.denominator) for i in range(n)]
    seconds = np.stack([case.samples[s : s + length] for s in starts]).astype(np.float64)
    measures = Measurer(case.fs, length, MAINS_HZ)(seconds[None])
    one: NDArray[np.float64] = RecentSeconds(1).inputs(measures, np.ones((1, n), np.bool_))[0]
    return one


def examples(case: Case, weight: float = 1.0) -> Examples:
    """Its seconds from 5:00 on, where noise lies on it and the detector knows the patient."""
    first = int(LEARNING_S)
    seen, bad = inputs(case)[first:], case.bad[first:]
    weights = np.full(len(bad), weight, np.float32)
    return Examples(seen.astype(np.float32), bad.astype(np.float32), weights)


def fit(parts: Sequence[Examples]) -> QualityConstants:
    """The constants for all of these seconds, and for wide waves beside them."""
    fine = examples(waves(Fraction(360), _WAVES_S), _WEIGHT_OF_WAVES)
    hidden, output = fit_network(reduce(add, parts, fine), _SEED, SCHEDULE)
    assert hidden.shape[1] == INPUTS + 1
    return QualityConstants(hidden, output, _log_odds(USABLE_FROM), _log_odds(UNUSABLE_FROM))


def _log_odds(chance: float) -> float:
    return round(math.log(chance / (1 - chance)), 6)
