"""Recordings whose samples carry their number, so that a lost, shifted or invented one shows."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.simulator.recording import Recording
from tests.firmware_bridge.simulated import MODULUS, numbered
from tests.synthetic import ecg, steady

_BEATS_S: Final = 60


def numbers(rate_hz: int) -> Recording:
    """One lead of numbers."""
    return replace(numbered(), rate_hz=Fraction(rate_hz))


def numbered_ecg(rate_hz: int) -> Recording:
    """An ECG at 75/min on the first lead, numbers on the second."""
    heart = ecg(steady(75, 0.3, _BEATS_S), _BEATS_S, rate_hz)[:, 0]
    recording = numbered(("I", "II"))
    recording.millivolts[:, 0] = np.resize(heart, MODULUS)
    return replace(recording, title="numbered ECG", rate_hz=Fraction(rate_hz))


def read(millivolts: NDArray[np.float32]) -> NDArray[np.int64]:
    """The numbers of such samples, -1 where there is none (NaN)."""
    there = ~np.isnan(millivolts)
    told = np.full(len(millivolts), -1, np.int64)
    told[there] = np.round(millivolts[there] * 1000).astype(np.int64)
    return told
