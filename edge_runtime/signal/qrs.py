"""The R-peak detector: causal, final, with a fixed latency, and the same under any chunking.

`qrs_features` names every place where a QRS could be; this module decides, one place after the
other, with what earlier beats have taught: their size, shape, sharpness and rhythm. A small
network (constants in `qrs_constants.toml`, chosen by `model_build.detector_tuning`) turns the
comparison into a score. Three rules stand outside of it, because they must hold on any signal: an
energy below a floor in mV is no beat (asystole), two beats are at least 200 ms apart, and after a
silence the remembered size shrinks, but not without limit (a lead whose gain drops is found again
within seconds, a flat line is not searched for ever smaller beats).
"""

import copy
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

import numpy as np

from edge_runtime.errors import PathError
from edge_runtime.signal.qrs_features import (
    LEFT_REACH,
    PEAK_HALF,
    RATE_HZ,
    RIGHT_REACH,
    SHAPE_LENGTH,
    Candidates,
    Floats,
    Indices,
    describe,
)

FEATURES: Final = (
    "size",
    "size_of_recent",
    "size_of_noise",
    "sharpness",
    "width",
    "sharpness_change",
    "width_change",
    "before_max",
    "after_max",
    "before_mean",
    "after_mean",
    "hum",
    "step",
    "likeness",
    "likeness_of_next",
    "amplitude",
    "due",
    "elapsed",
    "irregularity",
    "trust",
    "cold",
)
"""Inputs of the score, in order; see `_Memory.compare`."""

_LIKENESS: Final = FEATURES.index("likeness")
_BEATS: Final = 8
"""Beats remembered for size and rhythm."""
_LIMIT: Final = 3.0
"""Logarithms are clipped to this, so that no input leaves the range seen in training."""
_LOST_S: Final = 30.0
"""So long without a beat, the remembered size is given up bit by bit (asystole has been raised)."""
_LOST: Final = int(_LOST_S * RATE_HZ)
_RR_START_S: Final = 0.8
_RR_RANGE_S: Final = (0.25, 2.5)
"""Intervals outside say nothing about the rhythm (IEC 60601-2-27 covers 30 to 200/min)."""


