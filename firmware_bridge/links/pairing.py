"""Finding straps and finding out what they are, for commands."""

import asyncio
from dataclasses import dataclass

from firmware_bridge.links.bleak_radio import BleakRadio, Seen
from firmware_bridge.links.gatt import Line, device_information
from firmware_bridge.links.strap_families import family_of
from firmware_bridge.straps import heart_rate


@dataclass(frozen=True, slots=True)
class Examined:
    """What a strap says of itself; empty or None where it says nothing."""

    address: str
    family: str
    manufacturer: str
    model: str
    serial: str
    firmware: str
    battery_percent: float | None


def scan(seconds: float, adapter: str | None = None) -> list[Seen]:
    """Straps that advertise, the strongest first. Raises LinkError."""
    return asyncio.run(BleakRadio(adapter).scan(seconds))


def examine(address: str, adapter: str | None = None) -> Examined:
    """Connect to `address`, read, and let it go. Raises LinkError, and UsageError for a device
    of no known family."""
    return asyncio.run(_examine(address, adapter))


async def _examine(address: str, adapter: str | None) -> Examined:
    line = Line(lambda _characteristic, _value: None)
    connection = await BleakRadio(adapter).connect(address, line.notified, lambda: None)
    line.attach(connection)
    try:
        info = await device_information(line)
        battery = None
        if line.has(heart_rate.BATTERY_LEVEL):
            battery = heart_rate.decode_battery(await connection.read(heart_rate.BATTERY_LEVEL))
        return Examined(
            address,
            family_of(connection.characteristics),
            info.manufacturer,
            info.model,
            info.serial,
            info.firmware,
            battery,
        )
    finally:
        await connection.disconnect()
