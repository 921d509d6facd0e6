"""What a person writes for a device, and the transport that goes with it."""

import re
from dataclasses import dataclass
from typing import Final

from firmware_bridge.errors import UsageError


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A serial port."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class UdpAddress:
    """An SMP server on the network."""

    host: str
    port: int = 1337

    def __str__(self) -> str:
        return f"udp:{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BleAddress:
    """A device over Bluetooth Low Energy."""

    address: str

    def __str__(self) -> str:
        return self.address


Address = SerialAddress | UdpAddress | BleAddress
ESP32_PREFIX: Final = "esp32:"
_BLUETOOTH: Final = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}", re.IGNORECASE)


def parse_address(text: str) -> Address:
    """`/dev/ttyACM0`, `udp:HOST[:PORT]` (IPv6 in brackets) or a Bluetooth address.

    Raises UsageError.
    """
    if _BLUETOOTH.fullmatch(text):
        return BleAddress(text.upper())
    if text.startswith(ESP32_PREFIX):
        raise UsageError(f"{text}: the ESP32's ROM can only be given to `flash`, one at a time")
    if not text.startswith("udp:"):
        if not text.startswith(("/", ".")) and ":" in text:
            raise UsageError(
                f"{text!r}: give a serial port's path, udp:HOST[:PORT], or a Bluetooth address"
            )
        return SerialAddress(text)
    rest = text.removeprefix("udp:")
    host, _, port = rest.rpartition(":") if _has_port(rest) else (rest, "", "1337")
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} is not udp:HOST[:PORT]")
    return UdpAddress(host, int(port))


def _has_port(text: str) -> bool:
    return ":" in (text.rpartition("]")[2] if text.startswith("[") else text)
