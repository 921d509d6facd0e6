"""bleak as the radio: BlueZ's devices."""

import asyncio
import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.args.bluez import BlueZAdapterArgs, BlueZScannerArgs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice

from firmware_bridge.errors import LinkError
from firmware_bridge.links.device_lock import DeviceLock
from firmware_bridge.links.gatt import Notified
from firmware_bridge.links.reasons import BLUETOOTH_ERRORS, LOST_BOND, NOT_SEEN, reason
from firmware_bridge.straps import heart_rate, movesense_gsp, own_service, polar_pmd

_SEEN_WITHIN_S: Final = 10.0
"""Straps advertise at least every two seconds; BlueZ reports a device a few seconds later."""
_TURNS: Final = 4
_CONNECTED_WITHIN_S: Final = 10.0
_SERVICES: Final = (
    own_service.SERVICE,
    heart_rate.SERVICE,
    polar_pmd.SERVICE,
    movesense_gsp.SERVICE,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A device that advertises. `services` are UUIDs, lower case, 128 bits."""

    address: str
    name: str
    rssi_dbm: int
    services: tuple[str, ...]


class BleakRadio:
    """The system's Bluetooth. `adapter` is BlueZ's name of it (hci0), None for its default."""

    def __init__(self, adapter: str | None = None) -> None:
        self._bluez: BlueZAdapterArgs = {"adapter": adapter} if adapter else {}
        self._is_first = True

    async def connect(
        self, address: str, notified: Notified, lost: Callable[[], None]
    ) -> "BleakConnection":
        """Connected to `address`. Raises LinkError."""
        lock = DeviceLock(address, scope())
        connection = None
        try:
            connection = await self._connection(address, notified, lost, lock)
        finally:
            if connection is None:
                lock.release()
        return connection

    async def _connection(
        self, address: str, notified: Notified, lost: Callable[[], None], lock: DeviceLock
    ) -> "BleakConnection":
        device = None
        try:
            device = await self._find(address)
            if device is None:
                raise LinkError(f"{address} {NOT_SEEN}")
            client = BleakClient(device, lambda _: lost(), timeout=_CONNECTED_WITHIN_S)
            async with _turn():
                await client.connect()
            return BleakConnection(client, notified, lock)
        except BLUETOOTH_ERRORS as error:
            or_else = f", or {LOST_BOND}" if device is not None and _is_bonded(device) else ""
            raise LinkError(f"{address}: {reason(error)}{or_else}") from error

    async def scan(self, seconds: float) -> list[Seen]:
        """What advertises a strap's service within `seconds`, the strongest first.

        Raises LinkError.
        """
        try:
            async with _turn():
                found = await BleakScanner.discover(
                    timeout=seconds,
                    return_adv=True,
                    service_uuids=list(_SERVICES),
                    bluez=self._scanning(),
                )
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error
        seen = [
            Seen(device.address, device.name or "", data.rssi, tuple(sorted({*data.service_uuids})))
            for device, data in found.values()
        ]
        return sorted(seen, key=lambda one: -one.rssi_dbm)

    async def _find(self, address: str) -> BLEDevice | None:
        """Among what advertises or is connected already: a daemon that was killed leaves it so,
        and what is connected does not advertise.

        Later on what advertises comes first: bleak goes on to believe in the connections of a
        bluetoothd that was killed.
        """
        is_first, self._is_first = self._is_first, False
        if is_first and (connected := await self._find_connected(address)):
            return connected
        for _ in range(_TURNS):
            async with _turn():
                seen = await BleakScanner.find_device_by_address(
                    address, timeout=_SEEN_WITHIN_S / _TURNS, bluez=self._scanning()
                )
            if seen is not None:
                return seen
        return await self._find_connected(address)

    async def _find_connected(self, address: str) -> BLEDevice | None:
        adapter = await BleakAdapter.get(bluez=self._bluez)
        for device in await adapter.get_connected_devices([*_SERVICES, "1801"]):
            if device.address.upper() == address.upper():
                return device
        return None

    def _scanning(self) -> BlueZScannerArgs:
        return {"adapter": self._bluez["adapter"]} if self._bluez else {}


class BleakConnection:
    """A connected device, as `links.gatt.Connection`."""

    def __init__(self, client: BleakClient, notified: Notified, lock: DeviceLock) -> None:
        self._client = client
        self._lock = lock
        self._notified = notified
        found = client.services.characteristics.values()
        self.characteristics = frozenset(one.uuid.lower() for one in found)
        self.notifying = frozenset(
            one.uuid.lower() for one in found if {"notify", "indicate"} & {*one.properties}
        )

    async def read(self, characteristic: str) -> bytes:
        """Its value."""
        try:
            return bytes(await self._client.read_gatt_char(characteristic))
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error

    async def write(self, characteristic: str, value: bytes) -> None:
        """Write and wait until the device has it."""
        try:
            await self._client.write_gatt_char(characteristic, value, response=True)
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error

    async def send(self, characteristic: str, value: bytes) -> None:
        """Write without waiting for an answer; at most `most_bytes`."""
        try:
            await self._client.write_gatt_char(characteristic, value, response=False)
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error

    def most_bytes(self, characteristic: str) -> int:
        """How many bytes one `send` takes."""
        found = self._client.services.get_characteristic(characteristic)
        return 20 if found is None else found.max_write_without_response_size

    async def subscribe(self, characteristic: str) -> None:
        """From now on its notifications come."""

        def came(sender: BleakGATTCharacteristic, value: bytearray) -> None:
            self._notified(sender.uuid.lower(), bytes(value))

        try:
            await self._client.start_notify(characteristic, came)
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error

    async def disconnect(self) -> None:
        """Let the device go."""
        try:
            await self._client.disconnect()
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error
        finally:
            self._lock.release()


def scope() -> str:
    """Which Bluetooth: that of the system's bus, or that of the bus which stands in for it."""
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "system")


def _is_bonded(device: BLEDevice) -> bool:
    return bool(device.details.get("props", {}).get("Bonded", False))


def _turn() -> asyncio.Lock:
    """A program has one scan, and a radio makes one connection at a time. Who looks for a strap
    takes turns with who looks for another, so that one that stays away holds up nobody for long."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


_turns: Final[MutableMapping[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()
