"""Finding straps, finding out what they are and bonding with them, for commands."""

import asyncio
from dataclasses import dataclass, replace

from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.links.bleak_radio import BleakRadio, Seen
from firmware_bridge.links.bluez_bonds import BluezBonds
from firmware_bridge.links.gatt import SMP_CHARACTERISTIC, Connection, Line, device_information
from firmware_bridge.links.passkeys import Nobody, Person
from firmware_bridge.links.strap_families import GUARDED, family_of
from firmware_bridge.straps import heart_rate


@dataclass(frozen=True, slots=True)
class Examined:
    """What a strap says of itself; empty or None where it says nothing. `bonded`: this computer
    has a key for it. `takes_firmware`: it offers SMP."""

    address: str
    family: str
    manufacturer: str
    model: str
    serial: str
    firmware: str
    battery_percent: float | None
    bonded: bool
    takes_firmware: bool


def scan(seconds: float, adapter: str | None = None) -> list[Seen]:
    """Straps that advertise, the strongest first. Raises LinkError."""
    return asyncio.run(BleakRadio(adapter).scan(seconds))


def examine(address: str, adapter: str | None = None) -> Examined:
    """Connect to `address`, read, and let it go. Raises LinkError, and UsageError for a device
    of no known family."""
    return asyncio.run(examined(address, adapter))


def pair(address: str, person: Person, adapter: str | None = None) -> Examined:
    """As `examine`, and bond with the device where it can; `person` is asked for its passkey.

    Raises LinkError, also when a device that streams over a bonded link only does not bond;
    UsageError.
    """
    return asyncio.run(paired(address, person, adapter))


async def examined(address: str, adapter: str | None = None) -> Examined:
    """See `examine`."""
    line = Line(lambda _characteristic, _value: None)
    connection = await BleakRadio(adapter).connect(address, line.notified, lambda: None)
    line.attach(connection)
    try:
        async with BluezBonds(adapter) as bonds:
            return replace(await _read(address, line), bonded=await bonds.is_bonded(address))
    finally:
        await connection.disconnect()


async def paired(address: str, person: Person, adapter: str | None = None) -> Examined:
    """See `pair`."""
    async with BluezBonds(adapter) as bonds:
        if await bonds.is_bonded(address):
            await bonds.forget(address)  # whether the device still knows that key or not
        line = Line(lambda _characteristic, _value: None)
        connection = await BleakRadio(adapter).connect(address, line.notified, lambda: None)
        line.attach(connection)
        try:
            read = await _read(address, line)
            guarded = GUARDED.get(read.family)
            if guarded is None:
                return replace(read, bonded=await _bonds(bonds, address, person))
            await _prove(bonds, address, person, connection, guarded)
            return replace(read, bonded=True)
        finally:
            await connection.disconnect()


async def _bonds(bonds: BluezBonds, address: str, person: Person) -> bool:
    """The device bonds. One that does not is read all the same."""
    try:
        await bonds.bond(address, person)
    except LinkError:
        return False
    return True


async def _prove(
    bonds: BluezBonds, address: str, person: Person, connection: Connection, guarded: str
) -> None:
    """Bond with a device that must; a bond that does not open what it guards is forgotten."""
    if isinstance(person, Nobody):
        raise UsageError(
            f"{address} asks for a passkey: run this in a terminal, or give --passkey-file"
        )
    await bonds.bond(address, person)
    try:
        await connection.subscribe(guarded)
    except LinkError:
        await bonds.forget(address)
        raise


async def _read(address: str, line: Line) -> Examined:
    info = await device_information(line)
    battery = None
    if line.has(heart_rate.BATTERY_LEVEL):
        battery = heart_rate.decode_battery(await line.connection.read(heart_rate.BATTERY_LEVEL))
    return Examined(
        address,
        family_of(line.connection.characteristics),
        info.manufacturer,
        info.model,
        info.serial,
        info.firmware,
        battery,
        bonded=False,
        takes_firmware=line.has(SMP_CHARACTERISTIC),
    )
