"""What rhythm scores are worth: records of cinc2017, AF in long records, false AF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.rhythm_manifest import Smoothing
from edge_runtime.inference.smoothing import FixedLagSmoother
from edge_runtime.signal.rhythm import HOP_S
from model_build.rhythm.recordings import CLASSES, Rhythms

Scores = NDArray[np.float64]

RECORD_CLASSES: Final = ("N", "AFIB", "OTHER", "NOISE")
"""cinc2017's N, A, O, ~. Flutter, which it calls other, is added to that."""
PREVALENCE: Final = (0.595, 0.089, 0.283, 0.033)
"""Of the challenge's own classes (accuracy.md's weights)."""
_FROM_S: Final = 30.0
"""A recording is judged by its hops from here on, or the last ones of a shorter."""
_AT_LEAST: Final = 3
_AF: Final = CLASSES.index("AFIB")


@dataclass(frozen=True, slots=True)
class RecordScores:
    """F1 of each class with its own decision, and with decision and weights for `PREVALENCE`."""

    plain: tuple[float, ...]
    weighted: tuple[float, ...]

    @property
    def af_f1(self) -> float:
        """Of atrial fibrillation, as the records are here."""
        return self.plain[1]

    @property
    def mean_nao(self) -> float:
        """Mean F1 of N, A and O at the prevalence of the challenge."""
        return float(np.mean(self.weighted[:3]))


def record_scores(scores: Scores, end_s: NDArray[np.float64]) -> Scores:
    """One row (4,) for a recording, from those of its hops (k, K): their geometric mean."""
    first = min(int(np.searchsorted(end_s, _FROM_S)), max(len(end_s) - _AT_LEAST, 0))
    mean = np.exp(np.log(scores[first:]).mean(axis=0))
    sinus, af, flutter, other, noise = mean / mean.sum()
    return np.array([sinus, af, other + flutter, noise])


def judge_records(table: Scores, truth: NDArray[np.int64]) -> RecordScores:
    """Rows of `record_scores` (n, 4) against the class numbers (n,) of `RECORD_CLASSES`."""
    share = np.bincount(truth, minlength=len(RECORD_CLASSES)) / len(truth)
    weight = np.array(PREVALENCE) / np.maximum(share, 1e-9)
    plain = _f1(table.argmax(axis=1), truth, np.ones(len(RECORD_CLASSES)))
    return RecordScores(plain, _f1((table * weight).argmax(axis=1), truth, weight))


def truth_of(target: int) -> int:
    """The number in `RECORD_CLASSES` of a recording's one `Rhythms`."""
    order = (Rhythms.SINUS, Rhythms.AF, Rhythms.OTHER, Rhythms.NOISE)
    return order.index(Rhythms(target))


def _f1(
    said: NDArray[np.int64], truth: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[float, ...]:
    each = weight[truth]
    found = []
    for k in range(len(RECORD_CLASSES)):
        both = each[(said == k) & (truth == k)].sum()
        whole = each[said == k].sum() + each[truth == k].sum()
        found.append(float(2 * both / whole) if whole else 0.0)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds: of AF, of what was called AF, of both; of no rhythm that counts as AF or flutter,
    and what was called AF of these."""

    af_s: float = 0.0
    said_s: float = 0.0
    both_s: float = 0.0
    free_s: float = 0.0
    false_s: float = 0.0

    def __add__(self, other: "Duration") -> "Duration":
        return Duration(
            self.af_s + other.af_s, self.said_s + other.said_s, self.both_s + other.both_s,
            self.free_s + other.free_s, self.false_s + other.false_s,
        )  # fmt: skip

    @property
    def sensitivity(self) -> float:
        """Share of AF that was called so."""
        return self.both_s / self.af_s if self.af_s else float("nan")

    @property
    def predictivity(self) -> float:
        """Share of what was called AF that is, flutter left out."""
        whole = self.both_s + self.false_s
        return self.both_s / whole if whole else float("nan")

    @property
    def false_minutes_a_day(self) -> float:
        """Minutes called AF in 24 h without AF and flutter."""
        return self.false_s / self.free_s * 24 * 60 if self.free_s else float("nan")


def smoothed_af(scores: Scores, smoothing: Smoothing) -> NDArray[np.bool_]:
    """Whether AF is told of each hop (k,), as the engine smooths; the last `lag` keep the last."""
    smoother = FixedLagSmoother(smoothing)
    told: list[bool] = []
    for row in scores.tolist():
        then = smoother.take(row).then
        if then is not None:
            told.append(max(range(len(then)), key=then.__getitem__) == _AF)
    rest = len(scores) - len(told)
    return np.array([*told, *[bool(told) and told[-1]] * rest], np.bool_)


def duration(told: NDArray[np.bool_], truth: NDArray[np.uint8]) -> Duration:
    """What was told of each hop against its `Rhythms`; unknown ones are left out."""
    af, flutter = truth == int(Rhythms.AF), truth == int(Rhythms.FLUTTER)
    free = (truth > 0) & ~af & ~flutter
    counts = (af, told & (truth > 0), told & af, free, told & free)
    return Duration(*(float(HOP_S * np.count_nonzero(which)) for which in counts))


def total(parts: Sequence[Duration] | Mapping[str, Duration]) -> Duration:
    """Their sum."""
    values = parts.values() if isinstance(parts, Mapping) else parts
    return sum(values, Duration())
