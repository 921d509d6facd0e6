"""A strap over Bluetooth Low Energy, through lost links, silence and restarts of the radio.

Links die at night without a callback: so a link whose data stop for three seconds is taken for dead
whatever the radio says, let go and made anew. The device is always told to stop measuring, where
it can still be told.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from firmware_bridge.errors import BridgeError, LinkError, ProtocolError
from firmware_bridge.links.conversing import Conversation
from firmware_bridge.links.gatt import Connection, Line, Radio, Wanted, device_information
from firmware_bridge.links.reconnect import Backoff
from firmware_bridge.links.strap_families import FAMILIES, family_of
from firmware_bridge.stream import StreamItem

_POLL_S: Final = 0.25
"""How often silence is reported: the tick interval of the stream contract."""
_MOST_WAITING: Final = 4096
"""Notifications kept for a reader that is late: half a minute of the busiest strap."""


@dataclass(frozen=True, slots=True)
class Patience:
    """`no_data_s`: the longest packet of a strap lasts 0.6 s and radios repeat for a second or
    two; silence is to be told within three. `leave_s` is how long stop and disconnect may take
    before the radio is left alone."""

    no_data_s: float = 2.9
    leave_s: float = 3.0


@dataclass(frozen=True, slots=True)
class _Notified:
    characteristic: str
    value: bytes
    host_ns: int


@dataclass(frozen=True, slots=True)
class _Lost:
    reason: str
    host_ns: int


_Entry = _Notified | _Lost | list[StreamItem] | BaseException


class BleSensor:
    """Driver for one strap.

    Args:
        source: its name in the configuration.
        address: Bluetooth address.
        radio: what connects.
        family: a key of `strap_families.FAMILIES`, or "auto": by what the device offers.
        serial: the Device Information serial pinned at pairing; another is refused.
        rate_hz: sampling rate, None for the family's own choice.
        accelerometer_hz: rate of the strap's accelerometer, None to leave it off.
    """

    def __init__(
        self,
        source: str,
        address: str,
        radio: Radio,
        *,
        family: str = "auto",
        serial: str | None = None,
        rate_hz: int | None = None,
        accelerometer_hz: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._wanted = Wanted(source, rate_hz, accelerometer_hz)
        self._address = address
        self._radio = radio
        self._family = family
        self._serial = serial
        self._patience = patience or Patience()
        self._conversation: Conversation | None = None
        self._inbox: asyncio.Queue[_Entry] = asyncio.Queue()
        self._silence_at_s = 0.0
        self._backoff = Backoff(jitter=0.25)
        self._data_at_s = 0.0
        self._is_open = False

    async def stream(self) -> AsyncIterator[StreamItem]:
        """Items of this strap. Raises LinkError before it was reached for the first time,
        ProtocolError when another device answers, UsageError when a person must act."""
        link = asyncio.create_task(self._keep_connected())
        link.add_done_callback(self._link_ended)
        try:
            while True:
                for item in await self._next():
                    yield item
        finally:
            link.cancel()
            await asyncio.wait({link})

    async def _next(self) -> list[StreamItem]:
        """Items of what comes next; of silence, asked for at a steady pace.

        What comes does not put the question off: a strap that is looked for in vain says so again
        and again, and its ticks are due all the same.
        """
        try:
            async with asyncio.timeout_at(self._silence_at_s):
                entry = await self._inbox.get()
        except TimeoutError:
            self._silence_at_s = asyncio.get_running_loop().time() + _POLL_S
            return self._talking.silence(time.monotonic_ns()) if self._is_open else []
        match entry:
            case _Notified():
                return self._talking.take(entry.characteristic, entry.value, entry.host_ns)
            case _Lost():
                return self._talking.link_lost(entry.host_ns, entry.reason)
            case BaseException():
                raise entry
            case items:
                return items

    @property
    def _talking(self) -> Conversation:
        assert self._conversation is not None
        return self._conversation

    def _link_ended(self, link: "asyncio.Task[None]") -> None:
        error = None if link.cancelled() else link.exception()
        if error is not None:
            self._inbox.put_nowait(error)

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._connection()
            except LinkError as error:
                self._tell_lost(error)
            await asyncio.sleep(self._backoff.next_s())

    async def _connection(self) -> None:
        """Connect and stream until the link is lost or falls silent."""
        lost = asyncio.Event()
        line = Line(self._notified)
        connection = await self._radio.connect(self._address, line.notified, lost.set)
        line.attach(connection)
        try:
            conversation = await self._prepare(line)
            await conversation.start(line)
            await self._until_silent(lost)
        except LinkError as error:
            self._tell_lost(error)  # before it is left, which may take seconds
        finally:
            line.close()
            await self._leave(line, connection, lost)

    def _tell_lost(self, error: LinkError) -> None:
        if not self._is_open:
            raise error
        self._inbox.put_nowait(_Lost(str(error), time.monotonic_ns()))

    async def _prepare(self, line: Line) -> Conversation:
        info = await device_information(line)
        if self._serial is None:
            self._serial = info.serial or None
        elif info.serial != self._serial:
            raise ProtocolError(
                f"another device answers at {self._address}: serial {info.serial or 'unknown'} "
                f"instead of {self._serial}; if you replaced the strap, pair it anew"
            )
        if self._conversation is None:
            family = self._family
            if family == "auto":
                family = family_of(line.connection.characteristics)
            self._conversation = FAMILIES[family](self._wanted)
        self._inbox.put_nowait(await self._conversation.prepare(line, info))
        self._is_open = True
        return self._conversation

    async def _until_silent(self, lost: asyncio.Event) -> None:
        """Raises LinkError when the link is lost or its data have stopped."""
        loop = asyncio.get_running_loop()
        self._data_at_s = loop.time()
        while True:
            left_s = self._data_at_s + self._patience.no_data_s - loop.time()
            if left_s <= 0:
                raise LinkError(f"no data for {self._patience.no_data_s:.0f} s, connecting anew")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await lost.wait()
                    raise LinkError("the link was lost")

    async def _leave(self, line: Line, connection: Connection, lost: asyncio.Event) -> None:
        """Stop the measurement and let go; what cannot be told any more is not waited for."""
        if self._conversation is not None and not lost.is_set():
            with contextlib.suppress(BridgeError, TimeoutError):
                async with asyncio.timeout(self._patience.leave_s):
                    await self._conversation.stop(line)
        with contextlib.suppress(LinkError, TimeoutError):
            async with asyncio.timeout(self._patience.leave_s):
                await connection.disconnect()

    def _notified(self, characteristic: str, value: bytes) -> None:
        conversation = self._conversation
        if not self._is_open or conversation is None:
            return  # nothing can be placed before StreamOpened
        if conversation.is_flow(characteristic, value):
            self._data_at_s = asyncio.get_running_loop().time()
            self._backoff.reset()
        if self._inbox.qsize() < _MOST_WAITING:  # beyond it the stamps tell what was lost
            self._inbox.put_nowait(_Notified(characteristic, value, time.monotonic_ns()))
