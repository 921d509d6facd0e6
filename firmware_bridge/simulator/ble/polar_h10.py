"""An emulated Polar H10."""

import contextlib
import struct
import time
from typing import Final

import numpy as np
from bumble import att
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.straps import polar_pmd

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


class EmulatedH10(EmulatedStrap):
    """A Polar H10: ECG at 130 Hz in packets of 73 samples."""

    _RATE_HZ: Final = 130
    _SAMPLES: Final = 73
    _FEATURES: Final = bytes.fromhex("0f05000000000000000000000000000000")
    _SETTINGS: Final = bytes.fromhex("f0010000000001820001010e00")
    _START: Final = bytes.fromhex("02000001820001010e00")

    def _services(self) -> list[Service]:
        self._zero_ns = time.time_ns() - polar_pmd.UNIX_MINUS_POLAR_EPOCH_NS
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
        if measurement != polar_pmd.Measurement.ECG:
            return bytes((0xF0, op, measurement, _UNSUPPORTED, 0))
        if op == polar_pmd.Command.SETTINGS:
            return self._SETTINGS
        if op == polar_pmd.Command.STOP:
            self._end_streaming()
            return bytes((0xF0, op, measurement, 0, 0))
        error = self._begin(connection, command) if op == polar_pmd.Command.START else _UNKNOWN
        return bytes((0xF0, op, measurement, error, 0, *([] if error else [0])))

    def _begin(self, connection: Connection, command: bytes) -> int:
        if self._streaming is not None:
            return polar_pmd.ALREADY_STREAMING
        if sorted(command[2:]) != sorted(self._START[2:]):
            return _BAD_PARAMETER
        self._start_streaming(
            self._packets(self._RATE_HZ, self._SAMPLES, lambda k: self._send_ecg(connection, k))
        )
        return 0

    async def _answer(self, connection: Connection, answer: bytes) -> None:
        with contextlib.suppress(att.ATT_Error, TimeoutError):
            await self._device.indicate_subscriber(connection, self._control, answer)

    async def _send_ecg(self, connection: Connection, first: int) -> None:
        last_s = self._worn.time_of(self._RATE_HZ, first + self._SAMPLES - 1)
        stamp_ns = self._zero_ns + int(last_s * _NS)
        millivolts = self._worn.millivolts(self._RATE_HZ, first, self._SAMPLES)
        microvolts = np.clip(np.round(millivolts * 1000), -(2**23), 2**23 - 1).astype(int)
        body = b"".join(v.to_bytes(3, "little", signed=True) for v in microvolts.tolist())
        await self._send(connection, self._data, b"\0" + struct.pack("<Q", stamp_ns) + b"\0" + body)
