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
    """From source index `at` on, beats are taken from lead number `lead`.

    `companion` is the second lead looked at from there on, None for none. Where it alone changes,
    `lead` is the one before and `reason` is empty.
    """

    at: int
    lead: int
    reason: str
    companion: int | None = None


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


class _Challenge:
    """Since when each lead has been better than the one in use."""

    def __init__(self, n_leads: int, rate_hz: Fraction) -> None:
        self._enough = _HYSTERESIS_S * rate_hz
        self.since: list[int | None] = [None] * n_leads

    def consider(self, row: list[int], end: int, holder: int, barred: int | None = None) -> bool:
        """Take in the ranks of a second that ends before `end`: is a change due?"""
        for number, rank in enumerate(row):
            if rank >= row[holder] or number == barred:
                self.since[number] = None
            elif self.since[number] is None:
                self.since[number] = end
        return any(since is not None and end - since >= self._enough for since in self.since)

    def due(self, end: int) -> list[int]:
        """The leads that have been better for long enough."""
        return [
            number
            for number, since in enumerate(self.since)
            if since is not None and end - since >= self._enough
        ]

    def restart(self) -> None:
        """Another lead is in use."""
        self.since = [None] * len(self.since)


class LeadChoice:
    """The configured lead for good; or the best by quality, with 30 s of hysteresis; or at once
    another one when the device reports the present one off.

    `paired`: a companion is chosen too, of the other leads the best in the same way.
    """

    def __init__(
        self,
        leads: tuple[str, ...],
        wanted: str | int,
        rate_hz: Fraction,
        *,
        paired: bool = False,
    ) -> None:
        self._leads = leads
        self._fixed = wanted != AUTO
        first = min(range(len(leads)), key=self._preference)
        self.lead = find_lead(leads, wanted) if self._fixed else first
        self.companion: int | None = None
        if paired and len(leads) > 1:
            self.companion = self._best_other((0,) * len(leads))
        self._challenge = _Challenge(len(leads), rate_hz)
        self._second_challenge = _Challenge(len(leads), rate_hz)

    def consider(self, ranks: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Switch]:
        """Take in the quality ranks (b, n_leads) of seconds that end before `ends` (b,)."""
        if len(self._leads) == 1 or (self._fixed and self.companion is None):
            return []
        seconds = zip(ranks.tolist(), ends.tolist(), strict=True)
        switches = (self._consider_second(row, end) for row, end in seconds)
        return [switch for switch in switches if switch is not None]

    def _consider_second(self, row: list[int], end: int) -> Switch | None:
        if not self._fixed and self._challenge.consider(row, end, self.lead):
            before = self._leads[self.lead]
            lead = min(self._challenge.due(end), key=lambda n: row[n])
            reason = f"{self._leads[lead]} has been better than {before} for {_HYSTERESIS_S} s"
            return self._switch(lead, tuple(row), end, reason)
        if self.companion is None:
            return None
        if self._second_challenge.consider(row, end, self.companion, barred=self.lead):
            return self._switch_companion(
                min(self._second_challenge.due(end), key=lambda n: row[n]), end
            )
        return None

    def consider_off(self, off: tuple[bool, ...], ranks: tuple[int, ...], at: int) -> Switch | None:
        """The device reports these leads off (True); `ranks` (n_leads) are the present ones.

        A lead that is off shows nothing at all: the best of the others is taken from `at` on.
        """
        others = [number for number, is_off in enumerate(off) if not is_off]
        if not self._fixed and off[self.lead] and others:
            lead = min(others, key=lambda n: (ranks[n], self._preference(n)))
            reason = f"{self._leads[self.lead]} is reported off by the device"
            return self._switch(lead, ranks, at, reason)
        unused = [number for number in others if number != self.lead]
        if self.companion is not None and off[self.companion] and unused:
            companion = min(unused, key=lambda n: (ranks[n], self._preference(n)))
            return self._switch_companion(companion, at)
        return None

    def _preference(self, number: int) -> int:
        name = self._leads[number].upper()
        return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)

    def _best_other(self, ranks: tuple[int, ...], used: tuple[int | None, ...] = ()) -> int:
        """The best lead but the present one; of equals one that was in use, and is known."""
        others = (number for number in range(len(self._leads)) if number != self.lead)
        return min(others, key=lambda n: (ranks[n], n not in used, self._preference(n)))

    def _switch(self, lead: int, ranks: tuple[int, ...], at: int, reason: str) -> Switch:
        used = (self.lead, self.companion)
        self.lead = lead
        if self.companion is not None:
            self.companion = self._best_other(ranks, used)
        self._challenge.restart()
        self._second_challenge.restart()
        return Switch(at, lead, reason, self.companion)

    def _switch_companion(self, companion: int, at: int) -> Switch:
        self.companion = companion
        self._second_challenge.restart()
        return Switch(at, self.lead, "", companion)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "leads": [self.lead, self.companion],
            "better_since": [list(self._challenge.since), list(self._second_challenge.since)],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self.lead, self.companion = state["leads"]
        self._challenge.since, self._second_challenge.since = map(list, state["better_since"])
