"""An org.bluez service whose radio is a Bluetooth stack in software (Google's bumble).

It shows on its bus what a real bluetoothd would show on the system bus, as far as Bluetooth clients
on Linux (bleak, and what is built on it) use it: discovery, connections, GATT with both ways to get
notifications, bonds made through an agent, removal of a device.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bumble import att, hci
from bumble.device import Advertisement
from bumble.device import Connection as RadioConnection
from bumble.keys import MemoryKeyStore
from bumble.link import LocalLink
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from firmware_bridge.simulator.ble.bonding import AGENT_MANAGER, Bonding
from firmware_bridge.simulator.ble.gatt_objects import GattObjects
from firmware_bridge.simulator.ble.object_tree import BusError, ObjectTree, Properties, Reply
from firmware_bridge.simulator.ble.radio import advertised, radio_device, take_away

_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_ROOT: Final = "/org/bluez/hci0"
_ADDRESS: Final = "F0:F1:F2:F3:F4:F5"
_CONNECT_WITHIN_S: Final = 20.0
_FAILED: Final = "org.bluez.Error.Failed"
_NOT_PERMITTED: Final = "org.bluez.Error.NotPermitted"
_NOT_PAIRED: Final = {
    att.ErrorCode.INSUFFICIENT_AUTHENTICATION,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
}
"""As in BlueZ's create_gatt_dbus_error."""

Answer = Callable[[Message], Coroutine[Any, Any, Reply | None]]


