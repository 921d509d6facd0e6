"""Polar Measurement Data (PMD): ECG and acceleration of the H10 and its family. No I/O.

Facts are those of Polar's public SDK and its tests (docs of `polar-ble-sdk`: EcgDataTest,
PmdControlPointResponse, PmdSetting). One notification carries one frame: measurement type, the
stamp of its *last* sample, a frame type and the samples. ECG frame types 0 to 3 are read, and
acceleration of types 0 to 2; compressed frames (high bit of the type), which straps with an ECG do
not send, are refused.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import ProtocolError

SERVICE: Final = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

UNIX_MINUS_POLAR_EPOCH_NS: Final = 946_684_800_000_000_000
"""Stamps count nanoseconds from 2000-01-01."""

_HEADER_BYTES: Final = 10
_LONGEST_FRAME: Final = 512
"""The longest attribute value that Bluetooth allows."""
_ANSWER: Final = 0xF0
_STOPPED_BY_DEVICE: Final = 0x01
_MICROVOLTS_PER_MV: Final = 1000
_FEATURES: Final = 0x0F


class Measurement(IntEnum):
    """What a PMD device can stream, as far as it is used here."""

    ECG = 0
    ACC = 2


class Command(IntEnum):
    """Op codes of the control point."""

    SETTINGS = 1
    START = 2
    STOP = 3


class Setting(IntEnum):
    """What can be chosen about a measurement."""

    RATE = 0
    RESOLUTION = 1
    RANGE = 2
    CHANNELS = 4


_SETTING_BYTES: Final = {
    Setting.RATE: 2,
    Setting.RESOLUTION: 2,
    Setting.RANGE: 2,
    Setting.CHANNELS: 1,
}
_ERRORS: Final = {
    1: "it does not know this command",
    2: "it does not know this measurement",
    3: "this measurement is not supported",
    4: "the command has a wrong length",
    5: "a parameter is wrong",
    6: "it is streaming already",
    7: "this resolution is not supported",
    8: "this sampling rate is not supported",
    9: "this range is not supported",
    10: "the link's packets (MTU) are too small",
    11: "this number of channels is not supported",
    12: "it is in a state that does not allow it",
    13: "it is in its charger",
    14: "its memory is full",
}
ALREADY_STREAMING: Final = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """The control point's answer to `command` on `measurement`; `error` 0 is success."""

    command: int
    measurement: int
    error: int
    parameters: bytes

    @property
    def reason(self) -> str:
        """The error in words."""
        return _ERRORS.get(self.error, f"error {self.error}")


@dataclass(frozen=True, slots=True)
class StoppedByDevice:
    """The device ended these measurements by itself."""

    measurements: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EcgFrame:
    """`millivolts` float32 (n,), the last of them taken at `stamp_ns` since 2000-01-01.

    `contact` is the electrode bit of the last sample, None where the frame type has none; `paced`
    holds the positions of samples with a pacemaker mark.
    """

    stamp_ns: int
    millivolts: NDArray[np.float32]
    contact: bool | None = None
    paced: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AccFrame:
    """Acceleration in mG, float32 (n, 3) of x, y and z, the last taken at `stamp_ns` since 2000."""

    stamp_ns: int
    milli_g: NDArray[np.float32]


def settings_command(measurement: Measurement) -> bytes:
    """Ask what can be chosen."""
    return bytes((Command.SETTINGS, measurement))


def start_command(measurement: Measurement, chosen: dict[Setting, int]) -> bytes:
    """Start to stream with one value for each setting."""
    command = bytes((Command.START, measurement))
    for setting in sorted(chosen):
        value = chosen[setting].to_bytes(_SETTING_BYTES[setting], "little")
        command += bytes((setting, 1)) + value
    return command


def stop_command(measurement: Measurement) -> bytes:
    """Stop to stream."""
    return bytes((Command.STOP, measurement))


def decode_features(value: bytes) -> frozenset[int]:
    """The measurements that reading the control point announces. Raises ProtocolError."""
    if len(value) < 2 or value[0] != _FEATURES:
        raise ProtocolError(f"not a PMD feature list: {value[:16].hex()}")
    return frozenset(bit for bit in range(8) if value[1] >> bit & 1)


