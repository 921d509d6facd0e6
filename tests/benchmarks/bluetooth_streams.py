"""Bluetooth streams in real time: is every sample there, and what does reading them cost?

Emulated devices and the org.bluez that they are behind are a process of their own; the reader is
another, with unmodified bleak. Its CPU time is that between two seconds after all are open and the
end.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.bleak_radio import BleakRadio
from firmware_bridge.links.pairing import paired
from firmware_bridge.links.passkeys import Known
from firmware_bridge.simulator.ble.private_bus import ENVIRONMENT
from firmware_bridge.stream import Gap, SampleChunk
from tests.benchmarks.serial_streams import ramps

_SETTLE_S = 2.0


def table(folder: Path, seconds: float) -> Table:
    """One row for each set of devices."""
    shown = Table(title=f"Bluetooth, {seconds:g} s in real time, the reader a process")
    for column in ("devices", "samples", "lost", "% of one core"):
        shown.add_column(column, justify="left" if column == "devices" else "right")
    rows = (
        ("own service, 8 leads of 24 bit at 500 Hz, bonded", "ble-sensor", 1),
        ("four Polar H10, 130 Hz", "h10", 4),
    )
    record = ramps(folder)
    for words, device, count in rows:
        with _emulated(record, device, count) as described:
            told = _read(described, seconds)
        share = 100 * told["cpu_s"] / told["wall_s"]
        shown.add_row(words, f"{told['samples']:,}", f"{told['lost']:,}", f"{share:.1f}")
    return shown


@contextmanager
def _emulated(record: Path, device: str, count: int) -> Iterator[dict[str, Any]]:
    options = ["--device", device, "--count", str(count), "--record", str(record), "--leads", "8"]
    command = [sys.executable, "-m", "firmware_bridge", "simulate", *options]
    emulator = subprocess.Popen([*command, "--scenario", "none", "--json"], stdout=subprocess.PIPE)
    assert emulator.stdout is not None
    try:
        yield json.loads(emulator.stdout.readline())
    finally:
        emulator.terminate()
        emulator.wait()
        emulator.stdout.close()


def _read(described: dict[str, Any], seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bluetooth_streams"]
    done = subprocess.run(
        [*command, json.dumps(described), str(seconds)],
        env=os.environ | {ENVIRONMENT: described["bus"]},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


class _Counted:
    """What came from all devices since counting began."""

    def __init__(self) -> None:
        self.is_on = False
        self.samples = self.lost = 0

    async def follow(self, address: str, opened: asyncio.Event) -> None:
        """One device, until cancelled."""
        async with aclosing(BleSensor("bench", address, BleakRadio()).stream()) as stream:
            async for item in stream:
                if isinstance(item, SampleChunk):
                    opened.set()
                    self.samples += len(item.samples) * self.is_on
                elif isinstance(item, Gap):
                    self.lost += item.n_missing * self.is_on


async def _count(described: dict[str, Any], seconds: float) -> dict[str, float]:
    counted, addresses = _Counted(), described["addresses"]
    if described["passkey"] is not None:
        for address in addresses:
            await paired(address, Known(described["passkey"]))
    opened = [asyncio.Event() for _ in addresses]
    following = [
        asyncio.ensure_future(counted.follow(address, event))
        for address, event in zip(addresses, opened, strict=True)
    ]
    for event in opened:
        await event.wait()
    await asyncio.sleep(_SETTLE_S)
    began_s, cpu_s = time.monotonic(), time.process_time()
    counted.is_on = True
    await asyncio.sleep(seconds)
    counted.is_on = False
    spent_s, wall_s = time.process_time() - cpu_s, time.monotonic() - began_s
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    return {"samples": counted.samples, "lost": counted.lost, "cpu_s": spent_s, "wall_s": wall_s}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_count(json.loads(sys.argv[1]), float(sys.argv[2])))))
