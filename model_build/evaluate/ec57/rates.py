"""Sensitivity and positive predictivity. A quotient without a denominator is None."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def quotient(part: float, whole: float) -> float | None:
    """Return part / whole, None where there is nothing to divide by."""
    return part / whole if whole > 0 else None


def mean_defined(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None, None if all are."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


@dataclass(frozen=True, slots=True)
class Rates:
    """True positives, misses and false positives of one beat class."""

    tp: int
    fn: int
    fp: int

    @property
    def se(self) -> float | None:
        """Sensitivity, TP / (TP + FN)."""
        return quotient(self.tp, self.tp + self.fn)

    @property
    def ppv(self) -> float | None:
        """Positive predictivity (+P), TP / (TP + FP)."""
        return quotient(self.tp, self.tp + self.fp)

    @property
    def f1(self) -> float | None:
        """F1, the harmonic mean of sensitivity and positive predictivity."""
        return quotient(2 * self.tp, 2 * self.tp + self.fn + self.fp)

    def as_json(self) -> dict[str, int | float | None]:
        """Return counts and rates (fractions, not percent)."""
        counts = {"tp": self.tp, "fn": self.fn, "fp": self.fp}
        return counts | {"se": self.se, "ppv": self.ppv, "f1": self.f1}


@dataclass(frozen=True, slots=True)
class EventRates:
    """Counts of events that need not match one to one.

    One test event may match several reference events and the other way round, so true positives
    are counted twice: among the reference events (`tps`) and among the test events (`tpp`).
    """

    tps: int
    fn: int
    tpp: int
    fp: int

    def __add__(self, other: "EventRates") -> "EventRates":
        return EventRates(
            self.tps + other.tps, self.fn + other.fn, self.tpp + other.tpp, self.fp + other.fp
        )

    @property
    def se(self) -> float | None:
        """Sensitivity, the part of the reference events that was found."""
        return quotient(self.tps, self.tps + self.fn)

    @property
    def ppv(self) -> float | None:
        """Positive predictivity (+P), the part of the test events that is true."""
        return quotient(self.tpp, self.tpp + self.fp)

    def as_json(self) -> dict[str, int | float | None]:
        """Return counts and rates (fractions, not percent)."""
        counts = {"tps": self.tps, "fn": self.fn, "tpp": self.tpp, "fp": self.fp}
        return counts | {"se": self.se, "ppv": self.ppv}