def decode_control(value: bytes) -> Answer | StoppedByDevice:
    """What an indication of the control point says. Raises ProtocolError."""
    if value[:1] == bytes((_STOPPED_BY_DEVICE,)):
        return StoppedByDevice(tuple(value[1:]))
    if len(value) < 4 or value[0] != _ANSWER:
        raise ProtocolError(f"not a PMD answer: {value[:16].hex()}")
    # Byte 4 says whether more parameters follow in another indication; stop has none at all.
    return Answer(value[1], value[2], value[3], value[5:])


def decode_settings(parameters: bytes) -> dict[Setting, tuple[int, ...]]:
    """The values offered for each setting that is known here. Raises ProtocolError."""
    offered: dict[Setting, tuple[int, ...]] = {}
    position = 0
    while position < len(parameters):
        kind, count = parameters[position], parameters[position + 1 : position + 2]
        if not count or kind not in _SETTING_BYTES:
            raise ProtocolError(f"PMD settings make no sense: {parameters.hex()}")
        setting = Setting(kind)
        size = _SETTING_BYTES[setting]
        values = parameters[position + 2 : position + 2 + count[0] * size]
        if len(values) != count[0] * size:
            raise ProtocolError(f"PMD settings are cut short: {parameters.hex()}")
        offered[setting] = tuple(
            int.from_bytes(values[k : k + size], "little") for k in range(0, len(values), size)
        )
        position += 2 + len(values)
    return offered


def measurement_of(frame: bytes) -> int:
    """What a notification of the data characteristic carries; -1 where it is empty."""
    return frame[0] & 0x3F if frame else -1


def decode_ecg(frame: bytes) -> EcgFrame:
    """One notification with ECG. Raises ProtocolError."""
    stamp_ns, kind, samples = _opened(frame, Measurement.ECG)
    size = 7 if kind == 3 else 3
    if kind > 3 or len(samples) % size:
        raise ProtocolError(f"a PMD ECG frame of type {kind} with {len(samples)} bytes of samples")
    rows = samples.reshape(-1, size).astype(np.int32)
    if kind == 0:
        return EcgFrame(stamp_ns, _millivolts(_int24(rows)))
    if kind == 1:  # 14 bit; then oversampling, contact and impedance in the third byte
        value = rows[:, 0] | (rows[:, 1] & 0x3F) << 8
        return EcgFrame(stamp_ns, _millivolts(value), contact=bool(rows[-1, 2] >> 1 & 3))
    if kind == 2:  # 18 bit; then the ECG tag and the pace tag
        value = rows[:, 0] | rows[:, 1] << 8 | (rows[:, 2] & 3) << 16
        paced = tuple(np.flatnonzero(rows[:, 2] >> 5).tolist())
        return EcgFrame(stamp_ns, _millivolts(value), paced=paced)
    # Two 24-bit channels and a status; the first channel is the ECG.
    return EcgFrame(stamp_ns, _millivolts(_int24(rows)))


def decode_acc(frame: bytes) -> AccFrame:
    """One notification with acceleration: frame type k has k + 1 bytes an axis. Raises
    ProtocolError."""
    stamp_ns, kind, samples = _opened(frame, Measurement.ACC)
    size = kind + 1
    if kind > 2 or len(samples) % (3 * size):
        raise ProtocolError(f"a PMD ACC frame of type {kind} with {len(samples)} bytes of samples")
    parts = samples.reshape(-1, 3, size).astype(np.int32)
    value = sum((parts[:, :, k] << 8 * k for k in range(size)), np.zeros((), np.int32))
    sign = 1 << (8 * size - 1)
    return AccFrame(stamp_ns, ((value ^ sign) - sign).astype(np.float32))


def _opened(frame: bytes, measurement: Measurement) -> tuple[int, int, NDArray[np.uint8]]:
    """Stamp, frame type and the bytes of samples. Raises ProtocolError."""
    if not _HEADER_BYTES < len(frame) <= _LONGEST_FRAME:
        raise ProtocolError(f"a PMD frame of {len(frame)} bytes")
    if measurement_of(frame) != measurement:
        raise ProtocolError(
            f"a PMD frame of measurement {measurement_of(frame)}, not {measurement.name}"
        )
    samples = np.frombuffer(frame, np.uint8, offset=_HEADER_BYTES)
    return int.from_bytes(frame[1:9], "little"), frame[9], samples


def _int24(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    value = rows[:, 0] | rows[:, 1] << 8 | rows[:, 2] << 16
    return (value ^ 0x800000) - 0x800000


def _millivolts(microvolts: NDArray[np.int32]) -> NDArray[np.float32]:
    return microvolts.astype(np.float32) / np.float32(_MICROVOLTS_PER_MV)
