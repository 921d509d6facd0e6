"""An emulated strap as a Bluetooth peripheral: what all have, and how they misbehave on demand.

By itself it is a plain heart rate strap. Notifications are lost or sent twice, it falls silent
while the link stays up, loses the link, or reboots with its clock reset.
"""

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from bumble import hci
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service

from firmware_bridge.simulator.ble.guard import Guard
from firmware_bridge.simulator.ble.worn import Worn
from firmware_bridge.simulator.faults import Faults, FaultyLine

_READABLE: Final = Characteristic.READABLE
_READ: Final = Characteristic.Properties.READ
_NOTIFY: Final = Characteristic.Properties.NOTIFY
_ADVERTISE_MS: Final = 100
_STEP_S: Final = 0.05
_REBOOT_S: Final = 2.0
_HELD_PACKETS: Final = 32
"""What a strap keeps while its radio is silent."""
_RR_PER_SECOND: Final = 1024
_MOST_RR: Final = 0xFFFF
_SUPERVISION_TIMEOUT: Final = 0x08
_SERVICE_LISTS: Final = {
    2: AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    16: AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
}
"""By the length of the UUID."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the strap calls itself. `passkey` is printed on it; None: it pairs with anybody."""

    address: str
    name: str
    manufacturer: str
    model: str
    serial: str
    mtu: int
    passkey: int | None = None


