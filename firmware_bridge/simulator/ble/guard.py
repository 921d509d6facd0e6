"""What an emulated device asks of whoever wants its guarded characteristics: a bond with a passkey.

bumble takes every encrypted link for an authenticated one; here the key's own history counts.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from bumble import att
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

_CCCD: Final = "2902"
_REFUSED: Final = att.ErrorCode.INSUFFICIENT_AUTHENTICATION


class _Label(PairingDelegate):
    """A number that is printed on the device."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey


class Guard:
    """LE Secure Connections with protection against a man in the middle.

    `passkey` None: nothing is asked, and pairing is granted to anybody.
    """

    def __init__(self, device: Device, passkey: int | None) -> None:
        self._device = device
        self._passkey = passkey
        self._keys = MemoryKeyStore()
        device.keystore = self._keys
        if passkey is not None:
            label = _Label(passkey)
            device.pairing_config_factory = lambda _: PairingConfig(delegate=label)

    def forget_bonds(self) -> None:
        """As after a factory reset."""
        self._keys.all_keys.clear()

    async def require(self, connection: Connection) -> None:
        """Raise ATT_Error unless this link is encrypted with a key that the passkey has proven."""
        if self._passkey is None:
            return
        keys = await self._keys.get(str(connection.peer_address))
        proven = keys is not None and keys.ltk is not None and keys.ltk.authenticated
        if not (connection.encryption and proven):
            raise att.ATT_Error(_REFUSED)

    def written(
        self,
        uuid: str,
        properties: Characteristic.Properties,
        take: Callable[[Connection, bytes], Awaitable[None]],
    ) -> "Characteristic[bytes]":
        """A characteristic whose values go to `take`."""
        return Characteristic(uuid, properties, Characteristic.WRITEABLE, self._access(take))

    def notified(
        self,
        uuid: str,
        properties: Characteristic.Properties = Characteristic.Properties.NOTIFY,
        take: Callable[[Connection, bytes], Awaitable[None]] | None = None,
    ) -> "Characteristic[bytes]":
        """A characteristic that notifies; with `take` it is written, too."""
        value = b"" if take is None else self._access(take)
        permissions = Characteristic.READABLE | (Characteristic.WRITEABLE if take else 0)
        server = self._device.gatt_server

        async def subscribe(bearer: Any, value: bytes) -> None:
            await self.require(bearer)
            server.write_cccd(bearer, characteristic, value)

        state: att.AttributeValueV2[bytes] = att.AttributeValueV2(
            lambda bearer: server.read_cccd(bearer, characteristic), write=subscribe
        )
        access = att.Attribute.READABLE | att.Attribute.WRITEABLE
        characteristic: Characteristic[bytes] = Characteristic(
            uuid, properties, permissions, value, [Descriptor(_CCCD, access, state)]
        )
        return characteristic

    def _access(
        self, take: Callable[[Connection, bytes], Awaitable[None]]
    ) -> "CharacteristicValue[bytes]":
        async def write(connection: Connection, value: bytes) -> None:
            await self.require(connection)
            await take(connection, bytes(value))

        return CharacteristicValue(write=write)
