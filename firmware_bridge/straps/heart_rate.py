"""The Bluetooth Heart Rate and Battery services (assigned numbers 0x180D, 0x180F). No I/O."""

from dataclasses import dataclass
from typing import Final

from firmware_bridge.errors import ProtocolError

SERVICE: Final = "0000180d-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL: Final = "00002a19-0000-1000-8000-00805f9b34fb"

RR_PER_SECOND: Final = 1024
"""RR intervals are counted in 1/1024 s."""

_WIDE_RATE: Final = 1 << 0
_CONTACT_DETECTED: Final = 1 << 1
_CONTACT_SUPPORTED: Final = 1 << 2
_HAS_ENERGY: Final = 1 << 3
_HAS_RR: Final = 1 << 4


@dataclass(frozen=True, slots=True)
class HeartRate:
    """One measurement. `contact` is None where the strap cannot tell; `rr_1024` holds the RR
    intervals since the last measurement, the oldest first, in 1/1024 s."""

    bpm: int
    contact: bool | None
    energy_kj: int | None
    rr_1024: tuple[int, ...]

    @property
    def rr_s(self) -> tuple[float, ...]:
        """RR intervals in seconds; a strap's zeros, which are none, are left out."""
        return tuple(rr / RR_PER_SECOND for rr in self.rr_1024 if rr)


def decode_measurement(value: bytes) -> HeartRate:
    """A notification of 0x2A37. Raises ProtocolError.

    An odd byte behind the last RR interval is ignored, as other clients do.
    """
    if len(value) < 2:
        raise ProtocolError(f"a heart rate measurement of {len(value)} bytes")
    flags = value[0]
    position = 3 if flags & _WIDE_RATE else 2
    energy_end = position + (2 if flags & _HAS_ENERGY else 0)
    if len(value) < energy_end:
        raise ProtocolError(f"a heart rate measurement is cut short: {value.hex()}")
    energy = int.from_bytes(value[position:energy_end], "little") if energy_end > position else None
    rr: tuple[int, ...] = ()
    if flags & _HAS_RR:
        rr = tuple(
            int.from_bytes(value[k : k + 2], "little") for k in range(energy_end, len(value) - 1, 2)
        )
    contact = bool(flags & _CONTACT_DETECTED) if flags & _CONTACT_SUPPORTED else None
    return HeartRate(int.from_bytes(value[1:position], "little"), contact, energy, rr)


def decode_battery(value: bytes) -> float | None:
    """Percent of 0x2A19; None for what is no percentage."""
    return float(value[0]) if len(value) == 1 and value[0] <= 100 else None
