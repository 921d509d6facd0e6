"""From stream items to observations: the one path of live use, replay and training.

Ring and quality see every lead; the conditioner, the detector and the history of beats see the
analysis lead. Whatever interrupts that lead (a gap, samples that are no numbers, a switch of leads)
ends a segment: filters start anew behind it, no window and no interval spans it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.history import BeatHistory
from edge_runtime.signal.lead import AUTO, LeadChoice, Switch
from edge_runtime.signal.observations import (
    BeatsReady,
    GapFound,
    Horizon,
    LeadChanged,
    Observation,
    PeakFound,
)
from edge_runtime.signal.qrs import Peaks, QrsDetector
from edge_runtime.signal.quality import QualityMeter
from edge_runtime.signal.ring import RingBuffer
from edge_runtime.signal.spec import CONTRACT_RATE_HZ, ConditioningSpec
from edge_runtime.signal.windows import WINDOW, WINDOW_AFTER, cut_windows
from firmware_bridge.stream import (
    Gap,
    GapReason,
    LeadStatus,
    SampleChunk,
    StreamItem,
    StreamOpened,
)

_MV_PER_UNIT: Final = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "nV": 1e-6}


class Detector(Protocol):
    """What the path needs of an R-peak detector (see `qrs.QrsDetector`)."""

    @property
    def max_latency(self) -> int:
        """Bound of `decided - at`."""

    @property
    def horizon(self) -> int:
        """Every peak before this has been told."""

    def process(self, x: NDArray[np.float64], /) -> Peaks:
        """Take the next samples of one lead."""

    def skip(self, n: int, /) -> None:
        """Leave out `n` samples."""

    def snapshot(self) -> dict[str, Any]:
        """State as plain values."""

    def restore(self, state: Mapping[str, Any], /) -> None:
        """Go on from a snapshot."""


@dataclass(frozen=True, slots=True)
class PathConfig:
    """`mains_hz`: notch, None for none. `lead`: a name, a number, or "auto" (or None) for the best
    by quality. `batch_s`: `feed` collects shorter chunks to this length; no result depends on it.
    """

    mains_hz: int | None = 50
    lead: str | int | None = AUTO
    ring_minutes: float = 10.0
    batch_s: float = 0.1


class SignalPath:
    """Everything between a device's samples and the classifier, for one source.

    Raises:
        PathError: the reference ECG has a rate or unit that cannot be taken, or lacks the lead.
    """

    def __init__(
        self,
        opened: StreamOpened,
        spec: ConditioningSpec,
        config: PathConfig | None = None,
        detector: Callable[[], Detector] = QrsDetector,
    ) -> None:
        config = config or PathConfig()
        wanted = AUTO if config.lead is None else config.lead
        signal = opened.reference
        if signal.unit not in _MV_PER_UNIT:
            raise PathError(f"ECG in {signal.unit!r}; use one of {', '.join(_MV_PER_UNIT)}")
        self.signal = signal
        self._scale = _MV_PER_UNIT[signal.unit]
        self._batch = max(1, round(config.batch_s * signal.rate_hz))
        self._conditioner = Conditioner(spec, signal.rate_hz, 1, config.mains_hz)
        self.timeline = self._conditioner.timeline
        self._choice = LeadChoice(signal.leads, wanted, signal.rate_hz)
        steps = tuple(abs(self._scale / gain) if gain else 0.0 for gain in signal.counts_per_unit)
        self._quality = QualityMeter(signal.rate_hz, steps, config.mains_hz)
        self.ring = RingBuffer(ceil(config.ring_minutes * 60 * signal.rate_hz), len(signal.leads))
        self._make_detector = detector
        self._detector = detector()
        self._history = BeatHistory()
        self._waiting: list[SampleChunk] = []
        self._end: int | None = None  # source index after the last sample taken in
        self._lead = self._choice.lead
        self._in_segment = False
        self._hole: int | None = None  # where samples that are no numbers began
        self._segment_at = 0  # source index of the segment's first sample
        self._fresh = True  # the detector has seen nothing yet
        self._torn = True  # no interval would span the last beat and the next
        self._origin = 0  # contract index of the detector's first sample
        self._contract = 0  # contract index after the last sample the detector took or skipped
        self._kept: NDArray[np.float64] = np.zeros(0)  # conditioned, up to `_contract`
        self._pending: NDArray[np.int64] = np.zeros(0, np.int64)  # contract indices of R

    @property
    def lead(self) -> int:
        """Number of the analysis lead."""
        return self._lead

    @property
    def latency(self) -> int:
        """A peak at p is told at the latest with source sample p + latency."""
        return self._latency(self._detector.max_latency)

    @property
    def label_latency(self) -> int:
        """A beat at p is ready at the latest with source sample p + label_latency."""
        return self._latency(WINDOW_AFTER - 1)

    @property
    def settle(self) -> int:
        """For so many source samples after a gap a peak may be overlooked."""
        return self.latency

    @property
    def position(self) -> int:
        """Source index after the last sample that was processed or is missing."""
        return self._end or 0

    def feed(self, item: StreamItem) -> list[Observation]:
        """Take one item of the stream; returns what became certain, in order of `decided`.

        Chunks are collected to `batch_s`. Gaps come back as `GapFound`, and `Horizon` tells how
        far the path has come. Items that are no samples, gaps or electrode states of the
        reference ECG say nothing here.

        Raises:
            PathError: samples of another shape, or that go back in time.
        """
        match item:
            case SampleChunk() if item.signal == self.signal.id:
                self._check(item.first, item.samples)
                self._waiting.append(item)
                if self._n_waiting() < self._batch:
                    return []
                return self.flush()
            case Gap() if item.signal == self.signal.id:
                out = self.flush() + self.skip(item.n_missing, item.first)
                last = self.position - 1
                out.append(GapFound(item.first, last, item.n_missing, item.exact, item.reason))
                return [*out, self._horizon()]
            case LeadStatus() if item.signal == self.signal.id:
                return self.flush() + self.set_leads_off(item.off, item.at)
            case _:
                return []

    def flush(self) -> list[Observation]:
        """Process what was collected for a batch."""
        if not self._waiting:
            return []
        first = self._waiting[0].first
        samples = np.concatenate([chunk.samples for chunk in self._waiting])
        self._waiting = []
        return [*self.process(samples, first), self._horizon()]

    def finish(self) -> list[Observation]:
        """The stream has ended: what was collected, and the beats whose windows stay incomplete."""
        out = self.flush()
        self._close_hole(self.position, self.position - 1, out)
        self._end_segment(self.position - 1, out)
        return out

    def process(self, samples: NDArray[np.float32], first: int | None = None) -> list[Observation]:
        """The next samples (n, n_leads), at once; returns everything decided within them.

        `first` is their index; it may be left out, but for a stream that does not begin at 0.

        Raises:
            PathError: samples of another shape or out of sequence.
        """
        first = self.position if first is None else first
        self._check(first, samples)
        self.ring.write(first, samples)
        self._end = first + len(samples)
        millivolts = samples.astype(np.float64)
        if self._scale != 1.0:
            millivolts *= self._scale
        quality = self._quality.feed(first, millivolts)
        out: list[Observation] = list(quality.changes)
        at = first
        for switch in self._choice.consider(quality.ranks, quality.ends):
            self._analyse(at, millivolts[at - first : switch.at - first, self._lead], out)
            self._change_lead(switch, out)
            at = switch.at
        self._analyse(at, millivolts[at - first :, self._lead], out)
        # Stable: observations decided by the same sample stay in the order quality, then the rest.
        out.sort(key=_first_decided)
        return out

    def skip(self, n_missing: int, first: int | None = None) -> list[Observation]:
        """A gap after the last sample; returns what it cuts off, decided by its first sample."""
        first = self.position if first is None else first
        self._check_place(first)
        out: list[Observation] = []
        self._close_hole(first, first - 1, out)
        self._end_segment(first, out)
        self._end = first + n_missing
        self.ring.skip_to(self._end)
        return out

    def set_leads_off(self, off: tuple[bool, ...], at: int | None = None) -> list[Observation]:
        """The device's own sensor reports these leads off (True) or on, since `at`."""
        now = self.position
        return list(self._quality.electrodes(off, now if at is None else min(at, now), now))

    def _check(self, first: int, samples: NDArray[np.float32]) -> None:
        if samples.ndim != 2 or samples.shape[1] != len(self.signal.leads):
            raise PathError(
                f"samples of shape {samples.shape}, announced were {len(self.signal.leads)} "
                "leads; open the stream again"
            )
        self._check_place(first)

    def _check_place(self, first: int) -> None:
        expected = self._waiting[-1].end if self._waiting else self._end
        if expected is not None and first != expected:
            raise PathError(
                f"samples or a gap at {first}, but the stream stands at {expected}; a driver "
                "sends a Gap for what is missing and nothing twice"
            )

    def _n_waiting(self) -> int:
        return sum(len(chunk.samples) for chunk in self._waiting)

    def _analyse(self, first: int, x: NDArray[np.float64], out: list[Observation]) -> None:
        """Take samples of the analysis lead (n,), which may hold stretches without numbers."""
        finite = np.isfinite(x)
        if finite.all():
            runs = [(0, len(x))] if len(x) else []
        else:
            edges = np.flatnonzero(np.diff(finite)) + 1
            runs = list(pairwise([0, *edges.tolist(), len(x)]))
        for start, end in runs:
            if finite[start]:
                self._close_hole(first + start, first + start, out)
                self._detect(first + start, x[start:end], out)
            else:
                self._widen_hole(first + start, first + end, out)

    def _widen_hole(self, start: int, end: int, out: list[Observation]) -> None:
        """Samples [start, end) are no numbers; tell of each second that is complete."""
        self._end_segment(start, out)
        if self._hole is None:
            self._hole = start
        rate = self.signal.rate_hz
        second = self._hole // rate + 1
        while (border := ceil(second * rate)) <= end:
            self._close_hole(border, border - 1, out)
            self._hole = border
            second += 1

    def _close_hole(self, end: int, decided: int, out: list[Observation]) -> None:
        if self._hole is not None and end > self._hole:
            n = end - self._hole
            out.append(GapFound(self._hole, decided, n, exact=True, reason=GapReason.INVALID))
        self._hole = None

    def _detect(self, first: int, x: NDArray[np.float64], out: list[Observation]) -> None:
        """Finite samples (n,) of the analysis lead, from source index `first` on."""
        if not self._in_segment:
            self._begin_segment(first)
        y = self._conditioner.process(x[:, None])[:, 0]
        found = self._detector.process(y)
        self._contract += len(y)
        self._kept = np.concatenate([self._kept, y])
        if len(found):
            peaks = found.at + self._origin
            self._pending = np.concatenate([self._pending, peaks])
            decided = self.timeline.decided_indices(found.decided + self._origin)
            out += map(PeakFound, self._source(peaks).tolist(), decided.tolist())
        ready = int(np.searchsorted(self._pending, self._contract - WINDOW_AFTER, side="right"))
        if ready:
            self._observe(ready, None, out)
        # A peak still to come lies at most `max_latency` back, and its window begins before it.
        self._kept = self._kept[-(WINDOW + self._detector.max_latency) :]

    def _observe(self, n: int, cut_at: int | None, out: list[Observation]) -> None:
        """Put the `n` oldest pending beats in context; `cut_at`: no more samples will follow."""
        beats, self._pending = self._pending[:n], self._pending[n:]
        windows = cut_windows(self._kept, self._contract - len(self._kept), beats)
        decided = self.timeline.decided_indices(beats + (WINDOW_AFTER - 1))
        if cut_at is not None:
            decided = np.minimum(decided, cut_at)
        block = self._history.observe_block(windows, beats)
        out.append(BeatsReady(self._source(beats), decided, block))
        self._torn = False

    def _source(self, contract: NDArray[np.int64]) -> NDArray[np.int64]:
        """Source indices (k,) of what this segment shows at `contract` (k,)."""
        # The filters' delay would place the very first samples before the segment.
        return np.maximum(self.timeline.source_indices(contract), self._segment_at)

    def _begin_segment(self, at: int) -> None:
        self._conditioner.reset(at)
        start = self._conditioner.next_output
        if self._fresh:
            self._origin, self._fresh = start, False
        else:
            self._detector.skip(start - self._contract)
        self._contract = start
        self._segment_at = at
        self._in_segment = True

    def _end_segment(self, decided: int, out: list[Observation]) -> None:
        """Nothing follows the last sample directly; known with source sample `decided`."""
        if not self._in_segment:
            return
        if len(self._pending):
            self._observe(len(self._pending), decided, out)
        if not self._torn:
            self._history.break_at(self._contract)
            self._torn = True
        self._kept = np.zeros(0)
        self._in_segment = False

    def _change_lead(self, switch: Switch, out: list[Observation]) -> None:
        known = switch.at - 1
        self._close_hole(switch.at, known, out)
        self._end_segment(known, out)
        self._history.forget_shapes()
        # What the detector has learnt of one lead's size and shape is wrong for another.
        self._detector = self._make_detector()
        self._fresh = True
        self._lead = switch.lead
        out.append(LeadChanged(switch.at, known, switch.lead, switch.reason))

    def _horizon(self) -> Horizon:
        at = self.position
        if self._in_segment:
            at = self.timeline.source_index(self._origin + self._detector.horizon)
        return Horizon(max(at, self._segment_at), self.position - 1)

    def _latency(self, contract_samples: int) -> int:
        behind = (contract_samples + self.timeline.delay) * self.signal.rate_hz / CONTRACT_RATE_HZ
        return ceil(behind + self.timeline.reach)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs but the ring, in numbers, arrays, lists and dicts."""
        return {
            "conditioner": self._conditioner.snapshot(),
            "quality": self._quality.snapshot(),
            "choice": self._choice.snapshot(),
            "detector": self._detector.snapshot(),
            "history": self._history.snapshot(),
            "waiting": [(int(chunk.first), chunk.samples) for chunk in self._waiting],
            "place": [self._end, self._lead, self._in_segment, self._hole],
            "segment": [self._segment_at, self._fresh, self._torn, self._origin, self._contract],
            "kept": self._kept.copy(),
            "pending": self._pending.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken, in a path made alike; the ring starts empty."""
        self._conditioner.restore(state["conditioner"])
        self._quality.restore(state["quality"])
        self._choice.restore(state["choice"])
        self._detector = self._make_detector()
        self._detector.restore(state["detector"])
        self._history.restore(state["history"])
        self._waiting = [
            SampleChunk(self.signal.id, first, samples) for first, samples in state["waiting"]
        ]
        self._end, self._lead, self._in_segment, self._hole = state["place"]
        self._segment_at, self._fresh, self._torn, self._origin, self._contract = state["segment"]
        self._kept = np.array(state["kept"], dtype=np.float64)
        self._pending = np.array(state["pending"], dtype=np.int64)


def _first_decided(observation: Observation) -> int:
    if isinstance(observation, BeatsReady):
        return int(observation.decided[0])
    return observation.decided
