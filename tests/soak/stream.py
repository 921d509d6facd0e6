"""What the soak wants of a sensor: to be broken on demand, and to say when it was well again."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done, in seconds of the monotonic clock. `silent_at`: when the last data left the
    device, of a fault that only the missing data tell. `back_at`: when the device could be read
    again; None: at once, had the reader asked anew."""

    silent_at: float | None
    back_at: float | None


Break = Callable[[Random], Awaitable[Fault]]
"""Does it, and ends when the device is well again."""


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
