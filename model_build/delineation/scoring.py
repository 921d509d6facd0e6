"""Places said against places marked: F1 within 150 ms and the error's deviation, by landmark.

Each mark is found by the nearest place that is said, one to one. A place that finds no mark is an
extra one if it lies between the first and the last mark of a lead in which no wave between them is
left out; elsewhere nobody knows.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.landmarks import LANDMARKS
from model_build.datasets.waves import UNMARKED, Kind, Waves

TOLERANCE_S: Final = 0.150

_KINDS: Final = (Kind.P, Kind.QRS, Kind.T)
_SIDES: Final = ("onset", "peak", "end")


@dataclass(frozen=True, slots=True)
class Tally:
    """One landmark over some leads: how many were found, missed and made up; of the errors of
    those found (said minus marked, ms) the sums of them, their squares and their sizes."""

    found: int = 0
    missed: int = 0
    extra: int = 0
    sum_ms: float = 0.0
    sum_squares: float = 0.0
    sum_sizes: float = 0.0

    @classmethod
    def of(cls, errors_ms: Sequence[float], missed: int, extra: int) -> "Tally":
        """Of one lead."""
        errors = np.array(errors_ms, np.float64)
        sums = float(errors.sum()), float((errors * errors).sum()), float(np.abs(errors).sum())
        return cls(len(errors), missed, extra, *sums)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def f1(self) -> float | None:
        """None where there is neither a mark nor a place said."""
        both = 2 * self.found + self.missed + self.extra
        return 2 * self.found / both if both else None

    @property
    def mean_ms(self) -> float | None:
        """Mean error."""
        return self.sum_ms / self.found if self.found else None

    @property
    def sd_ms(self) -> float | None:
        """Standard deviation of the errors, all found ones pooled."""
        if self.found < 2:
            return None
        spread = self.sum_squares - self.sum_ms**2 / self.found
        return math.sqrt(max(0.0, spread) / (self.found - 1))

    @property
    def size_ms(self) -> float:
        """Mean size of the errors, infinite where nothing was found."""
        return self.sum_sizes / self.found if self.found else math.inf


Tallies = dict[str, Tally]
"""By landmark."""


def pool(parts: Iterable[Tallies]) -> Tallies:
    """All counted together."""
    whole = {name: Tally() for name in LANDMARKS}
    for part in parts:
        whole = {name: tally + part[name] for name, tally in whole.items()}
    return whole


def entries_of(tables: Mapping[str, Tallies]) -> dict[str, dict[str, dict[str, float]]]:
    """Tables by name, ready for `json`."""
    return {
        table: {name: asdict(tally) for name, tally in tallies.items()}
        for table, tallies in tables.items()
    }


def tables_of(entries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Tallies]:
    """The inverse of `entries_of`."""
    return {
        table: {name: Tally(**values) for name, values in tallies.items()}
        for table, tallies in entries.items()
    }


def score_lead(
    said: NDArray[np.float64], waves: Waves, fs: Fraction, *, consecutive: bool
) -> Tallies:
    """Places `said` (k, 9), in samples of the lead at `fs`, NaN for none, against its marks.

    Unless the marks are `consecutive` only the errors and what was missed can be told.
    """
    reach = TOLERANCE_S * float(fs)
    first, last = int(waves.first.min()), int(waves.last.max())
    tallies = {}
    for number, name in enumerate(LANDMARKS):
        marks = _marks(waves, number)
        places = said[:, number]
        places = np.sort(places[np.isfinite(places)])
        errors, used = _paired(places, marks, reach)
        inside = (places >= first) & (places <= last) if consecutive else np.zeros_like(used)
        errors_ms = [1000.0 * error / float(fs) for error in errors]
        tallies[name] = Tally.of(
            errors_ms, len(marks) - len(errors), int(np.count_nonzero(inside & ~used))
        )
    return tallies


def better_of(leads: Sequence[Tallies]) -> Tallies:
    """Of the leads of one record the one with the smaller mean size of error, by landmark.

    The usual way to score qtdb, whose marks were set with both leads in view.
    """
    return {name: min((t[name] for t in leads), key=lambda t: t.size_ms) for name in LANDMARKS}


def _marks(waves: Waves, number: int) -> NDArray[np.int64]:
    kind, side = _KINDS[number // 3], _SIDES[number % 3]
    marks: NDArray[np.int64] = getattr(waves, side)[waves.kind == kind]
    known: NDArray[np.int64] = marks[marks != UNMARKED]
    return known


def _paired(
    said: NDArray[np.float64], marks: NDArray[np.int64], reach: float
) -> tuple[list[float], NDArray[np.bool_]]:
    """Errors of the marks that are found, nearest pairs first, each place and mark once; and
    which places (k,) have found one."""
    used = np.zeros(len(said), np.bool_)
    if not len(said) or not len(marks):
        return [], used
    apart = said[None, :] - marks[:, None]
    rows, columns = np.nonzero(np.abs(apart) <= reach)
    order = np.argsort(np.abs(apart[rows, columns]), kind="stable")
    errors, free = [], np.ones(len(marks), np.bool_)
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if free[row] and not used[column]:
            free[row], used[column] = False, True
            errors.append(float(apart[row, column]))
    return errors, used
