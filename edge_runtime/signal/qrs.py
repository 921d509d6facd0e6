"""The R-peak detector: causal, final, with a fixed latency, and the same under any chunking.

`qrs_features` names every place where a QRS could be; this module decides, one place after the
other, with what earlier beats have taught: their size, shape, sharpness and rhythm. A small
network (constants in `qrs_constants.toml`, chosen by `model_build.detector_tuning`) turns the
comparison into a score. Three rules stand outside of it, because they must hold on any signal: an
energy below a floor in mV is no beat (asystole), two beats are at least 200 ms apart, and after a
silence the remembered size shrinks, but not without limit (a lead whose gain drops is found again
within seconds, a flat line is not searched for ever smaller beats).

A place that scores a little too low is a *tentative* peak: the detector treats it as refused (it
teaches nothing and starts no refractory time), but reports it, once no firm peak can come within
the refractory time, so that the classifier may have the last word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.signal.held_peaks import HeldPeaks, Place
from edge_runtime.signal.qrs_constants import FEATURES, QrsConstants, shipped_constants
from edge_runtime.signal.qrs_features import (
    LEFT_REACH,
    PEAK_HALF,
    RIGHT_REACH,
    Candidates,
    Floats,
    Indices,
    describe,
)
from edge_runtime.signal.qrs_memory import Memory

_LIKENESS: Final = FEATURES.index("likeness")


@dataclass(frozen=True, slots=True)
class Peaks:
    """R peaks `at` (k,), the sample whose arrival `decided` (k,) each, and which are `tentative`.

    Counted from the detector's first sample, skipped samples included. In order of `decided`; firm
    ones ascend, and so do tentative ones, but a firm peak may come before an earlier tentative one.
    """

    at: Indices
    decided: Indices
    tentative: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def join(cls, parts: "Sequence[Peaks]") -> "Peaks":
        """What a detector gave one call after the other."""
        return cls(
            np.concatenate([part.at for part in parts]),
            np.concatenate([part.decided for part in parts]),
            np.concatenate([part.tentative for part in parts]),
        )

    def firm(self) -> "Peaks":
        """Those that are not tentative."""
        keep = ~self.tentative
        return Peaks(self.at[keep], self.decided[keep], self.tentative[keep])

    def by_place(self) -> "Peaks":
        """The same in order of `at`, as windows are cut."""
        order = np.argsort(self.at, kind="stable")
        return Peaks(self.at[order], self.decided[order], self.tentative[order])


class QrsDetector:
    """R peaks of one conditioned lead (0.5 to 40 Hz, mV, 250 Hz).

    Peaks are never moved or withdrawn; firm ones are decided at most `max_latency` samples after
    they happened, tentative ones as soon as no firm one can come within the refractory time, at
    most `refractory` samples later. Output depends on the samples and skips, not on their chunking.
    """

    max_latency: Final = PEAK_HALF + RIGHT_REACH
    """Bound of `decided - at` of a firm peak, in samples at 250 Hz (332 ms)."""

    def __init__(self, constants: QrsConstants | None = None) -> None:
        self._constants = shipped_constants() if constants is None else constants
        hidden, output = self._constants.hidden, self._constants.output
        self._weights, self._bias = output[:-1], output[-1]
        self._inputs = np.ones(hidden.shape[1])  # of one place, the bias's 1 last
        self._products = np.empty_like(hidden)
        self._memory = Memory()
        self._held = HeldPeaks(self._constants.refractory, self.max_latency)
        self._tail = np.empty(0)  # the last samples of this segment, and its padding
        self._segment = 0  # index of the first sample of this segment
        self._next = 0  # index of the first sample not yet fed

    @property
    def horizon(self) -> int:
        """Every firm peak before this index has been output."""
        return max(self._segment, self._next - RIGHT_REACH + 1 - PEAK_HALF)

    def process(self, x: Floats) -> Peaks:
        """Take `x` (n,) float64 in mV and return the peaks that became certain with it."""
        if x.ndim != 1:
            raise PathError(f"the detector takes one lead, not an array of shape {x.shape}")
        if not len(x):
            return _as_peaks([])
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
            return _as_peaks([])
        candidates = describe(buffer, done - origin, ready - origin, self._constants.floor_mv)
        return _as_peaks(self._decide(candidates, origin))

    def finish(self) -> Peaks:
        """The signal ends here, or a gap begins: return the peaks still undecided.

        They are judged as if the last value went on, and keep the `decided` they would have had.
        The next sample begins a new segment, so `skip` may follow and nothing else need to.
        """
        if self._next == self._segment:
            return _as_peaks([])
        end = self._next
        rest = self.process(np.full(RIGHT_REACH, self._tail[-1]))
        places = [*zip(rest.at.tolist(), rest.decided.tolist(), rest.tentative.tolist(),
                       strict=True)]  # fmt: skip
        places += self._held.release()
        self._next = end
        self.skip(0)
        return _as_peaks([place for place in places if place[0] < end])

    def skip(self, n: int) -> None:
        """Leave out `n` samples (a gap): what was learnt stays, nothing spans it.

        What was undecided is lost; call `finish` first.
        """
        if n < 0:
            raise PathError(f"a gap of {n} samples")
        self._next += n
        self._segment = self._next
        self._tail = np.empty(0)
        self._held.clear()
        self._memory.interrupt(self._next)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs to go on as if nothing had happened; plain values only."""
        return {
            "memory": self._memory.snapshot(),
            "held": self._held.snapshot(),
            "tail": self._tail.tolist(),
            "segment": self._segment,
            "next": self._next,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `snapshot` was taken (with the same constants)."""
        self._memory = Memory.of_snapshot(state["memory"])
        self._held.restore(state["held"])
        self._tail = np.array(state["tail"], dtype=np.float64)
        self._segment = state["segment"]
        self._next = state["next"]

    def _decide(self, candidates: Candidates, origin: int) -> list[Place]:
        """The peaks among the candidates, and tentative ones of before that became certain."""
        constants = self._constants
        out: list[Place] = []
        centres = (candidates.centre + origin).tolist()
        peaks = (candidates.peak + origin).tolist()
        rows = candidates.local.tolist()
        deflections = candidates.deflection.tolist()
        for i, centre in enumerate(centres):
            decided = centre + RIGHT_REACH - 1
            out += self._held.release(decided)
            peak = max(self._memory.choose_peak(peaks[i], deflections[i]), self._segment)
            shapes = candidates.shapes[i]
            score = self._judge(peak, centre, rows[i], shapes, upright=peak == peaks[i][0])
            if score >= constants.threshold:
                self._held.drop_near(peak)
                out.append((peak, decided, False))
            elif score >= constants.tentative_threshold:
                self._held.hold(peak, score)
        return out + self._held.release(self._next)

    def _judge(
        self, peak: int, centre: int, row: Sequence[float], shapes: Floats, *, upright: bool
    ) -> float:
        """The score of a place, minus infinity where no peak can be; what it teaches is learnt."""
        memory = self._memory
        memory.see(centre, row[0])
        if memory.is_far_too_small(peak, row[0], self._constants):
            memory.refuse(row[0])
            return -inf
        if memory.last is not None and peak - memory.last < self._constants.refractory:
            return -inf
        features = memory.compare(peak, row, shapes, self._constants)
        score = self._score(centre, features) + memory.rescue(peak, row[0])
        if score < self._constants.threshold:
            memory.refuse(row[0])
        else:
            memory.accept(peak, row, shapes[0], features[_LIKENESS], upright)
        return score

    def _score(self, centre: int, features: list[float]) -> float:
        """Log-odds of a beat. Multiply and sum: no BLAS, whose sums vary by machine."""
        del centre  # for those who watch the scores of known places (the tuning)
        self._inputs[:-1] = features
        hidden = np.add.reduce(
            np.multiply(self._constants.hidden, self._inputs, self._products), axis=1
        )
        return float(np.add.reduce(self._weights * np.maximum(hidden, 0.0)) + self._bias)


def _as_peaks(places: Sequence[Place]) -> Peaks:
    at, decided, tentative = zip(*places, strict=True) if places else ((), (), ())
    return Peaks(
        np.array(at, dtype=np.int64),
        np.array(decided, dtype=np.int64),
        np.array(tentative, dtype=np.bool_),
    )
