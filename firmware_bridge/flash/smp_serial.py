"""SMP over a serial port, as one of smpclient's transports.

smpclient has one of its own, over pyserial: it looks for answers every 5 ms and takes the first one
for its own. This one is woken by the port, skips answers that came too late for an earlier request,
bears a sensor's stream or a boot log on the same wire, and keeps the text of the latter.
"""

import asyncio
import binascii
import contextlib
import errno
import time
from collections import deque
from typing import Final

import serialx
from smp import packet
from smp.exceptions import SMPException
from smpclient.transport import SMPTransport, SMPTransportDisconnected

from firmware_bridge import protocol
from firmware_bridge.framing import encode_frame

DEFAULT_BAUD: Final = 115_200
UNLIMITED: Final = 65_535
_LINE_LENGTH: Final = 128
"""Characters of one line on the wire: what Zephyr's console transport takes."""
_FRAME_OVERHEAD: Final = 4
"""Length and CRC, which lie in the server's buffer beside the message."""
_ONE_LINE: Final = 89
"""Bytes of a message that fits one line: for servers that do not tell their buffer."""
_SEQUENCE_AT: Final = 6
_MAX_LINE_BYTES: Final = 4096
_CONSOLE_LINES: Final = 200
_BUSY_PAUSE_S: Final = 0.02
_PORT_ERRORS: Final = (OSError, serialx.SerialException)
_QUIET: Final = encode_frame(protocol.encode(protocol.Command(protocol.MessageType.STOP))) + b"\n"
"""A sensor on the same wire shall stop streaming; to a plain console this is one bad line."""


class SerialTransport(SMPTransport):
    """One port. `console` holds the last lines of text that were no SMP; no message is longer than
    `longest` bytes."""

    def __init__(self, baud: int = DEFAULT_BAUD, longest: int = UNLIMITED) -> None:
        self._longest = longest
        self.console: deque[str] = deque(maxlen=_CONSOLE_LINES)
        self._baud = baud
        self._address = ""
        self._port: (
            tuple[asyncio.StreamReader, serialx.SerialStreamWriter[serialx.BaseSerialTransport]]
            | None
        ) = None
        self._pending = bytearray()

    async def connect(self, address: str, timeout_s: float) -> None:
        """Open the port. Raises OSError or SerialException when it cannot be had."""
        self._address = address
        self._pending.clear()
        deadline = time.monotonic() + timeout_s
        while self._port is None:
            try:
                self._port = await serialx.open_serial_connection(address, baudrate=self._baud)
            except OSError as error:
                # A driver that has just let go of the port closes it in the background.
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_BUSY_PAUSE_S)
        self._write(_QUIET)

    async def disconnect(self) -> None:
        """Close the port."""
        if self._port is not None:
            writer, self._port = self._port[1], None
            writer.close()
            with contextlib.suppress(*_PORT_ERRORS):
                await writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Send one SMP message."""
        self._write(b"".join(packet.encode(data, line_length=_LINE_LENGTH)))

    async def receive(self) -> bytes:
        """The next SMP message that arrives whole; whatever else arrives is skipped."""
        decoder = None
        while True:
            line = await self._next_line()
            start, going_on = (
                line.find(packet.START_DELIMITER),
                line.find(packet.CONTINUE_DELIMITER),
            )
            if start >= 0:
                decoder, line = packet.decode(), line[start:]
                next(decoder)
            elif going_on >= 0 and decoder is not None:
                line = line[going_on:]
            else:
                self._keep_text(line)
                continue
            try:
                decoder.send(line)
            except StopIteration as done:
                return bytes(done.value)
            except (SMPException, binascii.Error, ValueError, IndexError):
                decoder = None

    async def send_and_receive(self, data: bytes) -> bytes:
        """Send a request; the answer that has its sequence number."""
        await self.send(data)
        while True:
            answer = await self.receive()
            if len(answer) > _SEQUENCE_AT and answer[_SEQUENCE_AT] == data[_SEQUENCE_AT]:
                return answer

    @property
    def mtu(self) -> int:
        """Bytes of a line."""
        return _LINE_LENGTH

    @property
    def max_unencoded_size(self) -> int:
        """Longest message: what fills the server's buffer, once that is known."""
        if self._smp_server_transport_buffer_size is None:
            return _ONE_LINE
        return min(self._longest, self._smp_server_transport_buffer_size - _FRAME_OVERHEAD)

    async def listen(self) -> None:
        """Keep text until cancelled or the port is gone (SMPTransportDisconnected)."""
        while True:
            self._keep_text(await self._next_line())

    async def _next_line(self) -> bytes:
        while (end := self._pending.find(packet.END_DELIMITER)) < 0:
            # A sensor's frames may hold no newline for long.
            del self._pending[: max(0, len(self._pending) - _MAX_LINE_BYTES)]
            self._pending += await self._read()
        line = bytes(self._pending[: end + 1])
        del self._pending[: end + 1]
        return line

    async def _read(self) -> bytes:
        if self._port is None:
            raise SMPTransportDisconnected(f"{self._address} is not open")
        try:
            data = await self._port[0].read(65536)
        except _PORT_ERRORS as error:
            raise SMPTransportDisconnected(f"{self._address}: {error}") from error
        if not data:
            raise SMPTransportDisconnected(f"{self._address} was unplugged")
        return data

    def _write(self, data: bytes) -> None:
        if self._port is None:
            raise SMPTransportDisconnected(f"{self._address} is not open")
        try:
            self._port[1].write(data)
        except _PORT_ERRORS as error:
            raise SMPTransportDisconnected(f"{self._address}: {error}") from error

    def _keep_text(self, line: bytes) -> None:
        text = line.decode("ascii", errors="replace").strip()
        if text and text.isprintable() and "\ufffd" not in text:
            self.console.append(text)
