"""What a link over Bluetooth Low Energy needs of a radio, and how questions are asked over it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from firmware_bridge.errors import LinkError
from firmware_bridge.straps.session import DeviceInfo

_ANSWER_WITHIN_S: Final = 5.0
"""Straps answer within a few connection intervals (50 ms each, up to 4 s on slow links)."""
_INFORMATION: Final = {
    "manufacturer": "00002a29-0000-1000-8000-00805f9b34fb",
    "model": "00002a24-0000-1000-8000-00805f9b34fb",
    "serial": "00002a25-0000-1000-8000-00805f9b34fb",
    "firmware": "00002a26-0000-1000-8000-00805f9b34fb",
}
"""Characteristics of the Device Information service, 0x180A."""

SMP_CHARACTERISTIC: Final = "da2e7828-fbce-4e01-ae9e-261174997c48"
"""Of Zephyr's MCUmgr service: what has it takes firmware over Bluetooth."""

Notified = Callable[[str, bytes], None]
"""Called with a characteristic's UUID (lower case, 128 bits) and the value it notified."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person chose. `rate_hz` None: the family's own choice. `accelerometer_hz` None: no
    acceleration beside the ECG."""

    source: str
    rate_hz: int | None = None
    accelerometer_hz: int | None = None


class Connection(Protocol):
    """A connected device. Every method raises LinkError."""

    @property
    def characteristics(self) -> frozenset[str]:
        """UUIDs (lower case, 128 bits) of what the device has."""
        ...

    @property
    def notifying(self) -> frozenset[str]:
        """Those of them that one can subscribe to."""
        ...

    async def read(self, characteristic: str) -> bytes:
        """Its value."""
        ...

    async def write(self, characteristic: str, value: bytes) -> None:
        """Write and wait until the device has it."""
        ...

    async def subscribe(self, characteristic: str) -> None:
        """From now on its notifications or indications come."""
        ...

    async def disconnect(self) -> None:
        """Let the device go."""
        ...


class Radio(Protocol):
    """Something that connects to devices by their address."""

    async def connect(
        self, address: str, notified: Notified, lost: Callable[[], None]
    ) -> Connection:
        """Connected, with its characteristics known. `lost` is called when the link goes down.

        Raises LinkError with words for a person.
        """
        ...


class Line:
    """A connection on which one can ask a question and wait for its answer.

    Notifications that answer no question go to `passed_on`.
    """

    def __init__(self, passed_on: Notified) -> None:
        self._passed_on = passed_on
        self._is_closed = False
        self._connection: Connection | None = None
        self._awaited: tuple[str, Callable[[bytes], bool], asyncio.Future[bytes]] | None = None

    def attach(self, connection: Connection) -> None:
        """The connection is made."""
        self._connection = connection

    @property
    def connection(self) -> Connection:
        """The connection. Raises LinkError before it is made."""
        if self._connection is None:
            raise LinkError("not connected")
        return self._connection

    def has(self, characteristic: str) -> bool:
        """The device has it."""
        return characteristic in self.connection.characteristics

    def notified(self, characteristic: str, value: bytes) -> None:
        """Something came."""
        if self._awaited is not None:
            awaited, answers, future = self._awaited
            if characteristic == awaited and not future.done() and answers(value):
                future.set_result(value)
                return
        if not self._is_closed:
            self._passed_on(characteristic, value)

    def close(self) -> None:
        """Pass nothing on any more: the link is given up, and late data would seem to be back."""
        self._is_closed = True

    async def ask(
        self, question_to: str, question: bytes, answer_from: str, answers: Callable[[bytes], bool]
    ) -> bytes:
        """Write `question` and return the first value of `answer_from` that `answers` it.

        Raises LinkError when none comes in time.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited = (answer_from, answers, future)
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                await self.connection.write(question_to, question)
                return await future
        except TimeoutError:
            raise LinkError(f"connected, but no answer within {_ANSWER_WITHIN_S:.0f} s") from None
        finally:
            self._awaited = None


async def device_information(line: Line) -> DeviceInfo:
    """What the Device Information service says. Raises LinkError when the serial, by which a device
    is known again, cannot be read; without the others one can do."""
    texts = {}
    for name, characteristic in _INFORMATION.items():
        if not line.has(characteristic):
            continue
        try:
            value = await line.connection.read(characteristic)
        except LinkError:
            if name == "serial":
                raise
            continue
        texts[name] = value.decode("utf-8", "replace").strip("\0 ")
    return DeviceInfo(**texts)
