"""Bonds of the emulated org.bluez: agents that people answer through, and keys that are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from bumble.core import BaseBumbleError
from bumble.device import Connection as RadioConnection
from bumble.device import Device
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from firmware_bridge.simulator.ble.object_tree import BusError

AGENT_MANAGER: Final = "org.bluez.AgentManager1"
_AGENT: Final = "org.bluez.Agent1"
_CAPABILITIES: Final = {
    "DisplayOnly": PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY,
    "DisplayYesNo": PairingDelegate.IoCapability.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
    "KeyboardOnly": PairingDelegate.IoCapability.KEYBOARD_INPUT_ONLY,
    "NoInputNoOutput": PairingDelegate.IoCapability.NO_OUTPUT_NO_INPUT,
    "KeyboardDisplay": PairingDelegate.IoCapability.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
    "": PairingDelegate.IoCapability.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
}
_KEYS: Final = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
"""And no identities: emulated devices keep their addresses."""
_FAULTS: Final = (BaseBumbleError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Agent:
    """Who answers for a person, and what that person can do."""

    client: str
    path: str
    capability: str


class _Asked(PairingDelegate):
    """Passes what a pairing asks on to an agent; without one nobody is asked."""

    def __init__(self, bus: MessageBus, agent: _Agent | None, device: str) -> None:
        capability = "NoInputNoOutput" if agent is None else agent.capability
        super().__init__(_CAPABILITIES[capability], _KEYS, _KEYS)
        self._bus = bus
        self._agent = agent
        self._device = device
        self.refusal: str | None = None

    async def get_number(self) -> int | None:
        answer = await self._ask("RequestPasskey", "o", [self._device])
        return None if answer is None else int(answer[0])

    async def compare_numbers(self, number: int, digits: int) -> bool:
        del digits
        return await self._ask("RequestConfirmation", "ou", [self._device, number]) is not None

    async def display_number(self, number: int, digits: int) -> None:
        del digits
        await self._ask("DisplayPasskey", "ouq", [self._device, number, 0])

    async def _ask(self, member: str, signature: str, body: list[Any]) -> list[Any] | None:
        assert self._agent is not None
        reply = await self._bus.call(
            Message(
                destination=self._agent.client,
                path=self._agent.path,
                interface=_AGENT,
                member=member,
                signature=signature,
                body=body,
            )
        )
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            self.refusal = reply.error_name
            return None
        return reply.body


class Bonding:
    """Pairs over `radio`, asking agents on `bus`; what comes of it is kept in `keys`."""

    def __init__(self, bus: MessageBus, radio: Device, keys: MemoryKeyStore) -> None:
        self._bus = bus
        self._radio = radio
        self._keys = keys
        radio.keystore = self._keys
        self._agents: dict[str, _Agent] = {}
        self._default: _Agent | None = None
        self.answers: dict[tuple[str, str], Callable[[Message], Any]] = {
            (AGENT_MANAGER, "RegisterAgent"): self._register,
            (AGENT_MANAGER, "UnregisterAgent"): self._unregister,
            (AGENT_MANAGER, "RequestDefaultAgent"): self._make_default,
        }
        """Coroutine functions by interface and member."""

    async def pair(self, connection: RadioConnection, path: str, client: str) -> None:
        """Bond, asking the agent of `client`. Raises BusError."""
        agent = self._agents.get(client, self._default)
        asked = _Asked(self._bus, agent, path)
        self._radio.pairing_config_factory = lambda _: PairingConfig(delegate=asked)
        try:
            await _while_connected(connection.pair())
        except _FAULTS as error:
            refused = asked.refusal is not None
            name = "AuthenticationCanceled" if refused else "AuthenticationFailed"
            raise BusError(f"org.bluez.Error.{name}", name) from error

    async def encrypt(self, connection: RadioConnection) -> bool:
        """Encrypt a new link with the key of its bond. False: the device does not know that key.
        A link without a bond stays as it is."""
        if await self._keys.get(str(connection.peer_address)) is None:
            return True
        try:
            await _while_connected(connection.encrypt())
        except _FAULTS:
            return False
        return True

    async def forget(self, address: str) -> None:
        """Drop the key for the device with this address."""
        for name in [one for one in self._keys.all_keys if one.startswith(address)]:
            await self._keys.delete(name)

    async def _register(self, message: Message) -> None:
        path, capability = message.body
        if capability not in _CAPABILITIES:
            raise BusError("org.bluez.Error.InvalidArguments", capability)
        client = message.sender or ""
        self._agents[client] = _Agent(client, path, capability)

    async def _unregister(self, message: Message) -> None:
        agent = self._agents.pop(message.sender or "", None)
        if agent is None:
            raise BusError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        if self._default == agent:
            self._default = None

    async def _make_default(self, message: Message) -> None:
        self._default = self._agents.get(message.sender or "")


async def _while_connected(work: Awaitable[None]) -> None:
    """bumble cancels what waits for a link that ends. Raises ConnectionError then."""
    try:
        await work
    except asyncio.CancelledError as error:
        if "disconnection" not in str(error):
            raise
        raise ConnectionError("the link ended") from error
