"""The path of a strap without ECG: its RR intervals are the peaks.

There is nothing to condition, judge or classify. The index of such a source advances with the
intervals themselves, so a peak is told with the last sample it needs; beats that the strap did not
report are gaps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.observations import (
    CompanionBeats,
    GapFound,
    Horizon,
    Observation,
    PeakFound,
)
from firmware_bridge.stream import Gap, RrIntervals, SignalInfo, StreamItem


class RrPath:
    """From RR intervals and gaps of `signal` to peaks. Indices count at its rate."""

    lead = 0
    latency = 0
    label_latency = 0
    settle = 0

    def __init__(self, signal: SignalInfo) -> None:
        self._signal = signal
        self._end = 0  # index of the last peak, or just after the last gap
        self._is_peak = False

    def feed(self, item: StreamItem) -> list[Observation]:
        """Peaks of intervals; the first after a gap brings the one that it began with, too."""
        match item:
            case RrIntervals():
                return self._take_intervals(item)
            case Gap() if item.signal == self._signal.id:
                self._end, self._is_peak = item.first + item.n_missing, False
                last = self._end - 1
                found = GapFound(item.first, last, item.n_missing, item.exact, item.reason)
                return [found, Horizon(self._end, last)]
            case _:
                return []

    def flush(self) -> list[Observation]:
        """Nothing is ever kept."""
        return []

    def finish(self) -> list[Observation]:
        """Nothing is ever kept."""
        return []

    def snapshot(self) -> Any:
        """Everything `restore` needs."""
        return {"end": self._end, "is_peak": self._is_peak}

    def restore(self, state: Any) -> None:
        """The inverse of `snapshot`."""
        self._end, self._is_peak = state["end"], state["is_peak"]

    def _take_intervals(self, item: RrIntervals) -> list[Observation]:
        lengths = [round(rr * self._signal.rate_hz) for rr in item.intervals_s]
        at = item.at - sum(lengths)
        found: list[Observation] = []
        if lengths and not self._is_peak and at >= self._end:
            found.append(PeakFound(at, at))
        for length in lengths:
            at += length
            found.append(PeakFound(at, at))
        self._end, self._is_peak = item.at, self._is_peak or bool(lengths)
        return [*found, Horizon(item.at, item.at)]


class NoClassifier:
    """Stands where a beat classifier would: there are no beats to look at."""

    def classify(self, block: BeatBlock, companion: CompanionBeats | None) -> NDArray[np.float64]:
        """Never called: `RrPath` makes no beats ready."""
        raise NotImplementedError("a source without ECG has no beats to look at")

    def snapshot(self) -> Any:
        """It has no memory."""
        return None

    def restore(self, state: Any) -> None:
        """It has no memory."""
