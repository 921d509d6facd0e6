"""Emulated straps and their Bluetooth service in the loop of the test, on a bus of its own."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest
from bleak.backends.bluezdbus import manager as bleak_manager
from bumble.link import LocalLink

from firmware_bridge.links.pairing import Examined, paired
from firmware_bridge.simulator.ble.bluez import BluezFacade
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble.private_bus import ENVIRONMENT, private_bus
from firmware_bridge.simulator.ble.radio import radio_device
from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.simulator.ble.worn import Worn
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.recording import Recording
from tests.synthetic import ecg, steady

Result = TypeVar("Result")

needs_dbus = pytest.mark.skipif(
    not any((Path(folder) / "dbus-daemon").exists() for folder in os.get_exec_path()),
    reason="dbus-daemon is not installed",
)


def heart() -> Recording:
    """Half a minute of a synthetic ECG at 75/min."""
    signal = ecg(steady(75, 0.3, 30), 30, 250)
    return Recording("synthetic", Fraction(250), ("I",), signal)


class Knowing:
    """A person who knows one number and confirms what is shown."""

    def __init__(self, number: int, capability: str = "KeyboardDisplay") -> None:
        self.capability = capability
        self.number = number
        self.shown: list[int] = []

    async def passkey(self) -> int | None:
        return self.number

    async def confirm(self, number: int) -> bool:
        self.shown.append(number)
        return True

    def show(self, number: int) -> None:
        self.shown.append(number)


async def bond(device: str) -> Examined:
    """Pair with the emulated device as its owner would."""
    identity = STRAPS[device][1]
    return await paired(identity.address, Knowing(identity.passkey or 0))


def on_the_air(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run `work` where the system bus is a private one."""

    async def run() -> Result:
        try:
            return await work()
        finally:
            # bleak keeps its own connection to the bus for the life of the process.
            manager = bleak_manager._global_instances.pop(asyncio.get_running_loop(), None)
            if manager is not None and manager._bus is not None:
                manager._bus.disconnect()
                await asyncio.sleep(0)

    with private_bus() as address, mock.patch.dict(os.environ, {ENVIRONMENT: address}):
        return asyncio.run(run())


@asynccontextmanager
async def bluez(*, powered: bool = True) -> AsyncIterator[LocalLink]:
    """An org.bluez service; devices on the link it yields are seen by it."""
    link = LocalLink()
    async with bluetoothd(link, powered=powered):
        yield link


@asynccontextmanager
async def bluetoothd(link: LocalLink, *, powered: bool = True) -> AsyncIterator[BluezFacade]:
    """An org.bluez service with its radio on `link`."""
    facade = BluezFacade(link, powered=powered)
    await facade.start()
    try:
        yield facade
    finally:
        await facade.stop()


@asynccontextmanager
async def worn_strap(
    device: str,
    faults: Faults | None = None,
    reboots: tuple[float, ...] = (),
    ppm: float = 0.0,
    recording: Recording | None = None,
) -> AsyncIterator[EmulatedStrap]:
    """One strap, and the service that sees it."""
    async with bluez() as link, wearing(link, device, faults, reboots, ppm, recording) as strap:
        yield strap


@asynccontextmanager
async def wearing(
    link: LocalLink,
    device: str,
    faults: Faults | None = None,
    reboots: tuple[float, ...] = (),
    ppm: float = 0.0,
    recording: Recording | None = None,
) -> AsyncIterator[EmulatedStrap]:
    """One strap within reach of whoever is on the link."""
    kind, identity = STRAPS[device]
    radio = radio_device(link, identity.address, identity.name)
    strap = kind(radio, identity, Worn(recording or heart(), ppm), faults or Faults(), reboots)
    await strap.start()
    try:
        yield strap
    finally:
        await strap.stop()
