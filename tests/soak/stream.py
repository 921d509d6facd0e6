"""What the soak wants of a sensor: to be broken on demand, and to say when it was well again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from firmware_bridge.simulator.faults import Faults

_BURST_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done, in seconds of the monotonic clock. `silent_at`: when the last data left the
    device, of a fault that only the missing data tell. `back_at`: when the device could be read
    again; None: at once, had the reader asked anew."""

    silent_at: float | None
    back_at: float | None

    def again_s(self, lost_at: float, up_at: float) -> float:
        """From when the device could be read again to `up_at`, of a stream told lost at
        `lost_at`."""
        return max(0.0, up_at - (lost_at if self.back_at is None else self.back_at))


Break = Callable[[Random], Awaitable[Fault]]
"""Does it, and ends when the device is well again."""


def burst(misbehave: Callable[[Faults], None], faults: Faults) -> Break:
    """`faults` for two seconds, then none."""

    async def break_(_random: Random) -> Fault:
        misbehave(faults)
        await asyncio.sleep(_BURST_S)
        misbehave(Faults())
        return Fault(None, time.monotonic())

    return break_


class Stream(Protocol):
    """One emulated sensor. `settings` are its entries in the daemon's configuration; its samples
    are numbered on `lead`."""

    name: str
    link: str
    rate_hz: int
    lead: int
    settings: Mapping[str, str]
    faults: Mapping[str, Break]
    """By what a person would call them."""

    async def be_away(self, seconds: float) -> Fault:
        """Out of reach for so long."""
        ...
