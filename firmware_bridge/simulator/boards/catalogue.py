"""The boards that can be simulated."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final

from firmware_bridge.simulator.boards.ad8232 import SimulatedAd8232
from firmware_bridge.simulator.boards.board import SimulatedBoard
from firmware_bridge.simulator.boards.cyton import SimulatedCyton
from firmware_bridge.simulator.boards.openview import (
    SimulatedAds1292r,
    SimulatedHealthyPi4,
    SimulatedHealthyPi5,
    SimulatedHealthyPi6,
    SimulatedMax30001,
)
from firmware_bridge.simulator.recording import Recording


@dataclass(frozen=True, slots=True)
class Simulated:
    """A kind of board: the rate it samples at, and what makes one of a recording at that rate and
    the error of its clock in ppm."""

    rate_hz: Fraction
    make: Callable[[Recording, float], SimulatedBoard]


BOARDS: Final[dict[str, Simulated]] = {
    "ads1292r": Simulated(Fraction(125), SimulatedAds1292r),
    "max30001": Simulated(Fraction(128), SimulatedMax30001),
    "healthypi3": Simulated(Fraction(125), partial(SimulatedHealthyPi4, version=3)),
    "healthypi4": Simulated(Fraction(125), SimulatedHealthyPi4),
    "healthypi5": Simulated(Fraction(128), SimulatedHealthyPi5),
    "healthypi6": Simulated(Fraction(500), SimulatedHealthyPi6),
    "cyton": Simulated(Fraction(250), SimulatedCyton),
    "ad8232": Simulated(Fraction(125), SimulatedAd8232),
}
UNTIMED: Final = ("ad8232",)
"""Boards whose rate is what their sketch happens to reach."""
