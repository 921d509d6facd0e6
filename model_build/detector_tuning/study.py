"""Runs the detector over cases: to collect labelled comparisons, and to count its errors."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.qrs import Peaks, QrsDetector
from edge_runtime.signal.qrs_constants import FEATURES, QrsConstants
from edge_runtime.signal.qrs_features import LEFT_REACH, RIGHT_REACH, describe
from model_build.detector_tuning.corpus import Case
from model_build.detector_tuning.network import Examples

Indices = NDArray[np.int64]
Truth = dict[int, tuple[float, float]]
"""Centre of a candidate to whether it is a beat (0 or 1) and how much that matters."""

BLOCK = 5000
WINDOW = 37
"""Match window: 150 ms in whole samples at 250 Hz."""
VENTRICULAR_WEIGHT = 3.0
DOUBTFUL_WEIGHT = 0.3
"""Another candidate inside the match window of a beat: taken instead, it would count as found."""


def label(case: Case, constants: QrsConstants) -> Truth:
    """Which of all candidates of a case are beats: of each beat, the strongest close to it."""
    padded = np.concatenate((np.full(LEFT_REACH, case.x[0]), case.x))
    found = describe(padded, LEFT_REACH, len(padded) - RIGHT_REACH + 1, constants.floor_mv)
    centre = found.centre - LEFT_REACH
    energy = found.local[:, 0]
    is_beat = np.zeros(len(centre))
    weight = np.ones(len(centre))
    first = np.searchsorted(centre, case.beats - WINDOW)
    last = np.searchsorted(centre, case.beats + WINDOW, side="right")
    spans = zip(first, last, case.beats, case.ventricular, case.beat_weight, strict=True)
    for a, b, at, ventricular, worth in spans:
        if a == b:
            continue
        near = slice(a, b)
        best = a + int((energy[near] * (1 - 0.6 * np.abs(centre[near] - at) / WINDOW)).argmax())
        weight[near] = np.where(is_beat[near] > 0, weight[near], DOUBTFUL_WEIGHT)
        is_beat[best] = 1
        weight[best] = worth * (VENTRICULAR_WEIGHT if ventricular else 1.0)
    for start, stop in case.unknown:
        weight[(centre > start - 125) & (centre < stop + 125)] = 0
    # Reference marks begin and end with the first and last beat, not with the record.
    weight[(centre < case.beats[0] - 50) | (centre > case.beats[-1] + 50)] = 0
    pairs = zip(is_beat.tolist(), (weight * case.weight).tolist(), strict=True)
    return dict(zip(centre.tolist(), pairs, strict=True))


class Recorder(QrsDetector):
    """A detector that writes down each comparison; the truth may decide in its place."""

    def __init__(self, constants: QrsConstants, truth: Truth, *, guided: bool) -> None:
        super().__init__(constants)
        self._truth = truth
        self._guided = guided
        self._rows: list[list[float]] = []
        self._labels: list[tuple[float, float]] = []

    def _score(self, centre: int, features: list[float]) -> float:
        truth = self._truth.get(centre, (0.0, 0.0))
        self._rows.append(features)
        self._labels.append(truth)
        if self._guided:
            return math.inf if truth[0] else -math.inf
        return super()._score(centre, features)

    def examples(self) -> Examples:
        """What was written down."""
        features = np.array(self._rows, dtype=np.float32).reshape(-1, len(FEATURES))
        labels = np.array(self._labels, dtype=np.float32).reshape(-1, 2)
        return Examples(features, labels[:, 0], labels[:, 1])


def run(detector: QrsDetector, case: Case) -> Indices:
    """Firm peaks of a whole case."""
    return every_peak(detector, case).firm().at


def every_peak(detector: QrsDetector, case: Case) -> Peaks:
    """Firm and tentative peaks of a whole case, in order of place."""
    parts = [detector.process(case.x[i : i + BLOCK]) for i in range(0, len(case.x), BLOCK)]
    return Peaks.join([*parts, detector.finish()]).by_place()


def collect(
    pairs: Iterable[tuple[Case, Truth]], constants: QrsConstants, *, guided: bool
) -> list[Examples]:
    """The examples of each case under these constants."""
    collected = []
    for case, truth in pairs:
        recorder = Recorder(constants, truth, guided=guided)
        run(recorder, case)
        collected.append(recorder.examples())
    return collected


@dataclass(frozen=True, slots=True)
class Count:
    """Beats found, missed and invented, and of the ventricular ones found and missed."""

    found: int = 0
    missed: int = 0
    extra: int = 0
    v_found: int = 0
    v_missed: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.found + other.found,
            self.missed + other.missed,
            self.extra + other.extra,
            self.v_found + other.v_found,
            self.v_missed + other.v_missed,
        )

    @property
    def se(self) -> float:
        """Sensitivity in percent."""
        return 100 * self.found / max(1, self.found + self.missed)

    @property
    def v_se(self) -> float:
        """Sensitivity for ventricular beats in percent."""
        return 100 * self.v_found / max(1, self.v_found + self.v_missed)

    def __str__(self) -> str:
        ppv = 100 * self.found / max(1, self.found + self.extra)
        return (
            f"Se {self.se:6.2f} +P {ppv:6.2f} missed {self.missed:5d} extra {self.extra:5d}   "
            f"V Se {self.v_se:6.2f} missed {self.v_missed}"
        )


def pair(reference: Indices, test: Indices) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of either found a partner within the window, as `bxb` walks (nearest of two wins)."""
    r, t = reference.tolist(), test.tolist()
    hit_r, hit_t = np.zeros(len(r), dtype=bool), np.zeros(len(t), dtype=bool)
    i = j = 0
    while i < len(r) and j < len(t):
        late = t[j] - r[i]
        if late < -WINDOW or (late < 0 and j + 1 < len(t) and abs(t[j + 1] - r[i]) < -late):
            j += 1
        elif late > WINDOW or (late > 0 and i + 1 < len(r) and abs(r[i + 1] - t[j]) < late):
            i += 1
        else:
            hit_r[i] = hit_t[j] = True
            i += 1
            j += 1
    return hit_r, hit_t


def count(case: Case, peaks: Indices, learning: int = 2500) -> Count:
    """Errors from sample `learning` on, fibrillation left out. For choosing, not for reports."""
    known_r, known_t = np.ones(len(case.beats), dtype=bool), np.ones(len(peaks), dtype=bool)
    for start, stop in case.unknown:
        known_r &= (case.beats < start) | (case.beats > stop)
        known_t &= (peaks < start) | (peaks > stop)
    beats, ventricular, peaks = case.beats[known_r], case.ventricular[known_r], peaks[known_t]
    hit_r, hit_t = pair(beats, peaks)
    judged_r, judged_t = beats >= learning, peaks >= learning
    v = judged_r & ventricular
    return Count(
        int((hit_r & judged_r).sum()),
        int((~hit_r & judged_r).sum()),
        int((~hit_t & judged_t).sum()),
        int((hit_r & v).sum()),
        int((~hit_r & v).sum()),
    )
