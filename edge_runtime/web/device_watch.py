"""What a device says of itself besides its signal: its clock against this one, skin contact."""

from dataclasses import dataclass
from typing import Final

from edge_runtime.threads import InQueue
from firmware_bridge.clock import ClockFit, ClockFitter
from firmware_bridge.stream import ClockAnchor, DeviceStatus, Gap, StreamOpened

_REFIT_EVERY: Final = 10
"""Anchors, as of a second each."""
_NS_PER_MS: Final = 1e6


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """How the device's clock runs: parts per million it is slower than nominal, None until half a
    minute is known; and the median delay of its stamps over the earliest."""

    rate_error_ppm: float | None
    jitter_ms: float


class DeviceWatch:
    """One source's device."""

    def __init__(self) -> None:
        self._fitter: ClockFitter | None = None
        self._signal = ""
        self._anchors = 0
        self._fit: ClockFit | None = None
        self.contact: bool | None = None

    def see(self, item: InQueue) -> None:
        """One item of the stream."""
        match item:
            case StreamOpened():
                self._signal = item.reference.id
                self._fitter = ClockFitter(item.reference.rate_hz)
                self._anchors, self._fit, self.contact = 0, None, None
            case ClockAnchor() if self._fitter is not None:
                self._fitter.add(item)
                self._anchors += 1
                if self._anchors % _REFIT_EVERY == 1:
                    self._fit = self._fitter.fit()
            case Gap(exact=False) if self._fitter is not None and item.signal == self._signal:
                # Its length was only estimated: samples before and after do not fit one line.
                self._fitter.restart()
                self._anchors, self._fit = 0, None
            case DeviceStatus() if item.contact is not None:
                self.contact = item.contact
            case _:
                pass

    @property
    def clock(self) -> ClockSeen | None:
        """None where the device sends no stamps, or none that can be used yet."""
        if self._fit is None:
            return None
        known = self._fit.rate_error != 0.0
        return ClockSeen(
            round(self._fit.rate_error_ppm, 1) if known else None,
            round(self._fit.jitter_ns / _NS_PER_MS, 1),
        )
