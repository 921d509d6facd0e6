"""Which families of straps there are, and how a device is told to be of one."""

from collections.abc import Callable
from typing import Final

from firmware_bridge.errors import UsageError
from firmware_bridge.links.conversing import Conversation
from firmware_bridge.links.gatt import Wanted
from firmware_bridge.links.heart_rate_strap import HeartRateStrap
from firmware_bridge.links.movesense_strap import MovesenseStrap
from firmware_bridge.links.own_sensor import OwnSensor
from firmware_bridge.links.polar_strap import PolarStrap
from firmware_bridge.straps import heart_rate, movesense_gsp, own_service, polar_pmd

FAMILIES: Final[dict[str, Callable[[Wanted], Conversation]]] = {
    "ecg-edge": OwnSensor,
    "polar": PolarStrap,
    "movesense": MovesenseStrap,
    "heart-rate": HeartRateStrap,
}
"""In the order in which a device that has several is taken for one: ECG first."""

GUARDED: Final = {"ecg-edge": own_service.DATA}
"""Families that let nobody in without a proven bond, and what they guard."""


def family_of(characteristics: frozenset[str]) -> str:
    """The family of a device with these characteristics. Raises UsageError."""
    signs = {
        "ecg-edge": own_service.DATA,
        "polar": polar_pmd.DATA,
        "movesense": movesense_gsp.DATA,
        "heart-rate": heart_rate.MEASUREMENT,
    }
    for family in FAMILIES:
        if signs[family] in characteristics:
            return family
    raise UsageError("this device offers neither ECG nor heart rate that is known here")
