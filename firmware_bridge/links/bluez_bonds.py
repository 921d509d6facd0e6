"""Bonds that bluetoothd keeps: made through an agent of our own, asked for, forgotten.

bleak shows none of this. An agent is what bluetoothd asks for passkeys; it serves the pairings of
its own bus connection, so that no desktop's agent gets in the way.
"""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from firmware_bridge.errors import LinkError
from firmware_bridge.links.passkeys import Person
from firmware_bridge.links.reasons import BLUETOOTH_ERRORS, NOT_SEEN, reason

_BLUEZ: Final = "org.bluez"
_DEVICE: Final = "org.bluez.Device1"
_AGENT: Final = "org.bluez.Agent1"
_AGENT_PATH: Final = "/ecg_edge/agent"
_PAIRED_WITHIN_S: Final = 60.0
"""The Security Manager itself gives up 30 s after the last message (Core 5.4, vol. 3, H, 3.4)."""
_ANSWERED_WITHIN_S: Final = 10.0


class BluezBonds:
    """The bonds, as an asynchronous context. Every method raises LinkError."""

    def __init__(self, adapter: str | None = None) -> None:
        self._adapter = adapter
        self._bus = MessageBus(bus_type=BusType.SYSTEM)
        self._person: Person | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            await self._bus.connect()
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error
        self._bus.add_message_handler(self._take)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bus.disconnect()

    async def is_bonded(self, address: str) -> bool:
        """There is a key for the device at `address`. False for one that is not known at all."""
        found = await self._find(address)
        return found is not None and bool(found[1]["Bonded"].value)

    async def forget(self, address: str) -> None:
        """Drop the key, and all that bluetoothd knows of the device."""
        found = await self._find(address)
        if found is not None:
            adapter = found[1]["Adapter"].value
            await self._call(adapter, "org.bluez.Adapter1", "RemoveDevice", "o", [found[0]])

    async def bond(self, address: str, person: Person) -> None:
        """Bond with the device at `address`, which was seen lately; `person` is asked."""
        found = await self._find(address)
        if found is None:
            raise LinkError(f"{address} {NOT_SEEN}")
        self._person = person
        manager = ("/org/bluez", "org.bluez.AgentManager1")
        agent = [_AGENT_PATH, person.capability]
        await self._call(*manager, "RegisterAgent", "os", agent)
        try:
            await self._call(found[0], _DEVICE, "Pair", within_s=_PAIRED_WITHIN_S)
            trusted = [_DEVICE, "Trusted", Variant("b", True)]
            await self._call(found[0], "org.freedesktop.DBus.Properties", "Set", "ssv", trusted)
        except LinkError as error:
            raise LinkError(f"{address}: {error}") from error
        finally:
            await self._call(*manager, "UnregisterAgent", "o", [_AGENT_PATH])

    async def _find(self, address: str) -> tuple[str, dict[str, Variant]] | None:
        """Path and properties of the device with this address."""
        objects = await self._call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        for path, interfaces in objects[0].items():
            device = interfaces.get(_DEVICE)
            if device is None or device["Address"].value.upper() != address.upper():
                continue
            if self._adapter in (None, device["Adapter"].value.rpartition("/")[2]):
                return path, device
        return None

    async def _call(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: list[Any] | None = None,
        *,
        within_s: float = _ANSWERED_WITHIN_S,
    ) -> list[Any]:
        call = Message(
            destination=_BLUEZ,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body or [],
        )
        try:
            async with asyncio.timeout(within_s):
                reply = await self._bus.call(call)
        except BLUETOOTH_ERRORS as error:
            raise LinkError(reason(error)) from error
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            text = str(reply.body[0]) if reply.body else ""
            raise LinkError(reason(DBusError(reply.error_name or "", text)))
        return reply.body

    # What bluetoothd asks.

    def _take(self, message: Message) -> bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.interface != _AGENT:
            return None
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return True

    async def _answer(self, message: Message) -> None:
        person = self._person
        assert person is not None
        refused = Message.new_error(message, f"{_BLUEZ}.Error.Canceled", "given up")
        match message.member:
            case "RequestPasskey":
                passkey = await person.passkey()
                given = Message.new_method_return(message, "u", [passkey])
                reply = refused if passkey is None else given
            case "RequestConfirmation":
                is_same = await person.confirm(message.body[1])
                reply = Message.new_method_return(message) if is_same else refused
            case "DisplayPasskey":
                person.show(message.body[1])
                reply = Message.new_method_return(message)
            case "RequestAuthorization":  # of the pairing that we have asked for
                reply = Message.new_method_return(message)
            case "Release" | "Cancel":
                reply = Message.new_method_return(message)
            case _:
                reply = Message.new_error(message, f"{_BLUEZ}.Error.Rejected", "not asked for")
        await self._bus.send(reply)
