"""Emulated sensors on the air, broken on demand, and the Bluetooth service that the daemon has."""

import asyncio
import time
from collections.abc import Mapping
from random import Random
from typing import Final

from bumble.device import Device
from bumble.hci import Address
from bumble.link import LocalLink

from firmware_bridge.links.pairing import paired
from firmware_bridge.links.passkeys import Known
from firmware_bridge.simulator.ble.bluez import BluezFacade
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble.radio import radio_device
from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.simulator.ble.worn import Worn
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.recording import Recording
from tests.soak.numbers import numbered_ecg, numbers
from tests.soak.stream import Break, Fault, burst

_KEEP_S: Final = (1.0, 4.0)
"""How long a phone has the sensor."""
_RATES_HZ: Final = {"h10": 130, "movesense": 256, "ble-sensor": 500}


class WornSensor:
    """A strap or the own sensor on `link`."""

    link = "Bluetooth"

    def __init__(self, device: str, link: LocalLink) -> None:
        kind, identity = STRAPS[device]
        self.name, self.rate_hz = device, _RATES_HZ[device]
        recording: Recording = numbers(self.rate_hz)
        self.lead = 0
        if device == "ble-sensor":
            recording, self.lead = numbered_ecg(self.rate_hz), 1
        self.address, self._passkey = identity.address, identity.passkey
        settings = {"port": identity.address, "driver": "ble"}
        if device == "movesense":  # the others sample as they do
            settings["rate_hz"] = str(self.rate_hz)
        self.settings: Mapping[str, str] = settings
        self.strap: EmulatedStrap = kind(
            radio_device(link, identity.address, identity.name),
            identity,
            Worn(recording),
            Faults(),
        )
        self._phone: Device = radio_device(link, f"D0{identity.address[2:]}", "phone")
        self.faults: dict[str, Break] = {
            "link lost": self._lose,
            "silent, its link up": self._stall,
            "restarted with its clock reset": self._restart,
            "taken by a phone for a while": self._steal,
            "packets lost": burst(self.strap.misbehave, Faults(drop=0.2)),
        }
        if device != "movesense":  # its packets come in two parts, which a radio never swaps
            self.faults["packets twice, in another order"] = burst(
                self.strap.misbehave, Faults(duplicate=0.2, reorder=0.2)
            )

    async def begin(self) -> None:
        """Put it on, and bond where it wants that."""
        await self._phone.power_on()
        await self.strap.start()
        if self._passkey is not None:
            await paired(self.address, Known(self._passkey))

    async def be_away(self, seconds: float) -> Fault:
        """Out of the radio's reach for so long."""
        await self.strap.leave()
        await asyncio.sleep(seconds)
        await self.strap.come_back()
        return Fault(None, time.monotonic())

    async def _lose(self, random: Random) -> Fault:
        return await self.be_away(random.uniform(0.5, 8.0))

    async def _stall(self, _random: Random) -> Fault:
        self.strap.fall_silent()
        return Fault(time.monotonic(), None)

    async def _restart(self, _random: Random) -> Fault:
        await self.strap.reboot()
        return Fault(None, time.monotonic())

    async def _steal(self, random: Random) -> Fault:
        await steal_for(self.strap, self.address, self._phone, random.uniform(*_KEEP_S))
        return Fault(None, time.monotonic())


async def steal_for(strap: EmulatedStrap, address: str, phone: Device, seconds: float) -> None:
    """A second central has the strap for so long, and lets it go."""
    taking = asyncio.ensure_future(phone.connect(Address(address)))
    await strap.leave()
    await strap.come_back()
    taken = await taking
    await asyncio.sleep(seconds)
    await taken.disconnect()


class Air:
    """The Bluetooth service that all straps are seen by. What befalls it befalls them all."""

    def __init__(self) -> None:
        self.link = LocalLink()
        self._service = BluezFacade(self.link)
        self.faults: dict[str, Break] = {
            "bluetoothd killed, started again": self._restart,
            "adapter pulled, put back": self._pull,
        }

    async def begin(self) -> None:
        """Be there."""
        await self._service.start()

    async def end(self) -> None:
        """Be gone."""
        await self._service.stop()

    async def _restart(self, random: Random) -> Fault:
        await self._service.stop()
        await asyncio.sleep(random.uniform(0.5, 4.0))
        self._service = BluezFacade(self.link, keys=self._service.keys)
        await self._service.start()
        return Fault(None, time.monotonic())

    async def _pull(self, random: Random) -> Fault:
        await self._service.unplug()
        await asyncio.sleep(random.uniform(0.5, 4.0))
        self._service.plug()
        return Fault(None, time.monotonic())
