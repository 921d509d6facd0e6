"""Names that `driver =` may have, without what the drivers import.

Another package brings a driver by an entry point in the group `ecg_edge.drivers`; the entry point's
name is what the configuration says (docs/drivers.md).
"""

from importlib import metadata
from typing import Final, NewType

DriverName = NewType("DriverName", str)

OWN_PROTOCOL: Final = DriverName("serial")
GROUP: Final = "ecg_edge.drivers"
BOARD_NAMES: Final = (
    "ads1292r",
    "max30001",
    "healthypi3",
    "healthypi4",
    "healthypi5",
    "healthypi6",
    "cyton",
    "ad8232",
)
"""Boards in formats of their own; keys of `boards.catalogue.BOARDS`."""
LSL: Final = "lsl"
OWN_NAMES: Final = (OWN_PROTOCOL, "ble", *BOARD_NAMES, LSL)
"""`serial` is the own protocol on a serial port, `ble` a strap over Bluetooth, `lsl` a stream of
the Lab Streaming Layer."""


def brought() -> dict[str, metadata.EntryPoint]:
    """Drivers of other packages, by name. Ours cannot be replaced."""
    found = metadata.entry_points(group=GROUP)
    return {point.name: point for point in found if point.name not in OWN_NAMES}


def driver_names() -> tuple[str, ...]:
    """Every name that stands for a driver on this machine."""
    return (*OWN_NAMES, *sorted(brought()))
