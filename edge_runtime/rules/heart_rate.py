"""How heart rate is averaged (IEC 60601-2-27 asks for disclosure).

60 / the mean of the last 8 valid RR intervals; of fewer while fewer are known, one being enough.
A beat whose RR is not known (after a gap, an unreadable stretch or electrodes off) empties the
average: there is no rate until the next valid RR.

An RR of more than 3 s is no interval of a rhythm but a pause or an asystole: as in bedside
monitors it is not averaged, and what was before it says nothing about what comes after. It empties
the average too, so that after an asystole of 12 s a heart that beats at 100/min again shows
100/min with its second beat. Two such intervals in a row are a rhythm below 20/min, and its rate is
shown. While nothing has beaten for so long, a view shows no rate at all (`LONGEST_S`).
"""

from collections import deque
from fractions import Fraction
from typing import Any, Final

INTERVALS: Final = 8
LONGEST_S: Final = 3.0
"""20/min. Bedside monitors call a pause at 1.5 to 3.5 s and an asystole at 3 to 10 s."""


class HeartRate:
    """The running average over the last RR intervals, in samples."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._rate_hz = float(rate_hz)
        self._longest = int(Fraction(str(LONGEST_S)) * rate_hz)
        self._rr: deque[int] = deque(maxlen=INTERVALS)
        self._was_long = False

    def update(self, rr: int | None) -> float | None:
        """Take the RR of a beat in samples; the rate in beats per minute, None if unknown."""
        is_long = rr is not None and rr > self._longest
        is_pause, self._was_long = is_long and not self._was_long, is_long
        if rr is None or is_pause:
            self._rr.clear()
            return None
        self._rr.append(rr)
        return 60.0 * self._rate_hz * len(self._rr) / sum(self._rr)

    def snapshot(self) -> dict[str, Any]:
        """The intervals it holds, and whether the last one was long."""
        return {"rr": list(self._rr), "was_long": self._was_long}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._rr = deque(snapshot["rr"], maxlen=INTERVALS)
        self._was_long = bool(snapshot["was_long"])
