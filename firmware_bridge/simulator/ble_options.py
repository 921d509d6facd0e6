"""From `firmware-bridge simulate --device STRAP` to emulated straps."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from firmware_bridge.errors import UsageError

if TYPE_CHECKING:
    from firmware_bridge.simulator.scenarios import Play

BLE_DEVICES: Final = ("h10", "movesense", "strap", "ble-sensor")
"""Straps that can be emulated; keys of `simulator.ble.catalogue.STRAPS`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How straps are emulated, apart from what they play."""

    device: str
    count: int
    clock_ppm: float
    reboots: tuple[float, ...]
    seed: int
    speed: float


def emulate(
    options: Options,
    play: "Play",
    bus: str | None,
    *,
    duration_s: float | None,
    with_parent: bool,
    as_json: bool,
) -> None:
    """Emulate straps until told to stop. Raises UsageError."""
    if options.speed != 1:
        raise UsageError("straps are emulated in real time: leave out --speed")
    if play.faults.bit_flip:
        raise UsageError("the Bluetooth link checks its bits: there is no --bit-flip over it")
    try:
        from firmware_bridge.simulator.ble import play as ble_play  # noqa: PLC0415 - only here
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is missing; emulated straps need: pip install 'ecg-edge[ble,emulate]'"
        ) from error
    emulation = ble_play.Emulation(
        options.device, play, options.count, options.clock_ppm, options.reboots, options.seed
    )

    def announce(address: str) -> None:
        described = ble_play.describe(emulation, address)
        if as_json:
            click.echo(json.dumps(described))
            return
        passkey = described["passkey"]
        asks = () if passkey is None else (f"passkey {passkey:06}",)
        words = "; ".join((play.recording.title, *play.recording.notes, *asks))
        click.echo(f"export DBUS_SYSTEM_BUS_ADDRESS={address}")
        click.echo(f"{options.device} {' '.join(ble_play.addresses(emulation))}: {words}", err=True)

    ble_play.run(emulation, bus, duration_s=duration_s, with_parent=with_parent, ready=announce)
