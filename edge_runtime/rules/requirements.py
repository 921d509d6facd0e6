"""Rules that say nothing, and what they would need: told by `check` and at the start."""

from typing import Final, NamedTuple


class Missing(NamedTuple):
    """A rule of the table that is not in force, and why."""

    rule: str
    needs: str


_RHYTHM: Final = "a rhythm bundle, which this set does not hold"

NOT_IN_FORCE: Final = (
    Missing("af_start", _RHYTHM),
    Missing("af_end", _RHYTHM),
)
"""`irregular_rhythm` speaks as long as nothing claims AF."""

ON_CONDITION: Final = (
    Missing("pacer_not_capturing", "a device that sends pace marks; rests until the first"),
    Missing("pacer_not_pacing", "a device that sends pace marks; rests until the first"),
    Missing("battery_low", "a device that tells its charge"),
)
"""In force once the device sends what they need."""
