"""The objects of a D-Bus service, as ObjectManager and Properties show them."""

from typing import Any, Final

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

OBJECT_MANAGER: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"

Properties = dict[str, Variant]
Reply = tuple[str, list[Any], list[int]]
"""Signature, body and file descriptors of an answer."""


class BusError(Exception):
    """An error to be answered with: its D-Bus name and a text."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(name, text)
        self.name = name
        self.text = text


class ObjectTree:
    """Objects with interfaces with properties; every change is signalled."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._objects: dict[str, dict[str, Properties]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._objects

    def add(self, path: str, interface: str, properties: Properties) -> None:
        """A new object, or another interface of one."""
        self._objects.setdefault(path, {})[interface] = properties
        body = [path, {interface: properties}]
        self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", body)

    def remove(self, path: str) -> None:
        """The object is gone, if it was there."""
        interfaces = self._objects.pop(path, None)
        if interfaces is not None:
            body = [path, list(interfaces)]
            self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", body)

    def below(self, path: str) -> list[str]:
        """Paths under `path`, the deepest first."""
        return sorted((p for p in self._objects if p.startswith(path + "/")), reverse=True)

    def get(self, path: str, interface: str, name: str) -> Variant:
        """The value of a property."""
        return self._objects[path][interface][name]

    def change(self, path: str, interface: str, **changed: Variant) -> None:
        """New values of properties."""
        self._objects[path][interface].update(changed)
        body = [interface, changed, []]
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def answer(self, message: Message) -> Reply | None:
        """The answer to a call of ObjectManager or Properties; None to any other call.

        Raises BusError for an object that is not there.
        """
        if message.interface == OBJECT_MANAGER:
            return "a{oa{sa{sv}}}", [self._objects], []
        if message.path not in self._objects:
            raise BusError("org.freedesktop.DBus.Error.UnknownObject", f"no {message.path}")
        if message.interface != PROPERTIES:
            return None
        interface = self._objects[message.path].get(message.body[0], {})
        if message.member == "GetAll":
            return "a{sv}", [interface], []
        if message.member == "Get":
            return "v", [interface[message.body[1]]], []
        self.change(message.path, message.body[0], **{message.body[1]: message.body[2]})
        return "", [], []

    def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        self._bus.send(
            Message(
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
                message_type=MessageType.SIGNAL,
            )
        )
