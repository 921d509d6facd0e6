"""The straps that `simulate --device` offers."""

from typing import Final

from firmware_bridge.simulator.ble.movesense import EmulatedMovesense
from firmware_bridge.simulator.ble.own_sensor import EmulatedSensor
from firmware_bridge.simulator.ble.polar_h10 import EmulatedH10
from firmware_bridge.simulator.ble.strap import EmulatedStrap, Identity

STRAPS: Final[dict[str, tuple[type[EmulatedStrap], Identity]]] = {
    "h10": (
        EmulatedH10,
        Identity(
            "C4:A1:B2:C3:D4:E5", "Polar H10 A1B2C3D4", "Polar Electro Oy", "H10", "A1B2C3D4", 232
        ),
    ),
    "movesense": (
        EmulatedMovesense,
        Identity(
            "C4:A1:B2:C3:D4:E6",
            "Movesense 220330000122",
            "Movesense",
            "Movesense",
            "220330000122",
            161,
        ),
    ),
    "strap": (
        EmulatedStrap,
        Identity("C4:A1:B2:C3:D4:E7", "HR strap 7", "Nobody", "HRS-1", "S-0007", 64),
    ),
    "ble-sensor": (
        EmulatedSensor,
        Identity(
            "C4:A1:B2:C3:D4:E8", "ecg-edge 1", "ecg-edge", "BLE sensor", "SIM-0001", 247, 123456
        ),
    ),
}
