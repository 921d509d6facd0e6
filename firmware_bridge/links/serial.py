"""The own-protocol sensor on a serial port (USB, UART or pty), through unplugging and silence."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import serialx

from firmware_bridge import protocol
from firmware_bridge.errors import LinkError
from firmware_bridge.framing import encode_frame
from firmware_bridge.links.reconnect import Backoff
from firmware_bridge.session import SensorSession
from firmware_bridge.stream import StreamItem

DEFAULT_BAUD: Final = 921_600
_POLL_S: Final = 0.25
"""How often silence is reported: the tick interval of the stream contract."""
_HELLO_WITHIN_S: Final = 3.0
"""A board that resets when its port opens (Arduino style) boots in about two seconds."""
_ASK_AGAIN_S: Final = 1.0
_REOPEN_AFTER_S: Final = 8.0
"""Silence on an open port after which the port itself is suspected (USB stacks hang so)."""
_COLLECT_S: Final = 0.2
"""Bytes wait this long in the kernel before they are read together: five wake-ups a second instead
of one for each packet, for 200 ms of latency. 8 leads of 24 bit at 500 Hz make 2.5 kB in that time,
and the kernel's buffer for a tty holds 4 kB."""
_PORT_ERRORS: Final = (OSError, serialx.SerialException)


class SerialSensor:
    """Driver for one port. `path` may be a symlink that comes and goes (/dev/serial/by-id/...)."""

    def __init__(self, source: str, path: str, baud: int = DEFAULT_BAUD) -> None:
        self._path = path
        self._baud = baud
        self._session = SensorSession(source)
        self._bytes_seen = 0

    async def stream(self) -> AsyncIterator[StreamItem]:
        """Items of this sensor. Raises LinkError when it cannot be opened or does not answer."""
        backoff = Backoff()
        while True:
            try:
                port = await _Port.open(self._path, self._baud)
            except _PORT_ERRORS as error:
                if not self._session.is_open:
                    raise LinkError(_why_not_open(self._path, error)) from error
                async for item in self._wait(backoff.next_s()):
                    yield item
                continue
            reason = "unplugged"
            try:
                async for item in self._read(port):
                    backoff.reset()
                    yield item
                reason = f"no data for {_REOPEN_AFTER_S:.0f} s, reopening the port"
            except _PORT_ERRORS:
                pass  # told to the stream just below, as the link's state
            finally:
                port.close()
            for item in self._session.link_lost(_now_ns(), reason):
                yield item

    async def _read(self, port: "_Port") -> AsyncIterator[StreamItem]:
        """Until the port fails (raises) or stays silent for too long (returns)."""
        port.send(protocol.MessageType.START)
        opened_at = last_data_at = asked_at = time.monotonic()
        while True:
            # The greeting is not waited for longer than it takes.
            data = await port.read(_COLLECT_S if self._session.is_open else 0.0)
            now = time.monotonic()
            if data:
                last_data_at = now
                self._bytes_seen += len(data)
                for item in self._session.feed(data, _now_ns()):
                    yield item
            else:
                for item in self._session.silence(_now_ns()):
                    yield item
            if not self._session.is_open and now - opened_at > _HELLO_WITHIN_S:
                raise LinkError(self._why_no_hello())
            silent = now - last_data_at
            if silent > _REOPEN_AFTER_S:
                return
            if (
                silent > _ASK_AGAIN_S or not self._session.is_open
            ) and now - asked_at > _ASK_AGAIN_S:
                asked_at = now
                port.send(protocol.MessageType.START)

    async def _wait(self, seconds: float) -> AsyncIterator[StreamItem]:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _POLL_S))
            for item in self._session.silence(_now_ns()):
                yield item

    def _why_no_hello(self) -> str:
        if self._bytes_seen == 0:
            return (
                f"{self._path}: open, but nothing arrives in {_HELLO_WITHIN_S:.0f} s; "
                f"is the sensor powered and its transmit line connected?"
            )
        return (
            f"{self._path}: {self._bytes_seen} bytes arrived, but no greeting of an ecg-edge "
            f"sensor; check the baud rate ({self._baud}) and that this is the right port"
        )


class _Port:
    """A serial port as asyncio streams, one read and one kind of write."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: serialx.SerialStreamWriter[serialx.BaseSerialTransport],
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, path: str, baud: int) -> "_Port":
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
            async with asyncio.timeout(_POLL_S - collect_s):
                data = await self._reader.read(65536)
        except TimeoutError:
            return b""
        if not data:
            raise OSError("the port was closed")
        return data

    def send(self, command: protocol.MessageType) -> None:
        self._writer.write(encode_frame(protocol.encode(protocol.Command(command))))

    def close(self) -> None:
        self._writer.close()


def _now_ns() -> int:
    return time.monotonic_ns()


def _why_not_open(path: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: no such port; is the board plugged in? (`ls /dev/serial/by-id`)"
    if isinstance(error, PermissionError):
        return f"{path}: permission denied; add this user to the group dialout and log in again"
    return f"{path}: cannot be opened: {error}"
