"""Which lead beats are taken from."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError

AUTO: Final = "auto"

_PREFERRED: Final = ("II", "MLII", "ECG", "I", "V5")
"""Where R waves are commonly tallest; taken first, until quality speaks against it."""

_HYSTERESIS_S: Final = 30
"""Another lead must be better for so long in a row before it is taken."""


@dataclass(frozen=True, slots=True)
class Switch:
    """From source index `at` on, beats are taken from lead number `lead`."""

    at: int
    lead: int
    reason: str


def find_lead(leads: tuple[str, ...], wanted: str | int) -> int:
    """Number of the lead that a person named by its name or number.

    Raises:
        PathError: there is no such lead; the message lists those there are.
    """
    names = [name.casefold() for name in leads]
    text = str(wanted).strip().casefold()
    if text in names:
        return names.index(text)
    if text.isdecimal() and int(text) < len(leads):
        return int(text)
    known = ", ".join(f"{i} ({name})" for i, name in enumerate(leads))
    raise PathError(f"no lead {wanted!r}; this source has {known}")


class LeadChoice:
    """The configured lead for good; or the best by quality, with 30 s of hysteresis; or at once
    another one when the device reports the present one off."""

    def __init__(self, leads: tuple[str, ...], wanted: str | int, rate_hz: Fraction) -> None:
        self._leads = leads
        self._fixed = wanted != AUTO
        self._rate = rate_hz
        first = min(range(len(leads)), key=self._preference)
        self.lead = find_lead(leads, wanted) if self._fixed else first
        self._better_since: list[int | None] = [None] * len(leads)

    def consider(self, ranks: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Switch]:
        """Take in the quality ranks (b, n_leads) of seconds that end before `ends` (b,)."""
        if self._fixed or len(self._leads) == 1:
            return []
        switches: list[Switch] = []
        for row, end in zip(ranks.tolist(), ends.tolist(), strict=True):
            for number, rank in enumerate(row):
                if rank >= row[self.lead]:
                    self._better_since[number] = None
                elif self._better_since[number] is None:
                    self._better_since[number] = end
            due = [
                number
                for number, since in enumerate(self._better_since)
                if since is not None and end - since >= _HYSTERESIS_S * self._rate
            ]
            if due:
                before = self._leads[self.lead]
                lead = min(due, key=lambda n: row[n])
                reason = f"{self._leads[lead]} has been better than {before} for {_HYSTERESIS_S} s"
                switches.append(self._switch(lead, end, reason))
        return switches

    def consider_off(self, off: tuple[bool, ...], ranks: tuple[int, ...], at: int) -> Switch | None:
        """The device reports these leads off (True); `ranks` (n_leads) are the present ones.

        A lead that is off shows nothing at all: the best of the others is taken from `at` on.
        """
        others = [number for number, is_off in enumerate(off) if not is_off]
        if self._fixed or not off[self.lead] or not others:
            return None
        lead = min(others, key=lambda n: (ranks[n], self._preference(n)))
        return self._switch(lead, at, f"{self._leads[self.lead]} is reported off by the device")

    def _preference(self, number: int) -> int:
        name = self._leads[number].upper()
        return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)

    def _switch(self, lead: int, at: int, reason: str) -> Switch:
        self.lead = lead
        self._better_since = [None] * len(self._leads)
        return Switch(at, lead, reason)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"lead": self.lead, "better_since": list(self._better_since)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self.lead = int(state["lead"])
        self._better_since = list(state["better_since"])
