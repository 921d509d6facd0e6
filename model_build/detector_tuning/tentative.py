"""How far below the score of a firm peak a place is still worth the classifier's look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.qrs_constants import QrsConstants
from model_build.detector_tuning.corpus import Case
from model_build.detector_tuning.study import Count, count, every_peak

THRESHOLDS: Final = (0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0)
"""Candidates, as log-odds below the firm threshold; the first gives no tentative peaks."""
VARIANTS: Final = ("clean", "noise")
WORTH: Final = 0.05
"""A lower threshold is taken while at least so many of the peaks it adds are beats, ..."""
SE_TARGET: Final = 99.9
V_SE_TARGET: Final = 99.5
"""... and until firm and tentative peaks find so many percent of clean beats, V apart."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What firm and tentative peaks of one threshold find; `tentative` of them are tentative."""

    threshold: float
    clean: Count
    noisy: Count
    tentative_clean: int
    tentative_noisy: int

    @property
    def found(self) -> int:
        """Beats found in all."""
        return self.clean.found + self.noisy.found

    @property
    def tentative(self) -> int:
        """Tentative peaks in all."""
        return self.tentative_clean + self.tentative_noisy

    def __str__(self) -> str:
        return (
            f"{self.threshold:5.1f}  clean {self.clean} tentative {self.tentative_clean}   "
            f"noise {self.noisy} tentative {self.tentative_noisy}"
        )


def try_thresholds(
    cases: Iterable[Case], constants: QrsConstants, thresholds: Sequence[float] = THRESHOLDS
) -> list[Trial]:
    """A trial of each threshold over the clean and noisy cases, in the given order."""
    detectors = [
        replace(constants, tentative_threshold=constants.threshold + each) for each in thresholds
    ]
    counts = [{variant: Count() for variant in VARIANTS} for _ in thresholds]
    tentative = [dict.fromkeys(VARIANTS, 0) for _ in thresholds]
    for case in cases:
        variant = case.key.rpartition(":")[2]
        if variant not in VARIANTS:
            continue
        for k, each in enumerate(detectors):
            found = every_peak(QrsDetector(each), case)
            counts[k][variant] += count(case, found.at)
            tentative[k][variant] += int(found.tentative.sum())
    return [
        Trial(each.tentative_threshold, of["clean"], of["noise"], n["clean"], n["noise"])
        for each, of, n in zip(detectors, counts, tentative, strict=True)
    ]


def choose(trials: Sequence[Trial]) -> Trial:
    """The first trial behind which the next is not worth its peaks, once the targets are met."""
    for trial, lower in pairwise(trials):
        added = max(1, lower.tentative - trial.tentative)
        if _meets_targets(trial.clean) and (lower.found - trial.found) / added < WORTH:
            return trial
    return trials[-1]


def _meets_targets(clean: Count) -> bool:
    return clean.se >= SE_TARGET and clean.v_se >= V_SE_TARGET
