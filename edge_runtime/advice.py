"""Bad input, said once in words that tell a person what to do.

The events of quality and gaps say what is wrong from moment to moment; a notice explains it the
first time it happens on a lead in a session.
"""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import Notice
from edge_runtime.signal.windows import R_AT

_QUALITY: Final = {
    "invalid samples": ("not_a_number", "sends values that are no numbers; update the firmware"),
    "flat line": ("flat_line", "shows a flat line; check electrodes and cable"),
    "saturated": (
        "saturated",
        "is stuck at the end of the converter's range; press the electrodes on, or lower the gain",
    ),
    "amplitude out of range": (
        "out_of_range",
        "has an amplitude no heart makes; check the electrodes and counts_per_unit",
    ),
    "noise": (
        "noise",
        "is too noisy to read; renew the electrodes, move less, keep away from mains",
    ),
    "baseline wander": (
        "baseline",
        "wanders too much to read; renew the electrodes, fix the cable",
    ),
}

_UPRIGHT_LEADS: Final = ("I", "II", "MLII", "V5", "V6")
"""Leads whose QRS points up in nearly everyone."""

_POLARITY_BEATS: Final = 60
_POLARITY_SHARE: Final = 0.9
_POLARITY_LEVEL: Final = 0.3
"""A QRS that goes down by less than a third of its height is not upside down, but small."""


class _State(msgspec.Struct):
    told: list[str] = []
    beats: int = 0
    upside_down: int = 0


class Advice:
    """Remembers what has been said."""

    def __init__(self, leads: tuple[str, ...]) -> None:
        self._leads = leads
        self._state = _State()

    def on_unusable(self, at: int, decided: int, lead: int, reason: str) -> list[Notice]:
        """Lead number `lead` became unusable for one of the quality meter's reasons."""
        if reason not in _QUALITY:
            return []
        code, words = _QUALITY[reason]
        return self._once(at, decided, code, lead, f"lead {self._leads[lead]} {words}")

    def on_beat(
        self, at: int, decided: int, lead: int, template: NDArray[np.float32]
    ) -> list[Notice]:
        """A beat of lead number `lead`; `template` (160,) is the patient's usual beat then."""
        name, state = self._leads[lead], self._state
        if name.upper() not in _UPRIGHT_LEADS or state.beats >= _POLARITY_BEATS:
            return []
        level = float(template[R_AT])
        state.beats += 1
        state.upside_down += level < -_POLARITY_LEVEL
        if state.beats < _POLARITY_BEATS:
            return []
        if state.upside_down < _POLARITY_SHARE * _POLARITY_BEATS:
            return []
        message = (
            f"the QRS of lead {name} points down, which is rare: the lead may be inverted; "
            f"check whether its two electrodes are swapped"
        )
        return self._once(at, decided, "inverted_lead", lead, message)

    def restart_polarity(self) -> None:
        """Beats come from another lead."""
        self._state.beats = self._state.upside_down = 0

    def snapshot(self) -> dict[str, Any]:
        """What has been said, as plain data."""
        state: dict[str, Any] = msgspec.to_builtins(self._state)
        return state

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._state = msgspec.convert(snapshot, _State)

    def _once(self, at: int, decided: int, code: str, lead: int, message: str) -> list[Notice]:
        key = f"{code}/{self._leads[lead]}"
        if key in self._state.told:
            return []
        self._state.told.append(key)
        return [Notice(at=at, decided=decided, code=code, message=message)]
