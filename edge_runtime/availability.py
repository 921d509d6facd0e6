"""Can a source be said to be monitored: one answer for page, metrics and messages."""

from enum import StrEnum
from typing import Final

NO_SIGNAL_AFTER_S: Final = 5.0


class Availability(StrEnum):
    """Can this source be said to be monitored."""

    ONLINE = "online"
    NO_SIGNAL = "no_signal"
    OFFLINE = "offline"


def availability(*, link_up: bool, age_s: float | None) -> Availability:
    """`age_s`: how long ago the last sample arrived, None for never."""
    if age_s is None or not link_up:
        return Availability.OFFLINE
    return Availability.NO_SIGNAL if age_s > NO_SIGNAL_AFTER_S else Availability.ONLINE
