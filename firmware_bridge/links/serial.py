"""A device on a serial port, through unplugging and silence."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from firmware_bridge import protocol
from firmware_bridge.errors import LinkError
from firmware_bridge.framing import encode_frame
from firmware_bridge.links.conversation import Conversation, Patience
from firmware_bridge.links.port import POLL_S, PORT_ERRORS, Port, why_not_open
from firmware_bridge.links.reconnect import Backoff
from firmware_bridge.session import SensorSession
from firmware_bridge.stream import StreamItem

DEFAULT_BAUD: Final = 921_600
_COLLECT_S: Final = 0.2
"""Bytes wait this long in the kernel before they are read together: five wake-ups a second instead
of one for each packet, for 200 ms of latency."""
_COLLECT_BYTES: Final = 2048
"""A busier device is read sooner: the kernel's buffer for a tty holds 4 kB, and more than these in
one read say that it fills."""


class SerialDevice:
    """Driver for one port and the `conversation` that is held there. `path` may be a symlink that
    comes and goes (/dev/serial/by-id/...)."""

    def __init__(self, path: str, baud: int, conversation: Conversation) -> None:
        self._path = path
        self._baud = baud
        self._talk = conversation
        self._bytes_seen = 0
        self._collect_s = _COLLECT_S

    async def stream(self) -> AsyncIterator[StreamItem]:
        """Items of this device. Raises LinkError when it cannot be opened or does not answer."""
        backoff = Backoff()
        while True:
            try:
                port = await Port.open(self._path, self._baud)
            except PORT_ERRORS as error:
                if not self._talk.is_open:
                    raise LinkError(why_not_open(self._path, error)) from error
                async for item in self._wait(backoff.next_s()):
                    yield item
                continue
            reason = "unplugged"
            try:
                async for item in self._read(port):
                    backoff.reset()
                    yield item
                silent_s = self._talk.patience.reopen_after_s
                reason = f"no data for {silent_s:.1f} s, reopening the port"
            except PORT_ERRORS:
                pass  # told to the stream just below, as the link's state
            finally:
                await port.close(self._talk.closing())
            for item in self._talk.link_lost(_now_ns(), reason):
                yield item

    async def _read(self, port: Port) -> AsyncIterator[StreamItem]:
        """Until the port fails (raises) or stays silent for too long (returns)."""
        talk = self._talk
        patience = talk.patience
        port.send(talk.opening())
        opened_at = last_data_at = asked_at = time.monotonic()
        while True:
            # The greeting is not waited for longer than it takes.
            data = await port.read(self._collect_s if talk.is_open else 0.0)
            now = time.monotonic()
            if data:
                self._collect_s = _collect_s(len(data), now - last_data_at)
                last_data_at = now
                self._bytes_seen += len(data)
                items = talk.feed(data, _now_ns())
                port.send(talk.reply())
            else:
                items = talk.silence(_now_ns())
            for item in items:
                yield item
            if not talk.is_open and now - opened_at > patience.hello_within_s:
                raise LinkError(f"{self._path}: {talk.stranger(self._bytes_seen, self._baud)}")
            silent_s = now - last_data_at
            if silent_s > patience.reopen_after_s:
                return
            is_due = silent_s > patience.ask_again_s or not talk.is_open
            if is_due and now - asked_at > patience.ask_again_s:
                asked_at = now
                port.send(talk.prompt())

    async def _wait(self, seconds: float) -> AsyncIterator[StreamItem]:
        """For so long, or until the port is there again: it is seen without being touched."""
        until, was_there = time.monotonic() + seconds, Path(self._path).exists()
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, POLL_S))
            if not was_there and Path(self._path).exists():
                return
            for item in self._talk.silence(_now_ns()):
                yield item


class SerialSensor(SerialDevice):
    """Driver for a sensor that speaks the own protocol."""

    def __init__(
        self,
        source: str,
        path: str,
        baud: int = DEFAULT_BAUD,
        *,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(path, baud, OwnProtocol(source, patience or Patience()))


class OwnProtocol:
    """The `Conversation` with a sensor of the own protocol."""

    def __init__(self, source: str, patience: Patience) -> None:
        self.patience = patience
        self._session = SensorSession(source)
        self.feed = self._session.feed
        self.silence = self._session.silence
        self.link_lost = self._session.link_lost

    @property
    def is_open(self) -> bool:
        """True once the sensor has said what it is."""
        return self._session.is_open

    def opening(self) -> bytes:
        """START, which is answered by HELLO and begins the stream."""
        return encode_frame(protocol.encode(protocol.Command(protocol.MessageType.START)))

    def prompt(self) -> bytes:
        """START again."""
        return self.opening()

    def reply(self) -> bytes:
        """Nothing is ever answered."""
        return b""

    def closing(self) -> bytes:
        """Nothing: another reader of the same sensor may go on."""
        return b""

    def stranger(self, n_bytes: int, baud: int) -> str:
        """Why it has not opened."""
        if n_bytes == 0:
            return (
                f"open, but nothing arrives in {self.patience.hello_within_s:.0f} s; "
                f"is the sensor powered and its transmit line connected?"
            )
        return (
            f"{n_bytes} bytes arrived, but no greeting of an ecg-edge sensor; check the baud rate "
            f"({baud}) and that this is the right port"
        )


def _collect_s(n_bytes: int, within_s: float) -> float:
    """How long to wait for the next bytes, when `n_bytes` came within `within_s`."""
    return min(_COLLECT_S, within_s * _COLLECT_BYTES / n_bytes)


def _now_ns() -> int:
    return time.monotonic_ns()
