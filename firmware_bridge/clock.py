"""Where a sensor's samples lie in the host's time: rate error, drift and jitter from anchors.

A packet can only arrive late, never early, so the earliest arrivals carry the truth: of each
window of anchors the one with the least delay is kept, and a line through those gives offset and
rate (the lower-envelope idea of NTP's clock filter, RFC 5905 section 10). A constant delay of the
link cannot be seen from this side and stays in the offset.
"""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge.stream import ClockAnchor, SampleIndex

_WINDOW_NS: Final = 10_000_000_000
_MAX_WINDOWS: Final = 180
"""Half an hour of ten-second windows: longer than jitter, shorter than temperature drift."""
_MIN_SPAN_WINDOWS: Final = 3
_MAX_RATE_ERROR: Final = 0.05
"""A steeper line is a broken stamp, not a crystal (Polar's straps stay within 2 %)."""
_FOLLOW_S: Final = 5.0
_HOLE_NS: Final = 500_000_000
_NS: Final = 1e9


@dataclass(frozen=True, slots=True)
class ClockFit:
    """host_ns = host_zero_ns + index / rate_hz * (1 + rate_error) seconds."""

    host_zero_ns: float
    rate_hz: float
    rate_error: float
    jitter_ns: float
    """Median extra delay of an anchor over the earliest of its window."""

    def host_ns(self, index: SampleIndex) -> int:
        """Host monotonic time at which sample `index` was taken."""
        return round(self.host_zero_ns + index * _NS / self.rate_hz * (1 + self.rate_error))

    @property
    def rate_error_ppm(self) -> float:
        """Positive: the sensor is slower than nominal by the host's clock."""
        return self.rate_error * 1e6


class SteadyClock:
    """Times of samples that never go back: each new fit is followed within seconds.

    As long as fits agree to a few milliseconds nothing is seen of it; in the first minute, and
    after a hole of estimated length, they do not. Half a second and more ahead is such a hole, and
    is taken at once.
    """

    def __init__(self, fit: ClockFit) -> None:
        self._fit = fit
        self._owed_ns = 0.0  # how far the time at `_from` is behind the fit
        self._from = 0
        self._span = 1.0

    def follow(self, fit: ClockFit, at: SampleIndex) -> None:
        """From sample `at` on approach `fit`."""
        owed_ns = self.host_ns(at) - fit.host_ns(at)
        self._owed_ns = owed_ns if owed_ns > -_HOLE_NS else 0.0
        self._fit, self._from = fit, at
        # At least half as fast as time, so that it never stands still.
        seconds = max(_FOLLOW_S, 2 * abs(self._owed_ns) / _NS)
        self._span = seconds * fit.rate_hz

    def host_ns(self, index: SampleIndex) -> int:
        """Host monotonic time at which sample `index` was taken."""
        left = 1 - (index - self._from) / self._span
        return self._fit.host_ns(index) + round(self._owed_ns * min(1.0, max(0.0, left)))


class ClockFitter:
    """Collects anchors of one stream; `fit()` is cheap enough to ask every few seconds."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._rate_hz = float(rate_hz)
        self._window_start_ns: int | None = None
        self._slope = 0.0  # what is known of the rate error, so that windows compare fairly
        self._best: tuple[int, float] | None = None  # (index, delay) of the open window
        self._lateness: list[float] = []  # delays of the open window, less the known slope
        self._earliest: deque[tuple[int, float]] = deque(maxlen=_MAX_WINDOWS)
        self._jitter: deque[float] = deque(maxlen=_MAX_WINDOWS)

    def add(self, anchor: ClockAnchor) -> None:
        """Take one anchor; they come in order."""
        delay = anchor.host_ns - anchor.index * _NS / self._rate_hz
        if self._window_start_ns is None:
            self._window_start_ns = anchor.host_ns
        elif anchor.host_ns - self._window_start_ns >= _WINDOW_NS:
            self._close_window()
            self._window_start_ns = anchor.host_ns
        lateness = delay - self._slope * anchor.index * _NS / self._rate_hz
        if not self._lateness or lateness < min(self._lateness):
            self._best = (anchor.index, delay)
        self._lateness.append(lateness)

    def restart(self) -> None:
        """Forget everything: the sensor rebooted, or a hole was only estimated."""
        self._window_start_ns = None
        self._slope = 0.0
        self._best = None
        self._lateness = []
        self._earliest.clear()
        self._jitter.clear()

    def fit(self) -> ClockFit | None:
        """The present fit; with less than half a minute of anchors the rate is taken as nominal.
        None before the first anchor."""
        points = [*self._earliest] + ([self._best] if self._best else [])
        if not points:
            return None
        index = np.array([p[0] for p in points], dtype=np.float64)
        delay = np.array([p[1] for p in points], dtype=np.float64)
        intercept = float(np.median(delay - self._slope * index * _NS / self._rate_hz))
        jitter = float(np.median(self._jitter)) if self._jitter else 0.0
        return ClockFit(intercept, self._rate_hz, self._slope, jitter)

    def _close_window(self) -> None:
        if self._best is None:
            return
        self._earliest.append(self._best)
        self._jitter.append(float(np.median(self._lateness)) - min(self._lateness))
        self._best = None
        self._lateness = []
        if len(self._earliest) >= _MIN_SPAN_WINDOWS:
            index, delay = np.array(self._earliest, dtype=np.float64).T
            self._slope = _slope(index * _NS / self._rate_hz, delay)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Theil-Sen: the median of pairwise slopes, so that one late window does not tilt the line."""
    i, j = np.triu_indices(len(x), k=max(1, len(x) // 3))
    run = x[j] - x[i]
    slopes = (y[j] - y[i])[run > 0] / run[run > 0]
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    return slope if abs(slope) < _MAX_RATE_ERROR else 0.0
