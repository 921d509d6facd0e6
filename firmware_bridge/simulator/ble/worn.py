"""What an emulated strap feels on its wearer: a recording at the strap's rate, and its beats.

The strap's own time runs from when it was put on; the recording plays in a loop.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.simulator.recording import Recording, resampled

_BREATHS_PER_S: Final = 0.25
_BREATH_RAD: Final = 0.05
_SMOOTH_S: Final = 0.08
_REFRACTORY_S: Final = 0.25
_THRESHOLD: Final = 0.25
"""Of the slope energy that one QRS in twenty exceeds: a strap's own detector is no better."""


class Worn:
    """`recording` on a wearer. `clock_ppm` is the error of the strap's sampling clock."""

    def __init__(self, recording: Recording, clock_ppm: float = 0.0) -> None:
        self.recording = recording
        self.clock_ppm = clock_ppm
        self._pace = 1 + clock_ppm / 1e6
        self._duration_s = recording.duration_s
        self._beats_s = r_peaks_s(recording)

    def count_at(self, rate_hz: int, at_s: float) -> int:
        """How many samples the strap has taken at `at_s`."""
        return int(at_s * rate_hz * self._pace)

    def time_of(self, rate_hz: int, count: int) -> float:
        """When it has taken so many."""
        return count / (rate_hz * self._pace)

    def millivolts(self, rate_hz: int, first: int, n: int) -> NDArray[np.float32]:
        """Samples `first` to `first + n` of lead 0."""
        signal = _signal(self.recording, rate_hz)
        return signal[np.arange(first, first + n) % len(signal)]

    def milli_g(self, rate_hz: int, first: int, n: int) -> NDArray[np.int16]:
        """Acceleration (n, 3) of somebody who lies on the back, tilted a little by each breath."""
        at_s = np.arange(first, first + n) / (rate_hz * self._pace)
        tilt = _BREATH_RAD * np.sin(2 * np.pi * _BREATHS_PER_S * at_s)
        axes = np.stack([np.zeros(n), np.sin(tilt), np.cos(tilt)], axis=1)
        return np.round(1000 * axes).astype(np.int16)

    def beats_s(self, after_s: float, until_s: float) -> list[float]:
        """Times of the beats in (after_s, until_s]."""
        lap = int(after_s // self._duration_s)
        laps = range(lap, int(until_s // self._duration_s) + 1)
        beats = [lap * self._duration_s + beat for lap in laps for beat in self._beats_s]
        return [beat for beat in beats if after_s < beat <= until_s]

    def has_contact(self, at_s: float) -> bool:
        """The recording's electrodes are on at `at_s`."""
        at = int(at_s % self._duration_s * self.recording.rate_hz)
        return not any(first <= at < end for first, end, _ in self.recording.leads_off)


@lru_cache(maxsize=4)
def _signal(recording: Recording, rate_hz: int) -> NDArray[np.float32]:
    return resampled(recording, Fraction(rate_hz)).millivolts[:, 0]


def r_peaks_s(recording: Recording) -> list[float]:
    """Times of the QRS complexes of lead 0, by the energy of its slope."""
    rate = float(recording.rate_hz)
    width = max(1, round(_SMOOTH_S * rate))
    slope = np.diff(recording.millivolts[:, 0].astype(np.float64), prepend=0.0)
    slope[0] = 0.0
    energy = np.convolve(slope**2, np.ones(width), "same")
    above = np.flatnonzero(energy > _THRESHOLD * np.quantile(energy, 0.95))
    beats: list[int] = []
    for run in np.split(above, np.flatnonzero(np.diff(above) > 1) + 1):
        if not len(run):
            continue
        peak = int(run[np.argmax(energy[run])])
        if not beats or peak - beats[-1] >= _REFRACTORY_S * rate:
            beats.append(peak)
    return [beat / rate for beat in beats]
