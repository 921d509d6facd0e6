"""Rules that say nothing, and what they would need: told by `check` and at the start."""

from typing import Final, NamedTuple


class Missing(NamedTuple):
    """A rule of the table that is not in force, and why."""

    rule: str
    needs: str


_RHYTHM: Final = "a rhythm bundle, which this set does not hold"

ON_CONDITION: Final = (
    Missing("pacer_not_capturing", "a device that sends pace marks; rests until the first"),
    Missing("pacer_not_pacing", "a device that sends pace marks; rests until the first"),
    Missing("battery_low", "a device that tells its charge"),
)
"""In force once the device sends what they need."""


def not_in_force(*, rhythm: bool) -> tuple[Missing, ...]:
    """What a bundle set with or without a rhythm bundle leaves silent.

    `irregular_rhythm` speaks as long as nothing claims AF.
    """
    return () if rhythm else (Missing("atrial_fibrillation", _RHYTHM),)
