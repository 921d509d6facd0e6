"""Does a device send as many samples a second as it says? Judged by clock anchors."""

from fractions import Fraction
from typing import Final

from firmware_bridge.stream import ClockAnchor

TOLERANCE: Final = 0.01
"""Cheap crystals are off by 0.01 %, RC oscillators by 1 %; more is another rate than stated."""

_SPAN_NS: Final = 60_000_000_000
"""Over a minute, half a second of radio delay at either end stays below the tolerance."""


class RateCheck:
    """Compares sample counts with the host's clock over one minute at a time."""

    def __init__(self, nominal_hz: Fraction) -> None:
        self._nominal_hz = float(nominal_hz)
        self._index: int | None = None
        self._host_ns = 0

    def feed(self, anchor: ClockAnchor) -> float | None:
        """The measured rate in Hz when a minute is over and it is off, otherwise None."""
        if self._index is None:
            self._index, self._host_ns = anchor.index, anchor.host_ns
            return None
        elapsed_ns = anchor.host_ns - self._host_ns
        if elapsed_ns < _SPAN_NS:
            return None
        rate_hz = (anchor.index - self._index) * 1e9 / elapsed_ns
        self._index, self._host_ns = anchor.index, anchor.host_ns
        return rate_hz if abs(rate_hz / self._nominal_hz - 1.0) > TOLERANCE else None

    def restart(self) -> None:
        """Begin anew: the link was away, so the counts in between are not the sensor's pace."""
        self._index = None
