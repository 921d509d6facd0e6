"""Leads that change places, or turn over, while they are worn: beats as they were tell.

Which electrode lies where cannot be known; that a cable was plugged in otherwise than before can.
Medians of beats on every lead are held against those that were there before: a lead that looks as
another did, while that one looks as this did, has changed places with it; one that is what it was,
upside down, has been turned over. Shapes that resemble each other tell nothing, and nothing is
said. No level of quality follows from it: the signal is as good as before, and of another place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BEATS: Final = 32
_IN_A_ROW: Final = 2
"""So many medians of so many beats must agree."""
_ALIKE: Final = 0.8
"""Correlation from which on two medians are the same beat."""
_APART: Final = 0.2
"""By so much a lead must resemble the other one better than itself."""
_BEFORE_S: Final = 0.25
_AFTER_S: Final = 0.40
"""Around the R peak: P, QRS and most of T."""
_POINTS: Final = 65
"""Of a window, one each 10 ms."""
_SHIFT: Final = 5
"""So many points either way another peak of the same beat may be taken."""
_TAIL_S: Final = 4.0
"""A beat is told of within this time after its peak."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """`place`: which of the observed beats settled it. `lead` has changed places with `other`, or
    was turned over where that is None."""

    place: int
    lead: int
    other: int | None


class ExchangeWatch:
    """Watches all leads of one source, by windows around its R peaks. Says each thing once."""

    def __init__(self, rate_hz: Fraction, n_leads: int) -> None:
        rate = float(rate_hz)
        self._n_leads = n_leads
        self._offsets = np.rint(np.linspace(-_BEFORE_S, _AFTER_S, _POINTS) * rate).astype(np.int64)
        self._keep = int(_TAIL_S * rate)
        self._tail: Floats = np.zeros((0, n_leads), np.float32)
        self._end = 0  # index after the tail
        self._windows: list[Floats] = []
        self._before: Floats | None = None
        self._in_a_row: dict[tuple[int, int | None], int] = {}
        self._told: set[tuple[int, int | None]] = set()

    def feed(self, first: int, samples: NDArray[np.floating[Any]]) -> None:
        """Samples (n, n_leads) from index `first` on, in any unit; a jump begins anew."""
        # All of it stays until the next: no beat within it depends on how long it is.
        before = self._tail[-self._keep :] if first == self._end else self._tail[:0]
        self._tail = np.concatenate([before, samples.astype(np.float32)])
        self._end = first + len(samples)

    def observe(self, at: NDArray[np.int64], valid: NDArray[np.bool_]) -> Iterator[Exchange]:
        """Beats in order, at source indices `at` (k,); only `valid` ones are looked at."""
        for place in np.flatnonzero(valid).tolist():
            rows = int(at[place]) - (self._end - len(self._tail)) + self._offsets
            if rows[0] < 0 or rows[-1] >= len(self._tail):
                continue
            window = self._tail[rows]
            if np.isfinite(window).all():
                self._windows.append(window)
            if len(self._windows) == _BEATS:
                median = np.median(np.stack(self._windows), axis=0).T.astype(np.float32)
                self._windows = []
                for lead, other in self._compare(median):
                    yield Exchange(place, lead, other)

    def _compare(self, median: Floats) -> list[tuple[int, int | None]]:
        """What is settled by the next median (n_leads, points)."""
        if self._before is None:
            self._before = median
            return []
        alike = _correlations(median, self._before)
        own = alike.diagonal(axis1=1, axis2=2)
        as_before, upside_down = own.max(axis=0), -own.min(axis=0)
        if (as_before >= _ALIKE).all():
            self._before, self._in_a_row = median, {}
            return []
        seen: list[tuple[int, int | None]] = [
            (lead, None)
            for lead in range(self._n_leads)
            if upside_down[lead] >= max(_ALIKE, as_before[lead] + _APART)
        ]
        crossed = np.minimum(alike, alike.transpose(0, 2, 1)).max(axis=0)
        seen += [
            (lead, other)
            for lead in range(self._n_leads)
            for other in range(lead + 1, self._n_leads)
            if crossed[lead, other]
            >= max(_ALIKE, as_before[lead] + _APART, as_before[other] + _APART)
        ]
        self._in_a_row = {one: self._in_a_row.get(one, 0) + 1 for one in seen}
        settled = [one for one, times in self._in_a_row.items() if times == _IN_A_ROW]
        if settled:
            self._before, self._in_a_row = median, {}
        fresh = [one for one in settled if one not in self._told]
        self._told.update(fresh)
        return fresh

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "tail": self._tail[-self._keep :].copy(),
            "end": self._end,
            "windows": [window.copy() for window in self._windows],
            "before": None if self._before is None else self._before.copy(),
            "in_a_row": list(self._in_a_row.items()),
            "told": sorted(self._told, key=str),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._tail, self._end = np.asarray(state["tail"], np.float32), int(state["end"])
        self._windows = [np.asarray(window, np.float32) for window in state["windows"]]
        before = state["before"]
        self._before = None if before is None else np.asarray(before, np.float32)
        self._in_a_row = {(lead, other): times for (lead, other), times in state["in_a_row"]}
        self._told = {(lead, other) for lead, other in state["told"]}


def _correlations(now: Floats, before: Floats) -> NDArray[np.float32]:
    """Of each lead now with each before, (shifts, n_leads, n_leads): the peak that is found on
    another shape lies elsewhere in the beat, on all leads by the same time."""
    middle = _unit(now[:, _SHIFT:-_SHIFT])
    width = middle.shape[1]
    return np.stack(
        [middle @ _unit(before[:, first : first + width]).T for first in range(2 * _SHIFT + 1)]
    )


def _unit(shapes: Floats) -> Floats:
    """Each row without its mean, of length 1; a flat one stays without."""
    bare = shapes - shapes.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(bare, axis=1, keepdims=True)
    unit: Floats = bare / np.where(sizes > 0, sizes, 1)
    return unit
