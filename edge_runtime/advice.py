"""Bad input, said once in words that tell a person what to do.

The events of quality and gaps say what is wrong from moment to moment; a notice explains it the
first time it happens on a lead, or on all of them, in a session.
"""

from typing import Any, Final

import msgspec

from edge_runtime.events import Notice, QualityLevel
from edge_runtime.signal.electrodes import EXCHANGED, TURNED_OVER
from edge_runtime.signal.observations import QualityChanged
from edge_runtime.signal.polarity import INVERTED

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

_TOLD_HOLE_S: Final = 1.0
"""Single samples without a number are many in some archives and cost no beat."""
_NO_NUMBERS: Final = (
    "no lead holds numbers for {seconds:.1f} s, nothing is monitored there; "
    "check how the signal was recorded or converted"
)
_INVERTED: Final = (
    "P, QRS and T of lead {lead} point down, which is rare: the lead may be inverted; "
    "check whether its two electrodes are swapped"
)
_TURNED_OVER: Final = (
    "lead {lead} is upside down since a while ago; check whether its two electrodes were swapped"
)
_EXCHANGED: Final = (
    "lead {lead} looks as lead {other} did a while ago, and that one as this one did; check which "
    "cable goes to which electrode"
)


class _State(msgspec.Struct):
    told: list[str] = []


class Advice:
    """Remembers what has been said."""

    def __init__(self, leads: tuple[str, ...]) -> None:
        self._leads = leads
        self._state = _State()

    def on_quality(self, quality: QualityChanged) -> list[Notice]:
        """A lead became unusable, or its electrodes seem to be elsewhere than they should be."""
        name = self._leads[quality.lead]
        if quality.reason == INVERTED:
            words = _INVERTED.format(lead=name)
            return self._once(quality.at, quality.decided, "inverted_lead", words, name)
        if quality.reason == TURNED_OVER:
            words = _TURNED_OVER.format(lead=name)
            return self._once(quality.at, quality.decided, "turned_lead", words, name)
        if quality.reason.startswith(EXCHANGED):
            words = _EXCHANGED.format(lead=name, other=quality.reason.removeprefix(EXCHANGED))
            return self._once(quality.at, quality.decided, "exchanged_leads", words, name)
        if quality.level is not QualityLevel.UNUSABLE or quality.reason not in _QUALITY:
            return []
        code, words = _QUALITY[quality.reason]
        return self._once(quality.at, quality.decided, code, f"lead {name} {words}", name)

    def on_no_numbers(self, at: int, decided: int, seconds: float) -> list[Notice]:
        """From `at` on every lead was without numbers for `seconds`."""
        if seconds < _TOLD_HOLE_S:
            return []
        return self._once(at, decided, "not_a_number", _NO_NUMBERS.format(seconds=seconds), "")

    def snapshot(self) -> dict[str, Any]:
        """What has been said, as plain data."""
        state: dict[str, Any] = msgspec.to_builtins(self._state)
        return state

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._state = msgspec.convert(snapshot, _State)

    def _once(self, at: int, decided: int, code: str, message: str, lead: str) -> list[Notice]:
        key = f"{code}/{lead}"
        if key in self._state.told:
            return []
        self._state.told.append(key)
        return [Notice(at=at, decided=decided, code=code, message=message)]
