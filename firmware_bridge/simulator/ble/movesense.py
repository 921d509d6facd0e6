"""An emulated Movesense sensor."""

import struct
from typing import Final

import numpy as np
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.straps import movesense_gsp
from firmware_bridge.straps.movesense_gsp import Reply

_OK: Final = 200
_NOT_FOUND: Final = 404
_NOT_IMPLEMENTED: Final = 501
_OVERHEAD_BYTES: Final = 5
"""Of a notification: three of the attribute protocol, code and reference."""
_FORMS: Final = {
    movesense_gsp.ecg_path(rate_hz, short=short): (rate_hz, short)
    for rate_hz in movesense_gsp.RATES_HZ
    for short in (False, True)
}
"""What can be subscribed to: rate and form by path."""


class EmulatedMovesense(EmulatedStrap):
    """A Movesense sensor: ECG in packets of 16 samples, in two notifications where they do not
    fit into one. `has_short_form`: its firmware knows `/mV`."""

    _SAMPLES: Final = 16
    has_short_form = True
    _zero_s = 0.0

    def _services(self) -> list[Service]:
        access: CharacteristicValue[bytes] = CharacteristicValue(write=self._take_command)
        command: Characteristic[bytes] = Characteristic(
            movesense_gsp.COMMAND,
            Characteristic.Properties.WRITE,
            Characteristic.WRITEABLE,
            access,
        )
        self._data = Characteristic(
            movesense_gsp.DATA, Characteristic.Properties.NOTIFY, Characteristic.READABLE, b""
        )
        return [*super()._services(), Service(movesense_gsp.SERVICE, [command, self._data])]

    def _rebooted(self) -> None:
        self._zero_s = self._elapsed_s()

    async def _take_command(self, connection: Connection, value: bytes) -> None:
        command = bytes(value)
        self.commands.append(command)
        if len(command) < 2:
            return
        self._run(self._carry_out(connection, command))

    async def _carry_out(self, connection: Connection, command: bytes) -> None:
        op, reference = command[0], command[1]
        if op == movesense_gsp.Request.UNSUBSCRIBE:
            self._end_streaming()
            status = _OK
        elif op == movesense_gsp.Request.SUBSCRIBE:
            status = self._subscribe(connection, reference, command[2:].decode("ascii", "replace"))
        else:
            status = _NOT_IMPLEMENTED
        answer = bytes((Reply.ANSWER, reference)) + struct.pack("<H", status)
        await self._device.notify_subscriber(connection, self._data, answer)

    def _subscribe(self, connection: Connection, reference: int, path: str) -> int:
        if path not in _FORMS or (_FORMS[path][1] and not self.has_short_form):
            return _NOT_FOUND
        rate_hz, short = _FORMS[path]

        async def send(first: int) -> None:
            body = self._body(rate_hz, first, short=short)
            room = connection.att_mtu - _OVERHEAD_BYTES
            await self._send(connection, self._data, _part(Reply.DATA, reference, body[:room]))
            if body[room:]:
                part_two = _part(Reply.PART_TWO, reference, body[room:])
                await self._send(connection, self._data, part_two)

        self._start_streaming(self._packets(rate_hz, self._SAMPLES, send))
        return _OK

    def _body(self, rate_hz: int, first: int, *, short: bool) -> bytes:
        stamp_ms = round((self._worn.time_of(rate_hz, first) - self._zero_s) * 1000)
        unit = movesense_gsp.MV_PER_COUNT_SHORT if short else movesense_gsp.MV_PER_COUNT
        counts = np.round(self._worn.millivolts(rate_hz, first, self._SAMPLES) / unit)
        stamp = struct.pack("<I", stamp_ms % movesense_gsp.STAMP_MODULUS_MS)
        return stamp + counts.astype("<i2" if short else "<i4").tobytes()


def _part(code: Reply, reference: int, data: bytes) -> bytes:
    return bytes((code, reference)) + data
