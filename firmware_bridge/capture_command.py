"""`firmware-bridge capture`, apart from its options: which driver, until when, how far."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from firmware_bridge.capture import Captured, capture
from firmware_bridge.driver import Driver
from firmware_bridge.drivers import DriverRequest, driver_maker
from firmware_bridge.links.ble import BleSensor


def run(driver: Driver, record: Path, seconds: float | None) -> Captured:
    """Capture until `seconds` are over or SIGINT or SIGTERM comes. Raises BridgeError."""
    return asyncio.run(_run(driver, record, seconds))


def is_port(device: str) -> bool:
    """A path or `tcp://HOST:PORT`, not a Bluetooth address."""
    return "/" in device


def driver_of(
    device: str,
    rate_hz: int | None = None,
    adapter: str | None = None,
    driver: str | None = None,
    baud: int | None = None,
    accelerometer_hz: int | None = None,
) -> Driver:
    """The driver of that name for a port; that of straps for a Bluetooth address. Raises
    UsageError."""
    if driver is not None or is_port(device):
        asked = DriverRequest(device, device, baud, rate_hz)
        return driver_maker(driver or "serial")(asked)
    from firmware_bridge.links.bleak_radio import BleakRadio  # noqa: PLC0415 - an extra

    radio = BleakRadio(adapter)
    return BleSensor(device, device, radio, rate_hz=rate_hz, accelerometer_hz=accelerometer_hz)


async def _run(driver: Driver, record: Path, seconds: float | None) -> Captured:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    record.parent.mkdir(parents=True, exist_ok=True)
    with click.progressbar(length=int(seconds or 0), file=sys.stderr) as bar:

        def progress(so_far_s: float) -> None:
            if seconds is not None:
                bar.update(int(so_far_s) - bar.pos)

        return await capture(driver, record, seconds, stop=stop, progress=progress)
