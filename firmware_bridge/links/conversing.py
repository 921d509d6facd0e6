"""How a strap is talked to: what every family does, and what all of them share.

A `Conversation` lasts over reconnects, as its session does. It does no I/O of its own but through
the `Line` it is given.
"""

# ruff: noqa: D102 - the methods' contract is written once, at `Conversation`.

from collections.abc import Callable
from typing import Protocol, TypeVar

from firmware_bridge.errors import LinkError, ProtocolError, UsageError
from firmware_bridge.links.gatt import Line, Wanted
from firmware_bridge.straps import heart_rate
from firmware_bridge.straps.session import DeviceInfo, StrapSession
from firmware_bridge.stream import StreamItem

Decoded = TypeVar("Decoded")


class Conversation(Protocol):
    """One family's way to talk, and the session it makes of it."""

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        """Connected: items to begin with (StreamOpened the first time). Raises LinkError."""
        ...

    async def start(self, line: Line) -> None:
        """Make data flow. Raises LinkError."""
        ...

    async def stop(self, line: Line) -> None:
        """Make the device stop measuring. Raises LinkError."""
        ...

    def is_flow(self, characteristic: str, value: bytes) -> bool:
        """The notification is of what must not stop: without such ones the link has stalled."""
        ...

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        """Items of a notification. Raises ProtocolError when another device answers."""
        ...

    def silence(self, host_ns: int) -> list[StreamItem]:
        """As of `StrapSession`."""
        ...

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """As of `StrapSession`."""
        ...


class Strap:
    """What the families have in common: battery, silence, the link."""

    session: StrapSession

    def silence(self, host_ns: int) -> list[StreamItem]:
        return self.session.silence(host_ns)

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        return self.session.link_lost(host_ns, reason)

    async def _begin(self, line: Line, *, is_new: bool) -> list[StreamItem]:
        """StreamOpened the first time; the battery, and its changes from now on."""
        items: list[StreamItem] = [self.session.opened] if is_new else []
        if line.has(heart_rate.BATTERY_LEVEL):
            items += self.session.battery(await line.connection.read(heart_rate.BATTERY_LEVEL))
            if heart_rate.BATTERY_LEVEL in line.connection.notifying:
                await line.connection.subscribe(heart_rate.BATTERY_LEVEL)
        return items


def refuse_acceleration(wanted: Wanted) -> None:
    """For families whose accelerometer is not read. Raises UsageError where it is wanted."""
    if wanted.accelerometer_hz:
        raise UsageError("only Polar's ECG straps send their acceleration: leave it out")


def understood(decode: Callable[[bytes], Decoded], value: bytes) -> Decoded:
    """`value` decoded; nonsense in a handshake is a link to be tried again."""
    try:
        return decode(value)
    except ProtocolError as error:
        raise LinkError(str(error)) from error


def listed(numbers: tuple[int, ...]) -> str:
    """Rates in words."""
    return ", ".join(map(str, numbers)) + " Hz"