class EmulatedStrap:
    """What all straps have: advertising, device information, battery, heart rate, faults.

    Times of `faults` and `reboots` count from `start`.
    """

    _ADVERTISED: ClassVar[UUID] = UUID("180D")
    _BATTERY_PERCENT: ClassVar[int] = 87

    def __init__(
        self,
        device: Device,
        identity: Identity,
        worn: Worn,
        faults: Faults,
        reboots: tuple[float, ...] = (),
        seed: int = 1,
    ) -> None:
        self.commands: list[bytes] = []
        """What clients have written, for tests."""
        self._device = device
        self._identity = identity
        self._worn = worn
        self._faults = faults
        self._away = faults.unplugs + tuple((at_s, _REBOOT_S) for at_s in reboots)
        self._reboots = sorted(reboots)
        self._seed = seed
        self._lines: dict[Characteristic[bytes], FaultyLine] = {}
        self._began_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._streaming: asyncio.Task[None] | None = None
        self._held: list[tuple[Connection, Characteristic[bytes], bytes]] = []
        self._measurement = Characteristic("2A37", _NOTIFY, _READABLE, b"")
        self._battery = Characteristic(
            "2A19", _READ | _NOTIFY, _READABLE, bytes((self._BATTERY_PERCENT,))
        )
        self.guard = Guard(device, identity.passkey)
        device.gatt_server.max_mtu = identity.mtu
        device.add_services([*self._common_services(), *self._services()])
        device.on("connection", self._connected)

    async def start(self) -> None:
        """Put it on: it advertises until it is connected, and again afterwards."""
        self._began_s = asyncio.get_running_loop().time()
        await self._device.power_on()
        await self._advertise()
        self._run(self._live())

    async def stop(self) -> None:
        """Take it off."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._device.power_off()

    def _services(self) -> list[Service]:
        """Those of the family."""
        position = Characteristic("2A38", _READ, _READABLE, b"\x01")
        return [Service("180D", [self._measurement, position])]

    async def _attend(self, connection: Connection) -> None:
        """What it does by itself while it is connected."""
        await self._report_heart_rate(connection)

    def _rebooted(self) -> None:
        """The strap's clock begins anew."""

    def _common_services(self) -> list[Service]:
        def text(uuid: str, value: str) -> Characteristic[bytes]:
            return Characteristic(uuid, _READ, _READABLE, value.encode())

        identity = self._identity
        return [
            Service("180F", [self._battery]),
            Service(
                "180A",
                [
                    text("2A29", identity.manufacturer),
                    text("2A24", identity.model),
                    text("2A25", identity.serial),
                    text("2A26", "1.0.0"),
                ],
            ),
        ]

    # The link.

    async def _advertise(self) -> None:
        # bumble's controller answers scan requests with the advertising data again, so the name
        # goes into these.
        service = bytes(self._ADVERTISED)
        data = AdvertisingData(
            [
                (AdvertisingData.FLAGS, b"\x06"),
                (_SERVICE_LISTS[len(service)], service),
                (AdvertisingData.COMPLETE_LOCAL_NAME, self._identity.name.encode()),
            ]
        )
        await self._device.start_advertising(
            advertising_data=bytes(data),
            auto_restart=True,
            advertising_interval_min=_ADVERTISE_MS,
            advertising_interval_max=_ADVERTISE_MS,
        )

    def _connected(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _reason: self._end_streaming())
        self._run(self._attend(connection))

    async def _live(self) -> None:
        """Leave and come back as the faults say."""
        is_away = False
        while True:
            await asyncio.sleep(_STEP_S)
            now_s = self._elapsed_s()
            if self._reboots and now_s >= self._reboots[0]:
                self._reboots.pop(0)
                self._rebooted()
            away = any(at_s <= now_s < at_s + length_s for at_s, length_s in self._away)
            if away and not is_away:
                await self.leave()
            elif is_away and not away:
                await self.come_back()
            is_away = away

    def misbehave(self, faults: Faults) -> None:
        """From now on these are its faults."""
        self._faults = faults
        for line in self._lines.values():
            line.faults = faults

    async def reboot(self) -> None:
        """Lose the link and begin with the clock reset; it takes a moment."""
        self._rebooted()
        await self.leave()
        await asyncio.sleep(_REBOOT_S)
        await self.come_back()

    def fall_silent(self) -> None:
        """Send nothing more over this link, which stays up; the next one is well."""
        self._end_streaming()

    async def come_back(self) -> None:
        """Within reach again."""
        await self._advertise()

    async def leave(self) -> None:
        """Out of reach: the link is lost."""
        self._end_streaming()
        await self._device.stop_advertising()
        for connection in list(self._device.connections.values()):
            with contextlib.suppress(hci.HCI_Error, TimeoutError):
                await connection.disconnect(reason=_SUPERVISION_TIMEOUT)
        # A link that ends starts the advertising again by itself.
        await self._device.stop_advertising()

    async def _send(
        self, connection: Connection, characteristic: Characteristic[bytes], value: bytes
    ) -> None:
        """Notify, unless the faults will have it otherwise."""
        if self._faults.is_stalled(self._elapsed_s()):
            self._held.append((connection, characteristic, value))
            del self._held[:-_HELD_PACKETS]
            return
        held, self._held = self._held, []
        for connection_, characteristic_, value_ in (*held, (connection, characteristic, value)):
            for arrives in self._line(characteristic_).pass_on(value_):
                await self._device.notify_subscriber(connection_, characteristic_, arrives)

    def _line(self, characteristic: Characteristic[bytes]) -> FaultyLine:
        if characteristic not in self._lines:
            self._lines[characteristic] = FaultyLine(self._faults, self._seed + len(self._lines))
        return self._lines[characteristic]

    @property
    def injected(self) -> Counter[str]:
        """How often what was done to notifications."""
        return sum((line.injected for line in self._lines.values()), Counter[str]())

    # Measuring.

    async def _report_heart_rate(self, connection: Connection) -> None:
        """Once a second: rate, contact, and the intervals that have ended."""
        told_s = self._elapsed_s()
        last: float | None = None
        while connection.handle in self._device.connections:
            await asyncio.sleep(1.0)
            now_s = self._elapsed_s()
            beats = self._worn.beats_s(told_s, now_s)
            told_s = now_s
            intervals: list[int] = []
            for beat in beats:
                if last is not None:
                    intervals.append(min(round((beat - last) * _RR_PER_SECOND), _MOST_RR))
                last = beat
            has_contact = self._worn.has_contact(now_s)
            if not has_contact:
                last, intervals = None, []
            flags = 0x04 | (0x02 if has_contact else 0) | (0x10 if intervals else 0)
            rate = round(60 * _RR_PER_SECOND / np.mean(intervals)) if intervals else 0
            value = struct.pack(f"<BB{len(intervals)}H", flags, min(rate, 255), *intervals)
            await self._send(connection, self._measurement, value)

    def _start_streaming(self, work: Coroutine[Any, Any, None]) -> None:
        self._end_streaming()
        self._streaming = self._run(work)

    def _end_streaming(self) -> None:
        self._held.clear()
        for line in self._lines.values():
            line.begin_anew()
        if self._streaming is not None:
            self._streaming.cancel()
            self._streaming = None

    async def _packets(self, rate_hz: int, n: int, send: Callable[[int], Awaitable[None]]) -> None:
        """Calls `send(first)` when samples `first` to `first + n` have been taken, for ever."""
        first = self._worn.count_at(rate_hz, self._elapsed_s())
        while True:
            wait_s = self._worn.time_of(rate_hz, first + n) - self._elapsed_s()
            await asyncio.sleep(max(0.0, wait_s))
            await send(first)
            first += n

    def _elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    def _run(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
