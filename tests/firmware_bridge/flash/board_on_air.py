"""An emulated board as a Bluetooth peripheral: the own sensor's service and SMP's beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from firmware_bridge.links.gatt import SMP_CHARACTERISTIC
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble.own_sensor import EmulatedSensor
from firmware_bridge.simulator.ble.radio import radio_device
from firmware_bridge.simulator.ble.strap import Identity
from firmware_bridge.simulator.ble.worn import Worn
from firmware_bridge.simulator.faults import Faults
from tests.firmware_bridge.flash.board_on_wire import BOOT_S, Wire
from tests.firmware_bridge.flash.emulated_board import GARBAGE, STREAMS, EmulatedBoard
from tests.firmware_bridge.simulated import numbered
from tests.firmware_bridge.simulator.on_the_air import bluez

SMP_SERVICE = "8d53dc1d-1db7-4cd3-868b-8a527460aa84"
IDENTITY = replace(STRAPS["ble-sensor"][1], address="C4:A1:B2:C3:D4:E9", name="ecg-edge 2")
ADDRESS = IDENTITY.address


class BoardOnAir(EmulatedSensor):
    """What it does, it does as `board` says; what goes wrong, goes wrong as `wire` says."""

    def __init__(self, board: EmulatedBoard, wire: Wire, device: Any, identity: Identity) -> None:
        self.board, self.wire = board, wire
        self._asked = bytearray()
        self._noise = np.random.default_rng(5)
        self._BATTERY_PERCENT = wire.battery_percent or 0  # type: ignore[misc]
        super().__init__(device, identity, Worn(numbered()), Faults())

    def _services(self) -> list[Service]:
        properties = Characteristic.Properties.WRITE_WITHOUT_RESPONSE
        properties |= Characteristic.Properties.NOTIFY
        self._smp = self.guard.notified(SMP_CHARACTERISTIC, properties, self._take_smp)
        return [*super()._services(), Service(SMP_SERVICE, [self._smp])]

    async def _take_command(self, connection: Connection, value: bytes) -> None:
        if self.board.behaviour in (STREAMS, GARBAGE):
            await super()._take_command(connection, value)

    def _frames(self) -> list[bytes]:
        frames = super()._frames()
        if self.board.behaviour == GARBAGE:
            return [self._noise.bytes(len(frame)) for frame in frames]
        return frames

    async def _take_smp(self, connection: Connection, value: bytes) -> None:
        """Writes are put together to messages, as Zephyr does."""
        self._asked += value
        while len(self._asked) >= 8:
            end = 8 + int.from_bytes(self._asked[2:4], "big")
            if len(self._asked) < end:
                return
            answer = self.board.handle(bytes(self._asked[:end]))
            del self._asked[:end]
            await self._answer(connection, answer)
            if self.board.reset_asked:
                self._run(self._reset())
            elif self._is_cut():
                self._run(self._go_away(self.wire.unplugged_s))

    async def _answer(self, connection: Connection, answer: bytes) -> None:
        room = connection.att_mtu - 3
        for at in range(0, len(answer), room):
            part = answer[at : at + room]
            await self._device.notify_subscriber(connection, self._smp, part)

    def _is_cut(self) -> bool:
        cuts = self.wire.cut_at_bytes
        if not cuts or self.board.received_bytes < cuts[0]:
            return False
        cuts.pop(0)
        return True

    async def _reset(self) -> None:
        await self._go_away(BOOT_S)

    async def _go_away(self, seconds: float) -> None:
        await self.leave()
        self._asked.clear()
        await asyncio.sleep(seconds)
        if self.board.reset_asked:
            self.board.boot()
            while not self.board.is_alive and self.board.has_watchdog:
                self.board.boot()
            self._begin_anew()
        await self.come_back()


@asynccontextmanager
async def on_air(
    board: EmulatedBoard, wire: Wire | None = None, *, guarded: bool = True
) -> AsyncIterator[BoardOnAir]:
    """The board, and the Bluetooth service that sees it. `guarded`: it wants a bond."""
    identity = IDENTITY if guarded else replace(IDENTITY, passkey=None)
    async with bluez() as link:
        radio = radio_device(link, identity.address, identity.name)
        on_air_ = BoardOnAir(board, wire or Wire(), radio, identity)
        await on_air_.start()
        try:
            yield on_air_
        finally:
            await on_air_.stop()
