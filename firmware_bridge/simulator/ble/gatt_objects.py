"""The GATT side of the emulated org.bluez: services and characteristics of connected devices."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bumble import att
from bumble.device import Connection as RadioConnection
from bumble.device import Peer
from bumble.gatt_client import CharacteristicProxy
from dbus_fast import Message, Variant

from firmware_bridge.simulator.ble.object_tree import BusError, ObjectTree, Reply
from firmware_bridge.simulator.ble.radio import long_uuid

SERVICE: Final = "org.bluez.GattService1"
CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
DESCRIPTOR: Final = "org.bluez.GattDescriptor1"
_MTU: Final = 247
"""bumble drops writes above 512 bytes; phones and BlueZ agree on about this much."""
_FLAGS: Final = (
    (2, "read"),
    (8, "write"),
    (4, "write-without-response"),
    (16, "notify"),
    (32, "indicate"),
)
_HIDDEN: Final = "00001800-0000-1000-8000-00805f9b34fb"
"""Generic Access: BlueZ keeps it to itself."""


@dataclass(slots=True)
class _Notifying:
    """A characteristic that somebody listens to; `pipe` where it is acquired."""

    subscriber: Callable[[bytes], None]
    pipe: socket.socket | None = None


class GattObjects:
    """What connected devices offer, as objects in `tree`; bytes go to the devices and back."""

    def __init__(self, tree: ObjectTree) -> None:
        self._tree = tree
        self._characteristics: dict[str, CharacteristicProxy[bytes]] = {}
        self._mtu: dict[str, int] = {}
        self._notifying: dict[str, _Notifying] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self.answers: dict[tuple[str, str], Callable[[Message], Any]] = {
            (CHARACTERISTIC, "ReadValue"): self._read,
            (CHARACTERISTIC, "WriteValue"): self._write,
            (CHARACTERISTIC, "StartNotify"): self._start_notify,
            (CHARACTERISTIC, "StopNotify"): self._stop_notify,
            (CHARACTERISTIC, "AcquireNotify"): self._acquire_notify,
            (DESCRIPTOR, "ReadValue"): self._read_descriptor,
        }
        """Coroutine functions by interface and member."""

    async def discover(self, path: str, connection: RadioConnection) -> list[str]:
        """Add what the device at `path` offers; the UUIDs of its services."""
        peer = Peer(connection)
        await peer.request_mtu(_MTU)
        await peer.discover_services()
        for service in peer.services:
            if long_uuid(service.uuid) == _HIDDEN:
                continue
            at = f"{path}/service{service.handle:04x}"
            properties = {
                "UUID": Variant("s", long_uuid(service.uuid)),
                "Primary": Variant("b", True),
                "Device": Variant("o", path),
                "Includes": Variant("ao", []),
            }
            self._tree.add(at, SERVICE, properties)
            for characteristic in await service.discover_characteristics():
                await self._add_characteristic(at, characteristic, connection.att_mtu)
        return [long_uuid(service.uuid) for service in peer.services]

    async def _add_characteristic(
        self, service: str, characteristic: CharacteristicProxy[bytes], mtu: int
    ) -> None:
        path = f"{service}/char{characteristic.handle - 1:04x}"
        self._characteristics[path] = characteristic
        self._mtu[path] = mtu
        flags = [name for bit, name in _FLAGS if characteristic.properties & bit]
        properties = {
            "UUID": Variant("s", long_uuid(characteristic.uuid)),
            "Service": Variant("o", service),
            "Value": Variant("ay", b""),
            "Flags": Variant("as", flags),
            "MTU": Variant("q", mtu),
        }
        if "notify" in flags or "indicate" in flags:
            properties["Notifying"] = Variant("b", False)
        if "notify" in flags:
            properties["NotifyAcquired"] = Variant("b", False)
        self._tree.add(path, CHARACTERISTIC, properties)
        for descriptor in await characteristic.discover_descriptors():
            properties = {
                "UUID": Variant("s", long_uuid(descriptor.type)),
                "Characteristic": Variant("o", path),
                "Value": Variant("ay", b""),
                "Flags": Variant("as", []),
            }
            self._tree.add(f"{path}/desc{descriptor.handle:04x}", DESCRIPTOR, properties)

    def drop(self, path: str) -> None:
        """The device at `path` is gone."""
        for under in self._tree.below(path):
            self._end_notifying(under)
            self._characteristics.pop(under, None)
            self._mtu.pop(under, None)
            self._tree.remove(under)

    def _characteristic(self, message: Message) -> CharacteristicProxy[bytes]:
        if message.path not in self._characteristics:
            raise BusError("org.bluez.Error.Failed", "Not connected")
        return self._characteristics[message.path]

    async def _read(self, message: Message) -> Reply:
        return "ay", [bytes(await self._characteristic(message).read_value())], []

    async def _read_descriptor(self, _message: Message) -> Reply:
        return "ay", [b""], []

    async def _write(self, message: Message) -> None:
        kind = message.body[1].get("type")
        with_response = kind is None or kind.value != "command"
        characteristic = self._characteristic(message)
        await characteristic.write_value(bytes(message.body[0]), with_response=with_response)

    async def _start_notify(self, message: Message) -> None:
        path, characteristic = message.path or "", self._characteristic(message)
        if path in self._notifying:
            raise BusError("org.bluez.Error.InProgress")

        def came(value: bytes) -> None:
            self._tree.change(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        self._notifying[path] = _Notifying(came)
        try:
            await characteristic.subscribe(came, prefer_notify=True)
        except att.ATT_Error:
            del self._notifying[path]
            raise
        self._tree.change(path, CHARACTERISTIC, Notifying=Variant("b", True))

    async def _stop_notify(self, message: Message) -> None:
        path, characteristic = message.path or "", self._characteristic(message)
        subscriber = self._end_notifying(path)
        if subscriber is not None:
            await characteristic.unsubscribe(subscriber)
            self._tree.change(path, CHARACTERISTIC, Notifying=Variant("b", False))

    async def _acquire_notify(self, message: Message) -> Reply:
        path, characteristic = message.path or "", self._characteristic(message)
        if path in self._notifying:
            raise BusError("org.bluez.Error.NotPermitted", "Notify acquired")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)

        def came(value: bytes) -> None:
            try:
                ours.send(bytes(value))
            except OSError:
                return  # a client that does not read loses notifications, as with BlueZ

        def readable() -> None:
            if not _is_open(ours):
                self._end_notifying(path)
                leaving = loop.create_task(_unsubscribed(characteristic, came))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

        loop = asyncio.get_running_loop()
        self._notifying[path] = _Notifying(came, ours)
        try:
            await characteristic.subscribe(came, prefer_notify=True)
        except att.ATT_Error:
            del self._notifying[path]
            ours.close()
            theirs.close()
            raise
        loop.add_reader(ours, readable)
        return "hq", [0, self._mtu[path]], [theirs.detach()]

    def _end_notifying(self, path: str) -> Callable[[bytes], None] | None:
        notifying = self._notifying.pop(path, None)
        if notifying is None:
            return None
        if notifying.pipe is not None:
            asyncio.get_running_loop().remove_reader(notifying.pipe)
            notifying.pipe.close()
        return notifying.subscriber


async def _unsubscribed(
    characteristic: CharacteristicProxy[bytes], subscriber: Callable[[bytes], None]
) -> None:
    try:
        await characteristic.unsubscribe(subscriber)
    except Exception:  # noqa: BLE001 - the link may be down by now: then it is done
        return


def _is_open(pipe: socket.socket) -> bool:
    try:
        return pipe.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
