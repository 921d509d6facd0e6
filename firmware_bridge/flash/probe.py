"""Does the sensor stream? What a device's self-test and the battery check rest upon."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from firmware_bridge.conformance import ConformanceError, StreamCheck
from firmware_bridge.driver import Driver
from firmware_bridge.errors import BridgeError
from firmware_bridge.stream import (
    BytesSkipped,
    DeviceStatus,
    Gap,
    LinkChanged,
    SampleChunk,
    StreamItem,
    StreamOpened,
)

MAX_RATE_ERROR: Final = 0.1
"""A crystal errs by 1e-4, a strap by 2 %; more is not the stated rate. The rest is for a busy host,
which sees a packet late."""
MAX_LOST: Final = 0.01
MIN_S: Final = 1.0


@dataclass(slots=True)
class Watched:
    """What a stream showed while it was looked at. `fault` says why it is not good."""

    rate_hz: Fraction | None = None
    firmware: str | None = None
    battery_percent: int | None = None
    n_samples: int = 0
    n_lost: int = 0
    n_skipped_frames: int = 0
    first_s: float | None = None
    last_s: float = 0.0
    link_fault: str | None = None

    def see(self, item: StreamItem, at_s: float) -> None:
        """Take one item that arrived at `at_s`."""
        match item:
            case StreamOpened():
                self.rate_hz, self.firmware = item.reference.rate_hz, item.firmware
            case SampleChunk():
                if self.first_s is None:  # only what follows took the time since then
                    self.first_s = at_s
                else:
                    self.n_samples += len(item.samples)
                self.last_s = at_s
            case Gap():
                self.n_lost += item.n_missing
            case BytesSkipped():
                self.n_skipped_frames += item.n_frames
            case DeviceStatus(battery_percent=percent) if percent is not None:
                self.battery_percent = round(percent)
            case LinkChanged(up=False):
                self.link_fault = f"the link went down ({item.reason})"
            case _:
                pass

    @property
    def lasted_s(self) -> float:
        """From the first samples to the last."""
        return 0.0 if self.first_s is None else self.last_s - self.first_s

    @property
    def measured_hz(self) -> float | None:
        """Samples a second by the host's clock; None before there is enough of them."""
        if self.lasted_s < MIN_S:
            return None
        return (self.n_samples + self.n_lost) / self.lasted_s

    @property
    def fault(self) -> str | None:
        """Why this is not valid frames at the stated rate; None when it is."""
        if self.link_fault is not None:
            return self.link_fault
        if self.rate_hz is None:
            return "it never said what it streams"
        if self.n_skipped_frames:
            return f"{self.n_skipped_frames} frames were no valid frames"
        if self.measured_hz is None:
            return f"{self.n_samples} samples came in all: it does not stream"
        return self._fault_of_rate(self.measured_hz, float(self.rate_hz))

    def _fault_of_rate(self, measured_hz: float, stated_hz: float) -> str | None:
        if self.n_lost > MAX_LOST * self.n_samples:
            return f"{self.n_lost} samples were lost of {self.n_lost + self.n_samples}"
        if abs(measured_hz / stated_hz - 1) > MAX_RATE_ERROR:
            return f"it streams {measured_hz:.0f} Hz and says {stated_hz:.0f} Hz"
        return None


async def watch(
    driver: Driver,
    seconds: float,
    *,
    until: Callable[[Watched], bool] = lambda _: False,
    clock: Callable[[], float] = time.monotonic,
) -> Watched:
    """Look at the stream for `seconds`, or until `until` has what it wants. Never raises for what
    a device does: that is a fault of what was watched."""
    watched, check = Watched(), StreamCheck()
    try:
        async with asyncio.timeout(seconds), aclosing(driver.stream()) as stream:  # type: ignore[type-var]
            async for item in stream:
                check.see(item)
                watched.see(item, clock())
                if until(watched):
                    break
    except TimeoutError:
        pass
    except ConformanceError as error:
        watched.link_fault = f"its stream is not consistent: {error}"
    except BridgeError as error:
        watched.link_fault = str(error)
    return watched
