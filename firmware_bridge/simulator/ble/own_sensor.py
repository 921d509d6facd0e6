"""An emulated sensor with this project's own GATT service."""

import asyncio
from typing import ClassVar, Final

from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.simulator.sensor import SimulatedSensor
from firmware_bridge.straps import own_service

_SEND_EVERY_S: Final = 0.1
"""Full notifications cost a radio less than many short ones."""


class EmulatedSensor(EmulatedStrap):
    """The simulated sensor behind a GATT service that wants a bond made with its passkey. It has no
    heart rate service."""

    _ADVERTISED: ClassVar[UUID] = UUID(own_service.SERVICE)
    _BATTERY_PERCENT: ClassVar[int] = 100
    _boot = 0

    def _services(self) -> list[Service]:
        write = Characteristic.Properties.WRITE
        command = self.guard.written(own_service.COMMAND, write, self._take_command)
        self._data = self.guard.notified(own_service.DATA)
        self._begin_anew()
        return [Service(own_service.SERVICE, [command, self._data])]

    async def _attend(self, connection: Connection) -> None:
        """It streams when it is told to."""

    def _rebooted(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._boot += 1
        self._sensor = SimulatedSensor(self._worn.recording, self._boot, self._worn.clock_ppm)
        self._zero_s = self._elapsed_s() if self._boot > 1 else 0.0

    def _frames(self) -> list[bytes]:
        return self._sensor.frames_until(self._elapsed_s() - self._zero_s)

    async def _take_command(self, connection: Connection, value: bytes) -> None:
        self.commands.append(value)
        self._run(self._carry_out(connection, value))

    async def _carry_out(self, connection: Connection, command: bytes) -> None:
        if self._streaming is None:
            self._sensor.streaming = False
            self._frames()  # what was sampled while nobody listened is gone
        await self._notify(connection, self._sensor.receive(command))
        if not self._sensor.streaming:
            self._end_streaming()
        elif self._streaming is None:
            self._start_streaming(self._stream(connection))

    async def _stream(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(_SEND_EVERY_S)
            await self._notify(connection, self._frames())

    async def _notify(self, connection: Connection, frames: list[bytes]) -> None:
        room = connection.att_mtu - own_service.NOTIFICATION_OVERHEAD_BYTES
        for value in own_service.notifications(frames, room):
            await self._send(connection, self._data, value)
