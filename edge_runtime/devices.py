"""Devices of a running daemon: which it reads, and what else is near.

The radio is one, and so is the turn of who uses it: while a daemon runs, looking for straps and
pairing them is done by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.config import SourceConfig
from edge_runtime.errors import ConfigError
from edge_runtime.loans import Loans
from firmware_bridge.errors import UsageError
from firmware_bridge.known_devices import KnownDevice, remember

if TYPE_CHECKING:
    from firmware_bridge.links.bleak_radio import Seen
    from firmware_bridge.links.pairing import Examined


@dataclass(frozen=True, slots=True)
class DeviceDesk:
    """`known_file`: where paired straps are remembered. `sources`: those in force now.

    What uses the radio raises LinkError and UsageError, and ConfigError where bleak is missing.
    """

    known_file: Path
    sources: Callable[[], Sequence[SourceConfig]]
    loans: Loans = field(default_factory=Loans)

    def holder(self, port: str) -> SourceConfig | None:
        """The source that reads this address or serial port."""
        wanted = port.upper()
        return next((one for one in self.sources() if one.port.upper() == wanted), None)

    async def scan(self, seconds: float) -> "list[Seen]":
        """Straps that advertise, the strongest first; those that are read do not."""
        _require_bleak()
        from firmware_bridge.links.bleak_radio import BleakRadio  # noqa: PLC0415 - an extra

        return await BleakRadio(self._adapter()).scan(seconds)

    async def examine(self, address: str) -> "Examined":
        """What the strap at `address`, which no source reads, says of itself."""
        self._require_free(address)
        from firmware_bridge.links.pairing import examined  # noqa: PLC0415 - an extra

        return await examined(address, self._adapter())

    async def pair(
        self, address: str, name: str, passkey: int | None
    ) -> "tuple[KnownDevice, Examined]":
        """Bond with the strap at `address`, which no source reads, and remember it as `name`."""
        self._require_free(address)
        if any(one.name == name and one.driver != "ble" for one in self.sources()):
            raise UsageError(f"a source of the configuration is called {name!r}; take another name")
        from firmware_bridge.links.pairing import paired  # noqa: PLC0415 - an extra
        from firmware_bridge.links.passkeys import Known, Nobody  # noqa: PLC0415

        who = Nobody() if passkey is None else Known(passkey)
        found = await paired(address, who, self._adapter())
        device = KnownDevice(name, found.address, found.family, found.serial, found.model)
        remember(self.known_file, device)
        return device, found

    async def lend(self, port: str, for_s: float) -> str:
        """Let go of the device for at most so long; the name of the source that read it."""
        source = self.holder(port)
        if source is None or not await self.loans.lend(source.name, for_s):
            raise UsageError(f"no source reads {port}")
        return source.name

    def give_back(self, port: str) -> None:
        """Read it again."""
        source = self.holder(port)
        if source is not None:
            self.loans.give_back(source.name)

    def _require_free(self, address: str) -> None:
        source = self.holder(address)
        if source is not None:
            raise UsageError(
                f"{address} is read by the daemon as source {source.name!r}; to pair it anew, "
                f"`edge-runtime devices --forget {source.name}` first"
            )
        _require_bleak()

    def _adapter(self) -> str | None:
        return next((one.adapter for one in self.sources() if one.adapter), None)


def _require_bleak() -> None:
    try:
        import bleak  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError("straps need Bluetooth: pip install 'ecg-edge[ble]'") from error
