"""Movesense's GATT Sensordata Protocol (GSP): ECG of the Movesense sensors. No I/O.

Facts are those of Movesense's public firmware samples (GATTSensorDataClient), `ecg.yaml` of its
device library and its protocol page. Commands are `[command, reference, ...]`; answers and data
carry the reference back. A notification that is too long for the link comes in two: the second
begins with another code (PART_TWO).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import ProtocolError

SERVICE: Final = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMAND: Final = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA: Final = "34800002-7185-4d5d-b431-630e7050e8f0"

RATES_HZ: Final = (125, 128, 200, 250, 256, 500, 512)
MV_PER_COUNT: Final = 0.000381469726563
"""Of the 32-bit form: 1.6 V over 2^22 (`ecg.yaml`)."""
MV_PER_COUNT_SHORT: Final = 0.001
"""Of the 16-bit `/mV` form of firmware 2.3 and later."""
STAMP_MODULUS_MS: Final = 1 << 32

_STAMP_BYTES: Final = 4
_PACKET_SAMPLES: Final = 16
"""Of every ECG packet (`ecg.yaml`); less is the first part of one."""
_LONGEST_BYTES: Final = 512
_OK: Final = 200
_STATUS: Final = {
    400: "the request is not understood",
    404: "it does not know this path",
    409: "it is busy with another client",
    501: "this measurement is not supported",
    503: "it is not ready",
    507: "it has no room for another subscription",
}


class Request(IntEnum):
    """Commands to the sensor."""

    HELLO = 0
    SUBSCRIBE = 1
    UNSUBSCRIBE = 2
    GET = 4


class Reply(IntEnum):
    """First byte of a notification."""

    ANSWER = 1
    DATA = 2
    PART_TWO = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """The sensor's answer to the command with this reference."""

    reference: int
    status: int

    @property
    def is_ok(self) -> bool:
        """The command was carried out."""
        return self.status == _OK

    @property
    def reason(self) -> str:
        """The status in words."""
        return _STATUS.get(self.status, f"status {self.status}")


@dataclass(frozen=True, slots=True, eq=False)
class EcgPacket:
    """`millivolts` float32 (n,), the first taken at `stamp_ms` of the sensor's relative clock."""

    reference: int
    stamp_ms: int
    millivolts: NDArray[np.float32]


def ecg_path(rate_hz: int, *, short: bool) -> str:
    """The resource to subscribe to. `short`: 16-bit samples of 1 µV, which halve the traffic."""
    return f"/Meas/ECG/{rate_hz}" + ("/mV" if short else "")


def subscribe(reference: int, path: str) -> bytes:
    """The command that starts data under `reference` (1 to 255)."""
    return bytes((Request.SUBSCRIBE, reference)) + path.encode("ascii")


def unsubscribe(reference: int) -> bytes:
    """The command that ends them."""
    return bytes((Request.UNSUBSCRIBE, reference))


def hello(reference: int) -> bytes:
    """Ask what the sensor is."""
    return bytes((Request.HELLO, reference))


def decode_answer(value: bytes) -> Answer:
    """An answer to anything but HELLO. Raises ProtocolError.

    The first sample firmware sent its 507 with the bytes exchanged; it is understood.
    """
    if len(value) < 4 or value[0] != Reply.ANSWER:
        raise ProtocolError(f"not an answer of a Movesense sensor: {value[:16].hex()}")
    status = int.from_bytes(value[2:4], "little")
    if status > 0xFF and status not in _STATUS and value[2] == 1:
        status = int.from_bytes(value[2:4], "big")
    return Answer(value[1], status)


class EcgReader:
    """Push parser of the data notifications of one subscription, in either form.

    A first part whose second never comes is dropped; the next packet's stamp tells the loss.
    """

    def __init__(self, reference: int, *, short: bool) -> None:
        self._reference = reference
        self._short = short
        self._part_one = b""

    def feed(self, value: bytes) -> EcgPacket | None:
        """The packet that `value` completes; None while its second part is awaited, or where it
        is data of another subscription. Raises ProtocolError; what was pending is then dropped."""
        pending, self._part_one = self._part_one, b""
        if len(value) < 3 or len(value) > _LONGEST_BYTES:
            raise ProtocolError(f"a Movesense notification of {len(value)} bytes")
        if value[1] != self._reference:
            self._part_one = pending
            return None
        if value[0] == Reply.DATA:
            body = value[2:]
            if len(body) < _STAMP_BYTES + _PACKET_SAMPLES * self._sample_bytes:
                self._part_one = body
                return None
            return self._packet(body)
        if value[0] == Reply.PART_TWO:
            if not pending:
                raise ProtocolError("the second part of a Movesense packet without its first")
            return self._packet(pending + value[2:])
        raise ProtocolError(f"not data of a Movesense sensor: {value[:16].hex()}")

    def _packet(self, body: bytes) -> EcgPacket:
        samples = body[_STAMP_BYTES:]
        if not samples or len(samples) % self._sample_bytes:
            raise ProtocolError(f"a Movesense ECG packet of {len(body)} bytes")
        kind, scale = ("<i2", MV_PER_COUNT_SHORT) if self._short else ("<i4", MV_PER_COUNT)
        millivolts = (np.frombuffer(samples, kind) * scale).astype(np.float32)
        return EcgPacket(self._reference, int.from_bytes(body[:_STAMP_BYTES], "little"), millivolts)

    @property
    def _sample_bytes(self) -> int:
        return 2 if self._short else 4
