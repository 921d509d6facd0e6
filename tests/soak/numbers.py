"""Recordings whose samples carry their number, so that a lost, shifted or invented one shows."""

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.simulator.recording import Recording
from tests.synthetic import ecg, steady

MODULUS: Final = 30_000
"""Sample k is k µV, modulo this: what sixteen bits of microvolts hold."""
_BEATS_S: Final = 60


def numbers(rate_hz: int) -> Recording:
    """One lead of numbers."""
    return Recording("numbers", Fraction(rate_hz), ("I",), _numbers()[:, None])


def numbered_ecg(rate_hz: int) -> Recording:
    """An ECG at 75/min on the first lead, numbers on the second."""
    heart = ecg(steady(75, 0.3, _BEATS_S), _BEATS_S, rate_hz)[:, 0]
    both = np.stack([np.resize(heart, MODULUS), _numbers()], axis=1)
    return Recording("numbered ECG", Fraction(rate_hz), ("I", "II"), both.astype(np.float32))


def read(millivolts: NDArray[np.float32]) -> NDArray[np.int64]:
    """The numbers of such samples, -1 where there is none (NaN)."""
    there = ~np.isnan(millivolts)
    told = np.full(len(millivolts), -1, np.int64)
    told[there] = np.round(millivolts[there] * 1000).astype(np.int64)
    return told


def _numbers() -> NDArray[np.float32]:
    return (np.arange(MODULUS) / 1000).astype(np.float32)
