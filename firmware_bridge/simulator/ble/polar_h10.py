"""An emulated Polar H10."""

import asyncio
import contextlib
import struct
import time
from typing import Final

import numpy as np
from bumble import att
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

from firmware_bridge.errors import ProtocolError
from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.straps import polar_pmd
from firmware_bridge.straps.polar_pmd import Command, Measurement, Setting

_PROPERTIES: Final = (
    Characteristic.Properties.READ
    | Characteristic.Properties.WRITE
    | Characteristic.Properties.INDICATE
)
_ACCESS: Final = Characteristic.READABLE | Characteristic.WRITEABLE
_EPOCH_AFTER_POWER_LOSS_NS: Final = 599_616_000_000_000_000
"""2019-01-01 since 2000: where an H10 that lost its power begins to count."""
_UNKNOWN: Final = 1
_UNSUPPORTED: Final = 3
_BAD_PARAMETER: Final = 5
_NS: Final = 1_000_000_000


_ACC_RATES_HZ: Final = (25, 50, 100, 200)
_ACC_SETTINGS: Final = bytes.fromhex(
    "f001020000 0004 1900 3200 6400 c800 0101 1000 0203 0200 0400 0800"
)
_ACC_SAMPLES: Final = 36
_RESOLUTION_BITS: Final = 16
_RANGES_G: Final = (2, 4, 8)


class EmulatedH10(EmulatedStrap):
    """A Polar H10: ECG at 130 Hz in packets of 73 samples, acceleration in packets of 36."""

    _RATE_HZ: Final = 130
    _SAMPLES: Final = 73
    _FEATURES: Final = bytes.fromhex("0f05000000000000000000000000000000")
    _SETTINGS: Final = bytes.fromhex("f0010000000001820001010e00")
    _START: Final = bytes.fromhex("02000001820001010e00")

    def _services(self) -> list[Service]:
        self._zero_ns = time.time_ns() - polar_pmd.UNIX_MINUS_POLAR_EPOCH_NS
        self._moving: asyncio.Task[None] | None = None
        access: CharacteristicValue[bytes] = CharacteristicValue(
            read=lambda _: self._FEATURES, write=self._take_command
        )
        self._control: Characteristic[bytes] = Characteristic(
            polar_pmd.CONTROL_POINT, _PROPERTIES, _ACCESS, access
        )
        self._data = Characteristic(
            polar_pmd.DATA, Characteristic.Properties.NOTIFY, Characteristic.READABLE, b""
        )
        return [*super()._services(), Service(polar_pmd.SERVICE, [self._control, self._data])]

    def _rebooted(self) -> None:
        self._zero_ns = _EPOCH_AFTER_POWER_LOSS_NS - int(self._elapsed_s() * _NS)

    async def _take_command(self, connection: Connection, value: bytes) -> None:
        command = bytes(value)
        self.commands.append(command)
        self._run(self._answer(connection, self._carry_out(connection, command)))

    def _carry_out(self, connection: Connection, command: bytes) -> bytes:
        op, measurement = command[0], command[1] if len(command) > 1 else 0xFF
        match (op, measurement):
            case (_, kind) if kind not in (Measurement.ECG, Measurement.ACC):
                error = _UNSUPPORTED
            case (Command.SETTINGS, _):
                return self._SETTINGS if measurement == Measurement.ECG else _ACC_SETTINGS
            case (Command.STOP, _):
                return self._stopped(op, measurement)
            case (Command.START, Measurement.ECG):
                error = self._begin(connection, command)
            case (Command.START, _):
                error = self._begin_moving(connection, command)
            case _:
                error = _UNKNOWN
        return bytes((0xF0, op, measurement, error, 0, *([] if error else [0])))

    def _stopped(self, op: int, measurement: int) -> bytes:
        if measurement == Measurement.ACC:
            self._stand_still()
        else:
            super()._end_streaming()
        return bytes((0xF0, op, measurement, 0, 0))

    def _begin(self, connection: Connection, command: bytes) -> int:
        if self._streaming is not None:
            return polar_pmd.ALREADY_STREAMING
        if sorted(command[2:]) != sorted(self._START[2:]):
            return _BAD_PARAMETER
        self._streaming = self._run(
            self._packets(self._RATE_HZ, self._SAMPLES, lambda k: self._send_ecg(connection, k))
        )
        return 0

    def _begin_moving(self, connection: Connection, command: bytes) -> int:
        if self._moving is not None:
            return polar_pmd.ALREADY_STREAMING
        try:
            chosen = polar_pmd.decode_settings(command[2:])
        except ProtocolError:
            return _BAD_PARAMETER
        (rate,) = chosen.get(Setting.RATE, (0,))
        (bits,) = chosen.get(Setting.RESOLUTION, (_RESOLUTION_BITS,))
        (range_g,) = chosen.get(Setting.RANGE, (0,))
        if rate not in _ACC_RATES_HZ or bits != _RESOLUTION_BITS or range_g not in _RANGES_G:
            return _BAD_PARAMETER
        self._moving = self._run(
            self._packets(rate, _ACC_SAMPLES, lambda k: self._send_acc(connection, rate, k))
        )
        return 0

    def _stand_still(self) -> None:
        if self._moving is not None:
            self._moving.cancel()
            self._moving = None

    def _end_streaming(self) -> None:
        self._stand_still()
        super()._end_streaming()

    async def _answer(self, connection: Connection, answer: bytes) -> None:
        with contextlib.suppress(att.ATT_Error, TimeoutError):
            await self._device.indicate_subscriber(connection, self._control, answer)

    async def _send_ecg(self, connection: Connection, first: int) -> None:
        millivolts = self._worn.millivolts(self._RATE_HZ, first, self._SAMPLES)
        microvolts = np.clip(np.round(millivolts * 1000), -(2**23), 2**23 - 1).astype(int)
        body = b"".join(v.to_bytes(3, "little", signed=True) for v in microvolts.tolist())
        last_s = self._worn.time_of(self._RATE_HZ, first + self._SAMPLES - 1)
        await self._send_frame(connection, Measurement.ECG, last_s, b"\0" + body)

    async def _send_acc(self, connection: Connection, rate_hz: int, first: int) -> None:
        milli_g = self._worn.milli_g(rate_hz, first, _ACC_SAMPLES)
        last_s = self._worn.time_of(rate_hz, first + _ACC_SAMPLES - 1)
        body = b"\x01" + milli_g.astype("<i2").tobytes()
        await self._send_frame(connection, Measurement.ACC, last_s, body)

    async def _send_frame(
        self, connection: Connection, measurement: Measurement, last_s: float, body: bytes
    ) -> None:
        stamp_ns = self._zero_ns + int(last_s * _NS)
        frame = bytes((measurement,)) + struct.pack("<Q", stamp_ns) + body
        await self._send(connection, self._data, frame)
