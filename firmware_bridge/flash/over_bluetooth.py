"""What is asked of a device before it is flashed over Bluetooth: that nobody reads it, and a bond.

The link layer encrypts with the bond's key by itself. Whether the device insists on that is its own
affair; this program does.
"""

import asyncio
from dataclasses import replace
from typing import Final

from firmware_bridge.errors import LinkError
from firmware_bridge.flash.address import BleAddress
from firmware_bridge.flash.errors import RefusedError
from firmware_bridge.flash.session import Session, Timing
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.bleak_radio import BleakRadio, scope
from firmware_bridge.links.bluez_bonds import BluezBonds
from firmware_bridge.links.device_lock import require_free

_FIND_S: Final = 20.0
"""Scan, connection and greeting after a restart."""


def session_over(address: BleAddress, timing: Timing, *, no_stream: bool, changes: bool) -> Session:
    """A session with a device that nobody reads. Raises RefusedError where somebody does, or where
    firmware may change without a bond; LinkError."""
    try:
        require_free(address.address, scope())
    except LinkError as error:
        raise RefusedError(str(error)) from error
    if changes and not is_bonded(address):
        raise RefusedError(
            f"{address} is not bonded with this computer, and firmware goes over a bonded link "
            f"only: `firmware-bridge pair {address}` first"
        )

    def driver() -> BleSensor:
        return BleSensor("flashed", address.address, BleakRadio())

    return Session(address, None if no_stream else driver, replace(timing, find_s=_FIND_S))


def is_bonded(address: BleAddress) -> bool:
    """This computer has a key for the device. Raises LinkError."""

    async def ask() -> bool:
        async with BluezBonds() as bonds:
            return await bonds.is_bonded(address.address)

    return asyncio.run(ask())