@dataclass(frozen=True, slots=True)
class QrsConstants:
    """Numbers of the detector. Lengths in samples at 250 Hz, sizes in mV of energy amplitude.

    `hidden` (h, len(FEATURES) + 1) and `output` (h + 1,) are the network's weights, the last
    column and entry being the bias; features enter as they are, scales are folded in.
    """

    hidden: Floats
    output: Floats
    threshold: float = 0.0
    floor_mv: float = 0.05
    refractory: int = 50
    patience_s: float = 2.5
    halving_s: float = 1.0
    deepest: float = 0.15

    def __post_init__(self) -> None:
        if self.hidden.ndim != 2 or self.hidden.shape[1] != len(FEATURES) + 1:
            raise PathError(f"detector constants: `hidden` needs {len(FEATURES) + 1} columns")
        if self.output.shape != (len(self.hidden) + 1,):
            raise PathError("detector constants: `output` needs one weight a hidden row and a bias")

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read what `to_toml` wrote."""
        table: dict[str, Any] = tomllib.loads(text)
        names = tuple(table.pop("features"))
        if names != FEATURES:
            raise PathError("detector constants were made for other features; run the tuning again")
        for name in ("hidden", "output"):
            table[name] = np.array(table[name], dtype=np.float64)
            table[name].flags.writeable = False
        return cls(**table)

    def to_toml(self) -> str:
        """The constants as TOML, numbers in their shortest exact form."""
        lines = ["features = [" + ", ".join(f'"{name}"' for name in FEATURES) + "]"]
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "hidden":
                rows = ",\n".join("  " + repr(row) for row in value.tolist())
                lines.append(f"hidden = [\n{rows},\n]")
            elif item.name == "output":
                lines.append(f"output = {value.tolist()!r}")
            else:
                lines.append(f"{item.name} = {value!r}")
        return "\n".join(lines) + "\n"


@cache
def shipped_constants() -> QrsConstants:
    """The constants that lie beside this module."""
    text = files("edge_runtime.signal").joinpath("qrs_constants.toml").read_text("utf-8")
    return QrsConstants.from_toml(text)


@dataclass(frozen=True, slots=True)
class Peaks:
    """R peaks `at` (k,) and the sample whose arrival `decided` (k,) each, both ascending.

    Counted from the detector's first sample, skipped samples included.
    """

    at: Indices
    decided: Indices

    def __len__(self) -> int:
        return len(self.at)


def _log_ratio(a: float, b: float) -> float:
    value = math.log(a / b)
    if value > _LIMIT:
        return _LIMIT
    return value if value > -_LIMIT else -_LIMIT


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


@dataclass(slots=True)
class _Memory:
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
        return [max(0.0, *values) for values in each]

    def compare(
        self, at: int, row: Sequence[float], shapes: Floats, constants: QrsConstants
    ) -> list[float]:
        """The features (in the order of `FEATURES`) of a place, given everything before it."""
        energy, sharp, wide, before, after, before_mean, after_mean, hum, step, norm = row
        size = max(self.expected_size(at, constants), 1e-3)
        elapsed_s = (at - self.waiting_since) / RATE_HZ
        sharpness = _log_ratio(sharp, energy)
        width = _log_ratio(wide, energy)
        own, following = self.likeness(shapes)
        known = self.beats > 0
        return [
            _log_ratio(energy, size),
            _log_ratio(energy, self.recent),
            _log_ratio(energy, self.noise),
            sharpness,
            width,
            sharpness - self.sharpness if known else 0.0,
            width - self.width if known else 0.0,
            _log_ratio(before, energy),
            _log_ratio(after, energy),
            _log_ratio(before_mean, energy),
            _log_ratio(after_mean, energy),
            _log_ratio(hum, energy),
            min(1.0, step / norm),
            own,
            following,
            _log_ratio(norm, self.norm) if known else 0.0,
            _log_ratio(elapsed_s, self.rr_s) if elapsed_s > 0 else -_LIMIT,
            min(elapsed_s, 3.0),
            self.irregularity,
            self.trust,
            1.0 - min(self.beats, _BEATS) / _BEATS,
        ]

    def refuse(self, energy: float) -> None:
        """A place that was no beat: its energy is noise (or a T wave, which is the same here)."""
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


class QrsDetector:
    """R peaks of one conditioned lead (0.5 to 40 Hz, mV, 250 Hz).

    Peaks come in order, are never moved or withdrawn, and are decided at most `max_latency`
    samples after they happened. Output depends on the samples and skips, not on their chunking.
    """

    max_latency: Final = PEAK_HALF + RIGHT_REACH
    """Bound of `decided - at`, in samples at 250 Hz (332 ms)."""

    def __init__(self, constants: QrsConstants | None = None) -> None:
        self._constants = shipped_constants() if constants is None else constants
        self._memory = _Memory()
        self._tail = np.empty(0)  # the last samples of this segment, and its padding
        self._segment = 0  # index of the first sample of this segment
        self._next = 0  # index of the first sample not yet fed

    @property
    def horizon(self) -> int:
        """Every peak before this index has been output."""
        return max(self._segment, self._next - RIGHT_REACH + 1 - PEAK_HALF)

    def process(self, x: Floats) -> Peaks:
        """Take `x` (n,) float64 in mV and return the peaks that became certain with it."""
        if x.ndim != 1:
            raise PathError(f"the detector takes one lead, not an array of shape {x.shape}")
        if not len(x):
            return _as_peaks([], [])
        if self._next == self._segment:
            # A constant run-in makes no slope, whatever level the segment begins at.
            self._tail = np.full(LEFT_REACH, x[0])
            done = self._segment
        else:
            done = max(self._segment, self._next - RIGHT_REACH + 1)
        buffer = np.concatenate((self._tail, x))
        self._next += len(x)
        origin = self._next - len(buffer)
        ready = self._next - RIGHT_REACH + 1
        self._tail = buffer[-min(len(buffer), LEFT_REACH + RIGHT_REACH) :]
        if ready <= done:
            return _as_peaks([], [])
        candidates = describe(buffer, done - origin, ready - origin, self._constants.floor_mv)
        return self._decide(candidates, origin)

    def finish(self) -> Peaks:
        """The signal ends here, or a gap begins: return the peaks still undecided.

        They are judged as if the last value went on, and keep the `decided` they would have had.
        The next sample begins a new segment, so `skip` may follow and nothing else need to.
        """
        if self._next == self._segment:
            return _as_peaks([], [])
        end = self._next
        rest = self.process(np.full(RIGHT_REACH, self._tail[-1]))
        self._next = end
        self.skip(0)
        inside = rest.at < end
        return Peaks(rest.at[inside], rest.decided[inside])

    def skip(self, n: int) -> None:
        """Leave out `n` samples (a gap): what was learnt stays, nothing spans it.

        What was undecided is lost; call `finish` first.
        """
        if n < 0:
            raise PathError(f"a gap of {n} samples")
        self._next += n
        self._segment = self._next
        self._tail = np.empty(0)
        self._memory.interrupt(self._next)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs to go on as if nothing had happened; plain values only."""
        return {
            "memory": asdict(self._memory) | {"shapes": self._memory.shapes.tolist()},
            "tail": self._tail.tolist(),
            "segment": self._segment,
            "next": self._next,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `snapshot` was taken (with the same constants)."""
        memory: dict[str, Any] = copy.deepcopy(state["memory"])
        memory["shapes"] = np.array(memory["shapes"]).reshape(-1, SHAPE_LENGTH)
        self._memory = _Memory(**memory)
        self._tail = np.array(state["tail"], dtype=np.float64)
        self._segment = state["segment"]
        self._next = state["next"]

    def _decide(self, candidates: Candidates, origin: int) -> Peaks:
        at: list[int] = []
        decided: list[int] = []
        centres = (candidates.centre + origin).tolist()
        peaks = (candidates.peak + origin).tolist()
        rows = candidates.local.tolist()
        deflections = candidates.deflection.tolist()
        for i, centre in enumerate(centres):
            peak = max(self._memory.choose_peak(peaks[i], deflections[i]), self._segment)
            shapes = candidates.shapes[i]
            if self._is_beat(peak, centre, rows[i], shapes, upright=peak == peaks[i][0]):
                at.append(peak)
                decided.append(centre + RIGHT_REACH - 1)
        return _as_peaks(at, decided)

    def _is_beat(
        self, peak: int, centre: int, row: Sequence[float], shapes: Floats, *, upright: bool
    ) -> bool:
        memory = self._memory
        memory.see(centre, row[0])
        if row[0] < self._constants.deepest * memory.size and peak - memory.waiting_since < _LOST:
            memory.refuse(row[0])
            return False
        if memory.last is not None and peak - memory.last < self._constants.refractory:
            return False
        features = memory.compare(peak, row, shapes, self._constants)
        if self._score(centre, features) < self._constants.threshold:
            memory.refuse(row[0])
            return False
        memory.accept(peak, row, shapes[0], features[_LIKENESS], upright)
        return True

    def _score(self, centre: int, features: list[float]) -> float:
        """Log-odds of a beat. Multiply and sum: no BLAS, whose sums vary by machine."""
        del centre  # for those who watch the scores of known places (the tuning)
        constants = self._constants
        hidden = np.maximum(np.add.reduce(constants.hidden * [*features, 1.0], axis=1), 0.0)
        return float(np.add.reduce(constants.output[:-1] * hidden) + constants.output[-1])


def _as_peaks(at: list[int], decided: list[int]) -> Peaks:
    return Peaks(np.array(at, dtype=np.int64), np.array(decided, dtype=np.int64))
