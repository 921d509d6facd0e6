"""A serial port (USB, UART or pty) or a TCP stream in its place, as bytes with a timeout."""

import asyncio
import contextlib
from typing import Final

import serialx

POLL_S: Final = 0.25
"""How often silence is reported: the tick interval of the stream contract."""
PORT_ERRORS: Final = (OSError, serialx.SerialException)


class Port:
    """An open port, one read and one kind of write."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: serialx.SerialStreamWriter[serialx.BaseSerialTransport],
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, path: str, baud: int) -> "Port":
        """Open a device's path, or `tcp://HOST:PORT`. Raises one of PORT_ERRORS."""
        reader, writer = await serialx.open_serial_connection(path, baudrate=baud)
        return cls(reader, writer)

    async def read(self, collect_s: float) -> bytes:
        """What has arrived after `collect_s`; empty after a quarter of a second of silence.
        Raises OSError when the port is gone."""
        transport = self._writer.transport
        transport.pause_reading()
        await asyncio.sleep(collect_s)
        transport.resume_reading()
        try:
            async with asyncio.timeout(max(0.0, POLL_S - collect_s)):
                data = await self._reader.read(65536)
        except TimeoutError:
            return b""
        if not data:
            raise OSError("the port was closed")
        return data

    def send(self, data: bytes) -> None:
        """Queue `data`."""
        if data:
            self._writer.write(data)

    async def close(self, parting: bytes = b"") -> None:
        """Let go; `parting` is sent first where the port still takes it."""
        with contextlib.suppress(*PORT_ERRORS):
            if parting:
                self._writer.write(parting)
                await asyncio.sleep(0)  # the transport writes at once what the kernel takes
            self._writer.close()


def why_not_open(path: str, error: Exception) -> str:
    """Words for a person."""
    if isinstance(error, FileNotFoundError):
        return f"{path}: no such port; is the board plugged in? (`ls /dev/serial/by-id`)"
    if isinstance(error, PermissionError):
        return f"{path}: permission denied; add this user to the group dialout and log in again"
    return f"{path}: cannot be opened: {error}"
