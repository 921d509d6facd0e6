"""False S in atrial fibrillation: the largest source of false alarms about single beats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.datasets.census import within


@dataclass(frozen=True, slots=True)
class AfErrors:
    """Beats detected in atrial fibrillation, and those of them called S without being S."""

    beats: int
    false_s: int

    @property
    def per_thousand(self) -> float:
        """False S per 1,000 beats."""
        return 1000.0 * self.false_s / self.beats if self.beats else 0.0

    def __add__(self, other: "AfErrors") -> "AfErrors":
        return AfErrors(self.beats + other.beats, self.false_s + other.false_s)


def episode_errors(
    reference: Annotations,
    at: NDArray[np.int64],
    labels: Sequence[str],
    is_s: NDArray[np.bool_],
) -> AfErrors:
    """Errors within annotated episodes, of beats `at` (k,) called `labels`; `is_s` is the truth."""
    inside = within(reference, at, ("(AFIB",))
    false_s = (np.array(labels, np.str_) == "S") & inside & ~is_s
    return AfErrors(int(inside.sum()), int(false_s.sum()))
