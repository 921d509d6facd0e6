"""SMP over Bluetooth Low Energy, as one of smpclient's transports, on this project's own radio.

smpclient has one of its own. This one shares lock, turns and words with the sensors' links, so that
a strap that somebody reads is not taken away, and skips answers to earlier requests.
"""

import asyncio
import contextlib
from typing import Final

from smpclient.transport import SMPTransport, SMPTransportDisconnected

from firmware_bridge.errors import LinkError
from firmware_bridge.flash.smp_answers import answer_to
from firmware_bridge.links.bleak_radio import BleakConnection, BleakRadio
from firmware_bridge.links.gatt import SMP_CHARACTERISTIC

_HEADER_BYTES: Final = 8
_LENGTH_AT: Final = slice(2, 4)


class BleTransport(SMPTransport):
    """One device. No message is longer than `longest` bytes."""

    def __init__(self, longest: int, adapter: str | None = None) -> None:
        self._longest = longest
        self._radio = BleakRadio(adapter)
        self._connection: BleakConnection | None = None
        self._pending = bytearray()
        self._changed = asyncio.Event()
        self._is_lost = False

    async def connect(self, address: str, timeout_s: float) -> None:
        """Connect; how long that may take is the radio's affair. Raises SMPTransportDisconnected
        with words for a person."""
        del timeout_s
        self._pending.clear()
        self._is_lost = False
        try:
            self._connection = await self._radio.connect(address, self._notified, self._lost)
            if SMP_CHARACTERISTIC not in self._connection.characteristics:
                raise LinkError("it offers no firmware update (SMP) over Bluetooth")
            await self._connection.subscribe(SMP_CHARACTERISTIC)
        except LinkError as error:
            raise SMPTransportDisconnected(str(error)) from error

    async def disconnect(self) -> None:
        """Let the device go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(LinkError):
                await connection.disconnect()

    async def send(self, data: bytes) -> None:
        """Send one SMP message, in as many writes as it takes."""
        connection = self._connected()
        size = self.mtu
        try:
            for at in range(0, len(data), size):
                await connection.send(SMP_CHARACTERISTIC, data[at : at + size])
        except LinkError as error:
            raise SMPTransportDisconnected(str(error)) from error

    async def receive(self) -> bytes:
        """The next SMP message."""
        while len(self._pending) < (end := self._length()):
            self._connected()
            self._changed.clear()
            await self._changed.wait()
        message = bytes(self._pending[:end])
        del self._pending[:end]
        return message

    async def send_and_receive(self, data: bytes) -> bytes:
        """Send a request; the answer that has its sequence number."""
        return await answer_to(self, data)

    @property
    def mtu(self) -> int:
        """Bytes of one write."""
        return self._connected().most_bytes(SMP_CHARACTERISTIC)

    @property
    def max_unencoded_size(self) -> int:
        """Longest message: the server's buffer, once that is known; a device that does not put
        writes together gets no answer out of it, and shorter messages then."""
        return min(self._longest, self._smp_server_transport_buffer_size or self.mtu)

    def _length(self) -> int:
        """Of the message that is coming; of a header before that is there."""
        if len(self._pending) < _HEADER_BYTES:
            return _HEADER_BYTES
        return _HEADER_BYTES + int.from_bytes(self._pending[_LENGTH_AT], "big")

    def _connected(self) -> BleakConnection:
        if self._connection is None or self._is_lost:
            raise SMPTransportDisconnected("the link was lost")
        return self._connection

    def _notified(self, characteristic: str, value: bytes) -> None:
        if characteristic == SMP_CHARACTERISTIC:
            self._pending += value
            self._changed.set()

    def _lost(self) -> None:
        self._is_lost = True
        self._changed.set()