class BluezFacade:
    """The service. `powered` False: the adapter is switched off. `keys`: the bonds that an earlier
    one has left on the disk."""

    def __init__(
        self, link: LocalLink, *, powered: bool = True, keys: MemoryKeyStore | None = None
    ) -> None:
        self.keys = keys or MemoryKeyStore()
        self._link = link
        self._radio = radio_device(link, _ADDRESS, "central")
        self._powered = powered
        self._bus = MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
        self._tree = ObjectTree(self._bus)
        self._gatt = GattObjects(self._tree)
        self._bonding = Bonding(self._bus, self._radio, self.keys)
        self._connections: dict[str, RadioConnection] = {}
        self._addresses: dict[str, hci.Address] = {}
        self._discovering: set[str] = set()
        self._scanning = asyncio.Lock()
        self._attempt: str | None = None  # the device that is being connected
        self._is_unwanted = False  # the attempt was called off
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[tuple[str, str], Answer] = {
            (_ADAPTER, "SetDiscoveryFilter"): self._nothing,
            (_ADAPTER, "StartDiscovery"): self._start_discovery,
            (_ADAPTER, "StopDiscovery"): self._stop_discovery,
            (_ADAPTER, "RemoveDevice"): self._remove_device,
            (_DEVICE, "Connect"): self._connect,
            (_DEVICE, "Disconnect"): self._disconnect,
            (_DEVICE, "Pair"): self._pair,
            **self._gatt.answers,
            **self._bonding.answers,
        }

    async def start(self) -> None:
        """Appear on the bus that `DBUS_SYSTEM_BUS_ADDRESS` names."""
        await self._radio.power_on()
        self._radio.on("advertisement", self._see_advertisement)
        self._radio.on("connection", self._see_connection)
        await self._bus.connect()
        self._bus.add_message_handler(self._take_message)
        self._tree.add("/org/bluez", AGENT_MANAGER, {})
        self._tree.add(_ROOT, _ADAPTER, self._adapter_properties())
        await self._bus.request_name("org.bluez")

    async def unplug(self) -> None:
        """Pull the adapter out: its devices are gone with it."""
        for connection in list(self._connections.values()):
            await connection.disconnect()
        self._discovering.clear()
        if self._radio.is_scanning:
            await self._radio.stop_scanning(legacy=True)
        for path in [*self._tree.below(_ROOT), _ROOT]:
            self._tree.remove(path)

    def plug(self) -> None:
        """Put it back."""
        self._tree.add(_ROOT, _ADAPTER, self._adapter_properties())

    async def stop(self) -> None:
        """Let all devices go and leave the bus."""
        for connection in list(self._connections.values()):
            await connection.disconnect()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._bus.disconnect()
        take_away(self._radio, self._link)

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
        except hci.HCI_Error as error:
            self._bus.send(Message.new_error(message, _FAILED, str(error)))
            return
        except att.ATT_Error as error:
            if error.error_code in _NOT_PAIRED:
                self._bus.send(Message.new_error(message, _NOT_PERMITTED, "Not paired"))
                return
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
        async with self._scanning:
            if not self._discovering:
                await self._radio.start_scanning(legacy=True, active=True, filter_duplicates=False)
            self._discovering.add(message.sender or "")
        self._tree.change(_ROOT, _ADAPTER, Discovering=Variant("b", True))

    async def _stop_discovery(self, message: Message) -> None:
        async with self._scanning:
            if message.sender not in self._discovering:
                raise BusError(_FAILED, "No discovery started")
            self._discovering.discard(message.sender)
            if not self._discovering:
                await self._radio.stop_scanning(legacy=True)
        if not self._discovering and _ROOT in self._tree:
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
        await self._let_go(path)
        if path in self._addresses:
            await self._bonding.forget(str(self._addresses[path])[:17])
        self._tree.remove(path)

    # Connections.

    async def _connect(self, message: Message) -> None:
        path = message.path or ""
        if path in self._connections:
            raise BusError("org.bluez.Error.AlreadyConnected")
        if self._attempt is not None:
            raise BusError("org.bluez.Error.InProgress", "Operation already in progress")
        self._attempt, self._is_unwanted = path, False
        try:
            connection = await self._radio.connect(self._addresses[path], timeout=_CONNECT_WITHIN_S)
        except Exception as error:
            raise BusError(_FAILED, "le-connection-abort-by-local") from error
        finally:
            self._attempt = None
        if self._is_unwanted or connection.peer_address != self._addresses[path]:
            # It came up while it was called off; or an earlier one did, only now.
            await connection.disconnect()
            raise BusError(_FAILED, "le-connection-abort-by-local")
        self._connections[path] = connection
        connection.on("disconnection", lambda _reason: self._lost(path))
        self._tree.change(path, _DEVICE, Connected=Variant("b", True))
        if not await self._bonding.encrypt(connection):
            if path in self._connections:
                await connection.disconnect()
            raise BusError(_FAILED, "le-connection-abort-by-local")
        self._run(self._discover_services(path, connection))

    async def _pair(self, message: Message) -> None:
        path = message.path or ""
        if self._tree.get(path, _DEVICE, "Bonded").value:
            raise BusError("org.bluez.Error.AlreadyExists", "Already Exists")
        if path not in self._connections:
            await self._connect(message)
        await self._bonding.pair(self._connections[path], path, message.sender or "")
        paired = {"Paired": Variant("b", True), "Bonded": Variant("b", True)}
        self._tree.change(path, _DEVICE, **paired)

    async def _disconnect(self, message: Message) -> None:
        if not await self._let_go(message.path or ""):
            raise BusError("org.bluez.Error.NotConnected")

    async def _let_go(self, path: str) -> bool:
        """End the device's connection, or the attempt at one; False where there is neither."""
        if path in self._connections:
            await self._connections[path].disconnect()
            return True
        if path == self._attempt:
            self._is_unwanted = True
            await self._radio.cancel_connection()  # type: ignore[no-untyped-call]
            return True
        return False

    async def _discover_services(self, path: str, connection: RadioConnection) -> None:
        uuids = await self._gatt.discover(path, connection)
        if path in self._connections:
            resolved = {"ServicesResolved": Variant("b", True), "UUIDs": Variant("as", uuids)}
            self._tree.change(path, _DEVICE, **resolved)

    def _see_connection(self, connection: RadioConnection) -> None:
        """One that comes up when nobody waits for it any more would stay, and hide its device."""
        if self._attempt is None:
            self._run(connection.disconnect())

    def _lost(self, path: str) -> None:
        self._connections.pop(path, None)
        self._gatt.drop(path)
        if path in self._tree:
            down = {"ServicesResolved": Variant("b", False), "Connected": Variant("b", False)}
            self._tree.change(path, _DEVICE, **down)
