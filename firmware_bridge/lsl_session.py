"""From the chunks of one Lab Streaming Layer stream to stream items, over reconnects. No I/O.

LSL carries samples over TCP, each with a stamp of the sender's clock: within a connection none is
lost, and stamps only jitter. What a lost connection cost is told by the stamps.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import UsageError
from firmware_bridge.straps.placing import Refusal, StampedPlaces
from firmware_bridge.straps.session import StrapSession
from firmware_bridge.stream import (
    ClockAnchor,
    Gap,
    GapReason,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StampLoss,
    StreamItem,
    StreamOpened,
)

_SIGNAL: Final = "ecg"
_NS: Final = 1_000_000_000
_JITTER_NS: Final = 20_000_000
"""Senders stamp a chunk when they get to push it."""
_PER_MV: Final = {
    "microvolts": 1000.0,
    "microvolt": 1000.0,
    "uv": 1000.0,
    "µv": 1000.0,
    "millivolts": 1.0,
    "millivolt": 1.0,
    "mv": 1.0,
    "volts": 1e-3,
    "volt": 1e-3,
    "v": 1e-3,
}


@dataclass(frozen=True, slots=True)
class LslForm:
    """What a stream says of itself; `units` and `labels` one for each channel, empty if unsaid."""

    name: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]


class LslSession(StrapSession):
    """One stream. Raises UsageError where it is no evenly sampled voltage.

    `counts_per_mv` holds for all channels, instead of what their units say.
    """

    def __init__(self, source: str, form: LslForm, counts_per_mv: float | None = None) -> None:
        rate_hz = Fraction(form.rate_hz).limit_denominator(1000)
        if rate_hz <= 0:
            raise UsageError(f"LSL stream {form.name} has no regular rate: it is no ECG")
        super().__init__(rate_hz)
        self._places = StampedPlaces(rate_hz, _JITTER_NS)
        self._per_mv = np.array([_per_mv(form, unit, counts_per_mv) for unit in form.units])
        self._next_anchor = 0
        n = len(form.labels)
        leads = tuple(label or f"channel {k + 1}" for k, label in enumerate(form.labels))
        gains = tuple(float(value) for value in self._per_mv)
        signal = SignalInfo(_SIGNAL, SignalKind.ECG, "mV", rate_hz, leads, gains, (0,) * n)
        self.opened = StreamOpened(source, "lsl", form.name, "", StampLoss(), (signal,))

    def chunk(self, values: NDArray[np.float64], stamp_s: float, host_ns: int) -> list[StreamItem]:
        """Items of `values` (n, n_channels), the last of them stamped `stamp_s`."""
        n = len(values)
        self.counts.received_samples += n
        placed = self._places.place(round(stamp_s * _NS), n, host_ns)
        if isinstance(placed, Refusal):
            self.counts.refused_samples += n
            return self.skip(placed.value, values.nbytes, host_ns)
        self._heard_ns = host_ns
        was_down = self._is_down
        items = self._back()
        if placed.n_missing:
            reason = GapReason.RECONNECT if was_down else GapReason.LOST_PACKET
            first = SampleIndex(self._end)
            items.append(Gap(_SIGNAL, first, placed.n_missing, placed.exact, reason))
            self.counts.lost_samples += placed.n_missing
            self._end += placed.n_missing
        millivolts = (values / self._per_mv).astype(np.float32)
        items.append(SampleChunk(_SIGNAL, SampleIndex(self._end), millivolts))
        self._end += n
        if self._end >= self._next_anchor:
            anchor = ClockAnchor(SampleIndex(self._end - 1), round(stamp_s * _NS), host_ns)
            items.append(anchor)
            self._next_anchor = self._end + int(self._rate_hz)
        return items

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """The link went down. Said once, until data flow again."""
        self._places.reconnected()
        return super().link_lost(host_ns, reason)


def _per_mv(form: LslForm, unit: str, counts_per_mv: float | None) -> float:
    per_mv = counts_per_mv or _PER_MV.get(unit.strip().lower())
    if per_mv is None:
        raise UsageError(
            f"LSL stream {form.name} does not say its unit as a voltage ({unit or 'nothing'}); "
            "set counts_per_mv: how many of its units make a millivolt"
        )
    return per_mv
