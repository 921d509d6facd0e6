"""How heart rate is averaged (IEC 60601-2-27 asks for disclosure).

60 / the mean of the valid RR among the last 8 intervals between detected beats; of fewer while
fewer are known, one being enough as long as none of them is invalid.

An RR is invalid across a gap, an unreadable stretch or electrodes off. While one of the last 8
intervals is, only those that ended in the last 10 s count, and there is a rate only where at least
4 of them are valid: on a link that loses packets all the time an RR survives only if no gap falls
into it, so the few that do are too short, and too few to be trusted.

An RR of more than 3 s is no interval of a rhythm but a pause or an asystole: as in bedside
monitors it is not averaged, and what was before it says nothing about what comes after. It empties
the average, so that after an asystole of 12 s a heart that beats at 100/min again shows 100/min
with its second beat. An invalid interval of more than 3 s also leaves nothing of what was before.
Two valid ones in a row are a rhythm below 20/min, and its rate is shown. While nothing has beaten
for so long, a view shows no rate at all (`LONGEST_S`).
"""

from collections import deque
from fractions import Fraction
from typing import Any, Final

INTERVALS: Final = 8
LEAST_VALID: Final = 4
RECENT_S: Final = 10
LONGEST_S: Final = 3.0
"""20/min. Bedside monitors call a pause at 1.5 to 3.5 s and an asystole at 3 to 10 s."""


class HeartRate:
    """The running average over the last intervals, in samples."""

    def __init__(self, rate_hz: Fraction) -> None:
        self._rate_hz = float(rate_hz)
        self._longest = int(Fraction(str(LONGEST_S)) * rate_hz)
        self._recent = int(RECENT_S * rate_hz)
        # (the beat that ends it, its RR; None: invalid)
        self._intervals: deque[tuple[int, int | None]] = deque(maxlen=INTERVALS)
        self._last: int | None = None
        self._was_long = False

    def update(self, at: int, rr: int | None) -> float | None:
        """Take the beat at `at` and its RR in samples, None where that is invalid.

        Returns the rate in beats per minute, None where there is none.
        """
        before, self._last = self._last, at
        if before is None:
            return None  # the first beat ends no interval
        is_long = at - before > self._longest
        is_pause = is_long and rr is not None and not self._was_long
        if is_pause or (is_long and rr is None):
            self._intervals.clear()
        self._was_long = is_long and rr is not None
        if is_pause:
            return None
        self._intervals.append((at, rr))
        return self._average(at)

    def split(self, at: int) -> float | None:
        """A beat at `at` is known late, after the one that follows it: the rate, as of that one.

        The interval that holds it becomes two; one that is invalid or not averaged stays.
        """
        intervals: list[tuple[int, int | None]] = []
        for end, rr in self._intervals:
            if rr is not None and end - rr < at < end:
                intervals += [(at, rr - (end - at)), (end, end - at)]
            else:
                intervals.append((end, rr))
        self._intervals = deque(intervals, maxlen=INTERVALS)
        return None if self._last is None else self._average(self._last)

    def _average(self, now: int) -> float | None:
        intervals = self._intervals
        least = 1
        if any(rr is None for _, rr in intervals):
            least = LEAST_VALID
            while intervals[0][0] < now - self._recent:
                intervals.popleft()
        valid = [rr for _, rr in intervals if rr is not None]
        if len(valid) < least:
            return None
        return 60.0 * self._rate_hz * len(valid) / sum(valid)

    def snapshot(self) -> dict[str, Any]:
        """The intervals it holds, the last beat, and whether the last interval was long."""
        intervals = [list(interval) for interval in self._intervals]
        return {"intervals": intervals, "last": self._last, "was_long": self._was_long}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._intervals.clear()
        self._intervals.extend((at, rr) for at, rr in snapshot["intervals"])
        self._last = snapshot["last"]
        self._was_long = bool(snapshot["was_long"])
