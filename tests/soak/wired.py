"""Emulated sensors on serial ports, broken on demand."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

from firmware_bridge.simulator.boards.catalogue import BOARDS
from firmware_bridge.simulator.device import SimulatedDevice
from firmware_bridge.simulator.faults import Faults, FaultyLine
from firmware_bridge.simulator.pty_port import PtyPort
from firmware_bridge.simulator.sensor import SimulatedSensor
from tests.soak.numbers import numbered_ecg, numbers
from tests.soak.stream import Break, Fault, burst

_STEP_S: Final = 0.02
_REBOOT_S: Final = 2.0
_RATE_HZ: Final = 500

Make = Callable[[int], SimulatedDevice]
"""The device after so many starts."""


class WiredSensor:
    """A device behind a pty at `port`, of which `make` gives one for each time that it is
    started."""

    link = "serial"

    def __init__(
        self, name: str, driver: str, port: Path, make: Make, rate_hz: int, *, lead: int
    ) -> None:
        self.name, self.rate_hz, self.lead = name, rate_hz, lead
        self.settings: Mapping[str, str] = {"port": str(port), "driver": driver}
        self.faults: dict[str, Break] = {
            "cable pulled, put back": self._pull,
            "silent, its port open": self._stall,
            "held back for a while, then all at once": self._hold_back,
            "frames lost": burst(self._misbehave, Faults(drop=0.2)),
            "restarted, counting from zero": self._restart,
        }
        self._make = make
        self._starts = 0
        self._port = PtyPort(port)
        self._line = FaultyLine(Faults(), seed=1)
        self._is_stalled = False
        self._sent_at = 0.0
        self._start()

    def _start(self) -> None:
        self._starts += 1
        self._device, self._zero_s = self._make(self._starts), time.monotonic()

    async def live(self) -> None:
        """Sample and send, until cancelled."""
        self._port.plug()
        try:
            while True:
                await asyncio.sleep(_STEP_S)
                frames = self._device.frames_until(time.monotonic() - self._zero_s)
                if not self._port.is_plugged:
                    continue
                self._port.send(b"".join(map(self._line.carry, frames)))
                if self._is_stalled:
                    continue
                for answer in self._device.receive(self._port.exchange(0.0)):
                    self._port.send(self._line.carry(answer))
                self._sent_at = time.monotonic()
        finally:
            self._port.unplug()

    async def be_away(self, seconds: float) -> Fault:
        """Its port is gone for so long."""
        self._port.unplug()
        await asyncio.sleep(seconds)
        self._port.plug()
        return Fault(None, time.monotonic())

    async def _pull(self, random: Random) -> Fault:
        return await self.be_away(random.uniform(0.5, 8.0))

    async def _stall(self, random: Random) -> Fault:
        silent_at = await self._stalled(random.uniform(4.0, 8.0))
        return Fault(silent_at, time.monotonic())

    async def _hold_back(self, random: Random) -> Fault:
        await self._stalled(random.uniform(0.5, 2.5))
        return Fault(None, time.monotonic())

    async def _stalled(self, seconds: float) -> float:
        """For so long; when the last data left."""
        self._is_stalled, silent_at = True, self._sent_at
        await asyncio.sleep(seconds)
        self._is_stalled = False
        return silent_at

    async def _restart(self, _random: Random) -> Fault:
        self._port.unplug()
        await asyncio.sleep(_REBOOT_S)
        self._start()
        self._port.plug()
        return Fault(None, time.monotonic())

    def _misbehave(self, faults: Faults) -> None:
        self._line.faults = faults


class OwnSensor(WiredSensor):
    """One of the own protocol, whose frames tell by themselves when a bit is wrong: an ECG and
    numbers."""

    def __init__(self, name: str, port: Path) -> None:
        recording = numbered_ecg(_RATE_HZ)
        make = lambda starts: SimulatedSensor(recording, starts)  # noqa: E731
        super().__init__(name, "serial", port, make, _RATE_HZ, lead=1)
        self.faults |= {
            "bits turned": burst(self._misbehave, Faults(bit_flip=0.2)),
            "frames twice, in another order": burst(
                self._misbehave, Faults(duplicate=0.2, reorder=0.2)
            ),
        }


def board(name: str, driver: str, port: Path) -> WiredSensor:
    """A board of the catalogue."""
    kind = BOARDS[driver]
    rate_hz = int(kind.rate_hz)
    recording = numbers(rate_hz)
    return WiredSensor(
        name, driver, port, lambda _starts: kind.make(recording, 0.0), rate_hz, lead=0
    )
