"""What every device driver looks like to the runtime."""

from collections.abc import AsyncIterator
from typing import Protocol

from firmware_bridge.stream import StreamItem


class Driver(Protocol):
    """A device that can be opened. Single use: after `stream` ends, make a new one.

    `stream()` yields `StreamOpened` first and then items that obey `firmware_bridge.conformance`.
    Before StreamOpened it raises LinkError when the device is not there (try again later). After
    it the driver reconnects by itself and tells so with LinkChanged; it ends only when the device
    is exhausted (a file) or another device answers (ProtocolError).
    """

    def stream(self) -> AsyncIterator[StreamItem]:
        """The items, live."""
        ...
