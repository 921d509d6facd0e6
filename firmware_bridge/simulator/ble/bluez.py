"""An org.bluez service whose radio is a Bluetooth stack in software (Google's bumble).

It shows on its bus what a real bluetoothd would show on the system bus, as far as Bluetooth clients
on Linux (bleak, and what is built on it) use it: discovery, connections, GATT with both ways to get
notifications, removal of a device. Pairing is granted without keys.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from bumble import att, hci
from bumble.device import Advertisement, Peer
from bumble.device import Connection as RadioConnection
from bumble.gatt_client import CharacteristicProxy
from bumble.link import LocalLink
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from firmware_bridge.simulator.ble.object_tree import BusError, ObjectTree, Properties, Reply
from firmware_bridge.simulator.ble.radio import advertised, long_uuid, radio_device

_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_SERVICE: Final = "org.bluez.GattService1"
_CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
_DESCRIPTOR: Final = "org.bluez.GattDescriptor1"
_ROOT: Final = "/org/bluez/hci0"
_ADDRESS: Final = "F0:F1:F2:F3:F4:F5"
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
_CONNECT_WITHIN_S: Final = 20.0
_FAILED: Final = "org.bluez.Error.Failed"

Answer = Callable[[Message], Coroutine[Any, Any, Reply | None]]


@dataclass(slots=True)
class _Notifying:
    """A characteristic that somebody listens to; `pipe` where it is acquired."""

    subscriber: Callable[[bytes], None]
    pipe: socket.socket | None = None


class BluezFacade:
    """The service. `powered` False: the adapter is switched off."""

    def __init__(self, link: LocalLink, *, powered: bool = True) -> None:
        self._radio = radio_device(link, _ADDRESS, "central")
        self._powered = powered
        self._bus = MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
        self._tree = ObjectTree(self._bus)
        self._characteristics: dict[str, CharacteristicProxy[bytes]] = {}
        self._notifying: dict[str, _Notifying] = {}
        self._connections: dict[str, RadioConnection] = {}
        self._addresses: dict[str, hci.Address] = {}
        self._discovering: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[tuple[str, str], Answer] = {
            (_ADAPTER, "SetDiscoveryFilter"): self._nothing,
            (_ADAPTER, "StartDiscovery"): self._start_discovery,
            (_ADAPTER, "StopDiscovery"): self._stop_discovery,
            (_ADAPTER, "RemoveDevice"): self._remove_device,
            (_DEVICE, "Connect"): self._connect,
            (_DEVICE, "Disconnect"): self._disconnect,
            (_DEVICE, "Pair"): self._pair,
            (_CHARACTERISTIC, "ReadValue"): self._read,
            (_CHARACTERISTIC, "WriteValue"): self._write,
            (_CHARACTERISTIC, "StartNotify"): self._start_notify,
            (_CHARACTERISTIC, "StopNotify"): self._stop_notify,
            (_CHARACTERISTIC, "AcquireNotify"): self._acquire_notify,
            (_DESCRIPTOR, "ReadValue"): self._read_descriptor,
        }

    async def start(self) -> None:
        """Appear on the bus that `DBUS_SYSTEM_BUS_ADDRESS` names."""
        await self._radio.power_on()
        self._radio.on("advertisement", self._see_advertisement)
        await self._bus.connect()
        self._bus.add_message_handler(self._take_message)
        self._tree.add("/org/bluez", "org.bluez.AgentManager1", {})
        self._tree.add(_ROOT, _ADAPTER, self._adapter_properties())
        await self._bus.request_name("org.bluez")

    async def stop(self) -> None:
        """Let all devices go and leave the bus."""
        for connection in list(self._connections.values()):
            await connection.disconnect()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._bus.disconnect()

    def _adapter_properties(self) -> Properties:
        return {
            "Address": Variant("s", _ADDRESS),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", "simulated"),
            "Alias": Variant("s", "simulated"),
            "Powered": Variant("b", self._powered),
            "Discovering": Variant("b", False),
            "Pairable": Variant("b", False),
            "Discoverable": Variant("b", False),
            "UUIDs": Variant("as", []),
            "Roles": Variant("as", ["central", "peripheral"]),
        }

    # What the bus asks.

    def _take_message(self, message: Message) -> bool | None:
        is_ours = message.destination in ("org.bluez", self._bus.unique_name)
        if message.message_type != MessageType.METHOD_CALL or not is_ours:
            return None
        self._run(self._serve(message))
        return True

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, message: Message) -> None:
        try:
            signature, body, descriptors = await self._answer(message)
        except BusError as error:
            self._bus.send(Message.new_error(message, error.name, error.text))
            return
        except att.ATT_Error as error:
            text = f"Operation failed with ATT error: 0x{int(error.error_code):02x}"
            self._bus.send(Message.new_error(message, _FAILED, text))
            return
        await self._bus.send(
            Message.new_method_return(message, signature, body, unix_fds=descriptors)
        )
        for descriptor in descriptors:
            os.close(descriptor)

    async def _answer(self, message: Message) -> Reply:
        reply = self._tree.answer(message)
        if reply is not None:
            return reply
        answer = self._answers.get((message.interface or "", message.member or ""))
        if answer is None:
            raise BusError("org.freedesktop.DBus.Error.UnknownMethod", str(message.member))
        return await answer(message) or ("", [], [])

    async def _nothing(self, _message: Message) -> None:
        """Accepted, without effect: every device is reported to everybody."""

    # Discovery.

    async def _start_discovery(self, message: Message) -> None:
        if not self._powered:
            raise BusError("org.bluez.Error.NotReady", "Resource Not Ready")
        if message.sender in self._discovering:
            raise BusError("org.bluez.Error.InProgress", "Operation already in progress")
        if not self._discovering:
            await self._radio.start_scanning(legacy=True, active=True, filter_duplicates=False)
        self._discovering.add(message.sender or "")
        self._tree.change(_ROOT, _ADAPTER, Discovering=Variant("b", True))

    async def _stop_discovery(self, message: Message) -> None:
        if message.sender not in self._discovering:
            raise BusError(_FAILED, "No discovery started")
        self._discovering.discard(message.sender)
        if not self._discovering:
            await self._radio.stop_scanning(legacy=True)
            self._tree.change(_ROOT, _ADAPTER, Discovering=Variant("b", False))

    def _see_advertisement(self, seen: Advertisement) -> None:
        if not self._discovering:
            return
        address = str(seen.address)[:17]
        path = f"{_ROOT}/dev_" + address.replace(":", "_")
        self._addresses[path] = seen.address
        changed = advertised(seen)
        if path in self._tree:
            self._tree.change(path, _DEVICE, **changed)
            return
        flags = ("Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing", "Connected")
        properties = {flag: Variant("b", False) for flag in (*flags, "ServicesResolved")}
        properties |= {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Adapter": Variant("o", _ROOT),
            "UUIDs": Variant("as", []),
        }
        self._tree.add(path, _DEVICE, properties | changed)

    async def _remove_device(self, message: Message) -> None:
        path = message.body[0]
        if path in self._connections:
            await self._connections[path].disconnect()
        self._tree.remove(path)

    # Connections.

    async def _connect(self, message: Message) -> None:
        path = message.path or ""
        if path in self._connections:
            raise BusError("org.bluez.Error.AlreadyConnected")
        try:
            connection = await self._radio.connect(self._addresses[path], timeout=_CONNECT_WITHIN_S)
        except Exception as error:
            raise BusError(_FAILED, "le-connection-abort-by-local") from error
        self._connections[path] = connection
        connection.on("disconnection", lambda _reason: self._lost(path))
        self._tree.change(path, _DEVICE, Connected=Variant("b", True))
        self._run(self._discover_services(path, connection))

    async def _pair(self, message: Message) -> None:
        if message.path not in self._connections:
            await self._connect(message)
        paired = {"Paired": Variant("b", True), "Bonded": Variant("b", True)}
        self._tree.change(message.path or "", _DEVICE, **paired)

    async def _disconnect(self, message: Message) -> None:
        if message.path not in self._connections:
            raise BusError("org.bluez.Error.NotConnected")
        await self._connections[message.path].disconnect()

    async def _discover_services(self, path: str, connection: RadioConnection) -> None:
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
            self._tree.add(at, _SERVICE, properties)
            for characteristic in await service.discover_characteristics():
                await self._add_characteristic(at, characteristic, connection.att_mtu)
        if path in self._connections:
            uuids = [long_uuid(service.uuid) for service in peer.services]
            resolved = {"ServicesResolved": Variant("b", True), "UUIDs": Variant("as", uuids)}
            self._tree.change(path, _DEVICE, **resolved)

    async def _add_characteristic(
        self, service: str, characteristic: CharacteristicProxy[bytes], mtu: int
    ) -> None:
        path = f"{service}/char{characteristic.handle - 1:04x}"
        self._characteristics[path] = characteristic
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
        self._tree.add(path, _CHARACTERISTIC, properties)
        for descriptor in await characteristic.discover_descriptors():
            properties = {
                "UUID": Variant("s", long_uuid(descriptor.type)),
                "Characteristic": Variant("o", path),
                "Value": Variant("ay", b""),
                "Flags": Variant("as", []),
            }
            self._tree.add(f"{path}/desc{descriptor.handle:04x}", _DESCRIPTOR, properties)

    def _lost(self, path: str) -> None:
        self._connections.pop(path, None)
        for under in self._tree.below(path):
            self._end_notifying(under)
            self._characteristics.pop(under, None)
            self._tree.remove(under)
        if path in self._tree:
            down = {"ServicesResolved": Variant("b", False), "Connected": Variant("b", False)}
            self._tree.change(path, _DEVICE, **down)

    # Characteristics.

    def _characteristic(self, message: Message) -> CharacteristicProxy[bytes]:
        if message.path not in self._characteristics:
            raise BusError(_FAILED, "Not connected")
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
            self._tree.change(path, _CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        self._notifying[path] = _Notifying(came)
        await characteristic.subscribe(came, prefer_notify=True)
        self._tree.change(path, _CHARACTERISTIC, Notifying=Variant("b", True))

    async def _stop_notify(self, message: Message) -> None:
        path, characteristic = message.path or "", self._characteristic(message)
        subscriber = self._end_notifying(path)
        if subscriber is not None:
            await characteristic.unsubscribe(subscriber)
            self._tree.change(path, _CHARACTERISTIC, Notifying=Variant("b", False))

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
                self._run(_unsubscribed(characteristic, came))

        self._notifying[path] = _Notifying(came, ours)
        await characteristic.subscribe(came, prefer_notify=True)
        asyncio.get_running_loop().add_reader(ours, readable)
        device = path[: path.index("/service")]
        return "hq", [0, self._connections[device].att_mtu], [theirs.detach()]

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
