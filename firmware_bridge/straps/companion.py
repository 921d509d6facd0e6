"""A signal that a strap sends beside its ECG, by the stamps of a clock they share. No I/O."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.straps.placing import Refusal, StampedPlaces
from firmware_bridge.stream import (
    Alignment,
    Gap,
    GapReason,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    StreamItem,
)

_NS: Final = 1_000_000_000
_ALIGNED_EVERY_S: Final = 1
_APART_NS: Final = 5 * _NS
"""Stamps of ECG and companion that are farther apart are of two clocks: one has begun anew."""


@dataclass(frozen=True, slots=True)
class Known:
    """The reference's last sample: its stamp, its index, its nominal rate."""

    stamp_ns: int
    index: int
    rate_hz: float


class Companion:
    """Places packets of `signal` one after another, with a Gap for what never came."""

    def __init__(self, signal: SignalInfo, resolution_ns: int) -> None:
        self.signal = signal
        self._places = StampedPlaces(signal.rate_hz, resolution_ns)
        self._end = 0
        self._next_alignment = 0
        self._aligned_at = 0
        self._is_down = False

    def packet(
        self, stamp_ns: int, samples: NDArray[np.float32], host_ns: int, known: Known | None
    ) -> list[StreamItem] | Refusal:
        """Items of `samples` (n, n_leads), the last taken at `stamp_ns`, or why there are none."""
        n = len(samples)
        placed = self._places.place(stamp_ns, n, host_ns)
        if isinstance(placed, Refusal):
            return placed
        items: list[StreamItem] = []
        if placed.n_missing:
            is_new = self._is_down or placed.restarted
            reason = GapReason.RECONNECT if is_new else GapReason.LOST_PACKET
            first = SampleIndex(self._end)
            items.append(Gap(self.signal.id, first, placed.n_missing, placed.exact, reason))
            self._end += placed.n_missing
        self._is_down = False
        items.append(SampleChunk(self.signal.id, SampleIndex(self._end), samples))
        self._end += n
        return items + self._alignment(stamp_ns, known)

    def link_lost(self) -> None:
        """The link went down."""
        self._places.reconnected()
        self._is_down = True

    def _alignment(self, stamp_ns: int, known: Known | None) -> list[StreamItem]:
        if known is None or self._end < self._next_alignment:
            return []
        apart_ns = stamp_ns - known.stamp_ns
        at = known.index + round(apart_ns * known.rate_hz / _NS)
        if abs(apart_ns) > _APART_NS or at < self._aligned_at:
            return []
        self._next_alignment = self._end + int(self.signal.rate_hz * _ALIGNED_EVERY_S)
        self._aligned_at = at
        return [Alignment(self.signal.id, SampleIndex(self._end - 1), SampleIndex(at))]
