"""How heart rate is averaged (IEC 60601-2-27 asks for disclosure).

60 / the mean of the last 8 valid RR intervals; of fewer while fewer are known, one being enough.
A beat whose RR is not known (after a gap, an unreadable stretch or electrodes off) empties the
average: there is no rate until the next valid RR.
"""

from collections import deque
from fractions import Fraction
from typing import Final

INTERVALS: Final = 8


class HeartRate:
    """The running average over the last RR intervals, in samples."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._rate_hz = float(rate_hz)
        self._rr: deque[int] = deque(maxlen=INTERVALS)

    def update(self, rr: int | None) -> float | None:
        """Take the RR of a beat in samples; the rate in beats per minute, None if unknown."""
        if rr is None:
            self._rr.clear()
            return None
        self._rr.append(rr)
        return 60.0 * self._rate_hz * len(self._rr) / sum(self._rr)

    def snapshot(self) -> list[int]:
        """The intervals it holds."""
        return list(self._rr)

    def restore(self, intervals: list[int]) -> None:
        """The inverse of `snapshot`."""
        self._rr = deque(intervals, maxlen=INTERVALS)
