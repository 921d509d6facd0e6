"""What earlier beats teach the R-peak detector, and how a place compares with them."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import truediv
from typing import Any, Final, Self

import numpy as np

from edge_runtime.signal.qrs_constants import QrsConstants
from edge_runtime.signal.qrs_features import RATE_HZ, SHAPE_LENGTH, Floats

_BEATS: Final = 8
"""Beats remembered for size and rhythm."""
_LIMIT: Final = 3.0
"""Logarithms are clipped to this, so that no input leaves the range seen in training."""
_LOST_S: Final = 30.0
"""So long without a beat, the remembered size is given up bit by bit (asystole has been raised)."""
_RESCUE_S: Final = 4.5
"""From here on silence itself argues for a beat: after the 4 s of an asystole alarm, not before."""
_RESCUE_PER_S: Final = 2.0
_RESCUE_SHARE: Final = 0.7
_RR_START_S: Final = 0.8
_RR_RANGE_S: Final = (0.25, 2.5)
"""Intervals outside say nothing about the rhythm (IEC 60601-2-27 covers 30 to 200/min)."""


def _log_ratio(a: float, b: float) -> float:
    value = math.log(a / b)
    if value > _LIMIT:
        return _LIMIT
    return value if value > -_LIMIT else -_LIMIT


def _log_ratios(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """`_log_ratio` of each pair."""
    values = map(math.log, map(truediv, a, b))
    return [_LIMIT if v > _LIMIT else v if v > -_LIMIT else -_LIMIT for v in values]


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


@dataclass(slots=True)
class Memory:
    """What earlier beats and rejected places have taught; `shapes` (m, SHAPE_LENGTH)."""

    beats: int = 0
    sizes: list[float] = field(default_factory=list)
    intervals_s: list[float] = field(default_factory=list)
    last: int | None = None  # R of the last beat of this segment
    waiting_since: int = 0
    size: float = 0.0
    rr_s: float = _RR_START_S
    irregularity: float = 0.2
    recent: float = 0.0
    recent_at: int = 0
    noise: float = 0.02
    sharpness: float = 0.0
    width: float = 0.0
    trust: float = 0.5
    norm: float = 0.0
    upright: float = 0.0
    refused: float = 0.0
    shapes: Floats = field(default_factory=lambda: np.empty((0, SHAPE_LENGTH)))
    weights: list[float] = field(default_factory=list)

    def expected_size(self, at: int, constants: QrsConstants) -> float:
        """Size a beat at `at` should have: the recent median, smaller after a silence."""
        if self.beats < 2:
            return self.recent
        waited_s = (at - self.waiting_since) / RATE_HZ - constants.patience_s
        if waited_s <= 0:
            return self.size
        shrunk = max(0.5 ** (waited_s / constants.halving_s), constants.deepest)
        if waited_s > _LOST_S:
            shrunk *= 0.5 ** ((waited_s - _LOST_S) / _LOST_S)
        return float(self.size * shrunk)

    def is_far_too_small(self, at: int, energy: float, constants: QrsConstants) -> bool:
        """Below any size that silence could teach; until the lead must be thought lost."""
        waited_s = (at - self.waiting_since) / RATE_HZ
        return waited_s < _LOST_S and energy < constants.deepest * self.size

    def rescue(self, at: int, energy: float) -> float:
        """Log-odds in favour of the largest places after a long silence.

        Whatever shape a lead's QRS have, the detector must not lock itself out for good.
        """
        waited_s = (at - self.waiting_since) / RATE_HZ - _RESCUE_S
        if waited_s <= 0 or energy < _RESCUE_SHARE * self.recent:
            return 0.0
        return _RESCUE_PER_S * waited_s

    def see(self, at: int, energy: float) -> None:
        """Every place counts for the recent maximum, which fades with a time of 3 s."""
        fade = math.exp((self.recent_at - at) / (3.0 * RATE_HZ))
        self.recent = max(energy, self.recent * fade)
        self.recent_at = at

    def choose_peak(self, peaks: Sequence[int], deflections: Sequence[float]) -> int:
        """The R peak: the larger deflection, in doubt (within 25 %) of the usual polarity."""
        up, down = deflections
        favour = 1.25 if self.upright >= 0 else 0.8
        return peaks[0] if up * favour >= down else peaks[1]

    def likeness(self, shapes: Floats) -> list[float]:
        """Greatest correlation of each of two shapes (2, n) with what beats looked like."""
        if not len(self.shapes):
            return [0.0, 0.0]
        each = np.add.reduce(shapes[:, None] * self.shapes, axis=2).tolist()
        return [max(values) if max(values) > 0.0 else 0.0 for values in each]

    def compare(
        self, at: int, row: Sequence[float], shapes: Floats, constants: QrsConstants
    ) -> list[float]:
        """The features (in the order of `FEATURES`) of a place, given everything before it."""
        (energy, sharp, wide, before, after, before_mean, after_mean, hum, step) = row[:9]
        next_sharp, next_after, norm = row[9:]
        size = max(self.expected_size(at, constants), 1e-3)
        elapsed_s = (at - self.waiting_since) / RATE_HZ
        own, following = self.likeness(shapes)
        # Before the first beats, what is noise depends on the lead's gain, which is unknown.
        noise = self.noise if self.beats > 1 else max(self.noise, 0.1 * self.recent)
        known = self.beats > 0
        # All logarithms at once: half of the detector's time went into calls of `_log_ratio`.
        vs_size, vs_recent, vs_noise, sharpness, width, *surroundings = _log_ratios(
            (energy, energy, energy, sharp, wide, before, after, before_mean, after_mean, hum),
            (size, self.recent, noise, energy, energy, energy, energy, energy, energy, energy),
        )
        next_sharpness, next_due, refused = _log_ratios(
            (next_sharp, max(elapsed_s, 0.0) + next_after, max(self.refused, 1e-3)),
            (sharp, self.rr_s, energy),
        )
        return [
            vs_size,
            vs_recent,
            vs_noise,
            sharpness,
            width,
            sharpness - self.sharpness if known else 0.0,
            width - self.width if known else 0.0,
            *surroundings,
            min(1.0, step / norm),
            own,
            following,
            _log_ratio(norm, self.norm) if known else 0.0,
            _log_ratio(elapsed_s, self.rr_s) if elapsed_s > 0 else -_LIMIT,
            min(elapsed_s, 3.0),
            self.irregularity,
            self.trust,
            1.0 - min(self.beats, _BEATS) / _BEATS,
            next_sharpness,
            next_due,
            refused,
        ]

    def refuse(self, energy: float) -> None:
        """A place that was no beat: its energy is noise (or a T wave, which is the same here)."""
        self.refused = max(self.refused, energy)
        self.noise += 0.1 * (min(energy, 3.0 * self.noise) - self.noise)

    def accept(
        self, at: int, row: Sequence[float], shape: Floats, likeness: float, upright: bool
    ) -> None:
        """A beat: learn its size, interval and form."""
        energy, sharp, wide, norm = row[0], row[1], row[2], row[-1]
        weight = 0.125 if self.beats >= _BEATS else 1.0 / (self.beats + 1)
        self.sizes = [*self.sizes[1 - _BEATS :], energy]
        self.size = _median(self.sizes)
        if self.last is not None:
            self._learn_interval((at - self.last) / RATE_HZ)
        self.last = self.waiting_since = at
        self.refused = 0.0
        self.sharpness += weight * (_log_ratio(sharp, energy) - self.sharpness)
        self.width += weight * (_log_ratio(wide, energy) - self.width)
        self.trust += 0.1 * (likeness - self.trust)
        self.norm += weight * ((min(norm, 3.0 * self.norm) if self.beats else norm) - self.norm)
        self.upright += 0.1 * ((1.0 if upright else -1.0) - self.upright)
        self._learn_shape(shape)
        self.beats += 1

    def _learn_interval(self, interval_s: float) -> None:
        if not _RR_RANGE_S[0] <= interval_s <= _RR_RANGE_S[1]:
            return
        surprise = min(1.0, abs(math.log(interval_s / self.rr_s)))
        self.irregularity += 0.1 * (surprise - self.irregularity)
        self.intervals_s = [*self.intervals_s[1 - _BEATS :], interval_s]
        self.rr_s = _median(self.intervals_s)

    def _learn_shape(self, shape: Floats) -> None:
        """Two shapes are kept (say, normal and ectopic); a third replaces the rarer one."""
        self.weights = [weight * 0.95 for weight in self.weights]
        scores = np.add.reduce(self.shapes * shape, axis=1).tolist()
        best = max(range(len(scores)), key=scores.__getitem__, default=-1)
        if best >= 0 and scores[best] > 0.7:
            mixed = self.shapes[best] * 0.85 + shape * 0.15
            self.shapes[best] = mixed / math.sqrt(float(np.add.reduce(mixed * mixed)))
            self.weights[best] += 1.0
        elif len(self.shapes) < 2:
            self.shapes = np.concatenate((self.shapes, shape[None]))
            self.weights.append(1.0)
        else:
            rarer = 0 if self.weights[0] < self.weights[1] else 1
            self.shapes[rarer] = shape
            self.weights[rarer] = 1.0

    def interrupt(self, at: int) -> None:
        """After a gap ending at `at` no interval may span it; all else survives."""
        self.last = None
        self.waiting_since = at
        self.recent_at = max(self.recent_at, at)

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self) | {"shapes": self.shapes.tolist()}

    @classmethod
    def of_snapshot(cls, state: Mapping[str, Any]) -> Self:
        """What `snapshot` was taken of."""
        values = copy.deepcopy(dict(state))
        values["shapes"] = np.array(values["shapes"]).reshape(-1, SHAPE_LENGTH)
        return cls(**values)
