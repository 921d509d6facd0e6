"""One lead from finite samples to peaks and beats in context, segment by segment.

A segment is a stretch of samples without interruption. Filters start anew with each, the detector
keeps what it has learnt, and neither a window nor an interval spans two.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.fibrillation import WINDOW as WAVEFORM
from edge_runtime.signal.fibrillation import FibrillationMeter
from edge_runtime.signal.history import BeatHistory
from edge_runtime.signal.observations import (
    BeatsReady,
    Observation,
    PeakFound,
    RhythmReady,
    WaveformJudged,
)
from edge_runtime.signal.qrs import Peaks
from edge_runtime.signal.rhythm import JUDGED_S, RhythmMeter
from edge_runtime.signal.spec import CONTRACT_RATE_HZ, ConditioningSpec
from edge_runtime.signal.windows import WINDOW, WINDOW_AFTER, cut_windows


class Detector(Protocol):
    """What the path needs of an R-peak detector (see `qrs.QrsDetector`)."""

    @property
    def max_latency(self) -> int:
        """Bound of `decided - at` of a firm peak; a tentative one is told before its window is."""

    @property
    def horizon(self) -> int:
        """Every firm peak before this has been told."""

    def process(self, x: NDArray[np.float64], /) -> Peaks:
        """Take the next samples of one lead."""

    def finish(self) -> Peaks:
        """The samples end here: what was undecided."""

    def skip(self, n: int, /) -> None:
        """Leave out `n` samples."""

    def snapshot(self) -> dict[str, Any]:
        """State as plain values."""

    def restore(self, state: Mapping[str, Any], /) -> None:
        """Go on from a snapshot."""


class LeadAnalysis:
    """Conditioner, detector, windows and history of the lead that beats are taken from.

    `history` may be exchanged between two segments: when the leads change their roles.
    """

    def __init__(
        self,
        spec: ConditioningSpec,
        rate_hz: Fraction,
        mains_hz: int | None,
        detector: Callable[[], Detector],
        *,
        rhythm: bool = False,
    ) -> None:
        self._rate = rate_hz
        self._conditioner = Conditioner(spec, rate_hz, 1, mains_hz)
        self.timeline = self._conditioner.timeline
        self._make_detector = detector
        self._detector = detector()
        self.history = BeatHistory()
        self._waveform = FibrillationMeter()
        self._fibrillating = False
        self._rhythm = RhythmMeter() if rhythm else None
        self._in_segment = False
        self._segment_at = 0  # source index of the segment's first sample
        self._fresh = True  # the detector has seen nothing yet
        self._torn = True  # no interval would span the last beat and the next
        self._origin = 0  # contract index of the detector's first sample
        self._contract = 0  # contract index after the last sample the detector took or skipped
        self._kept: NDArray[np.float64] = np.zeros(0)  # conditioned, up to `_contract`
        self._pending: NDArray[np.int64] = np.zeros(0, np.int64)  # contract indices of R
        self._doubted: NDArray[np.bool_] = np.zeros(0, np.bool_)  # which of them are tentative

    @property
    def latency(self) -> int:
        """A firm peak at p is told at the latest with source sample p + latency."""
        return self._latency(self._detector.max_latency)

    @property
    def label_latency(self) -> int:
        """A beat at p is ready at the latest with source sample p + label_latency."""
        return self._latency(WINDOW_AFTER - 1)

    @property
    def keep(self) -> int:
        """How many contract samples back a window may begin that is still to be cut."""
        # A peak still to come lies at most `max_latency` back, and its window begins before it.
        return WINDOW + self._detector.max_latency

    def take(self, first: int, x: NDArray[np.float64]) -> list[Observation]:
        """Finite samples (n,) in mV from source index `first` on.

        They follow the last ones, or begin a segment after `interrupt`.
        """
        if not self._in_segment:
            self._begin_segment(first)
        out: list[Observation] = []
        y = self._conditioner.process(x[:, None])[:, 0]
        found = self._detector.process(y)
        self._contract += len(y)
        self._kept = np.concatenate([self._kept, y])
        if len(found):
            out += self._tell(found)
        out += self._judge(y)
        ready = int(np.searchsorted(self._pending, self._contract - WINDOW_AFTER, side="right"))
        beats = self._observe(ready) if ready else None
        if beats is not None:
            out.append(beats)
        if self._rhythm is not None:
            out += self._hops(self._rhythm, y, beats)
        self._kept = self._kept[-self.keep :]
        return out

    def interrupt(self, decided: int) -> list[Observation]:
        """Nothing follows the last sample directly; known with source sample `decided`."""
        if not self._in_segment:
            return []
        # Without this a link that loses a packet a second would lose a beat in four.
        out: list[Observation] = self._tell(self._detector.finish(), decided)
        if len(self._pending):
            beats = self._observe(len(self._pending), decided)
            out.append(beats)
            if self._rhythm is not None:
                self._rhythm.cut_off(beats.block)
        if not self._torn:
            self.history.break_at(self._contract)
            self._torn = True
        self._kept = np.zeros(0)
        self._in_segment = False
        return out

    def change_lead(self) -> None:
        """Another lead follows; to be told after `interrupt`. `history` is the caller's to fit."""
        # What the detector has learnt of one lead's size and shape is wrong for another.
        self._detector = self._make_detector()
        self._waveform = FibrillationMeter()
        if self._rhythm is not None:
            self._rhythm = RhythmMeter()
        self._fresh = True

    def horizon(self, position: int) -> int:
        """Every firm peak before this source index is told, all samples before `position` in."""
        if not self._in_segment:
            return position
        at = self.timeline.source_index(self._origin + self._detector.horizon)
        return max(at, self._segment_at)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "conditioner": self._conditioner.snapshot(),
            "detector": self._detector.snapshot(),
            "history": self.history.snapshot(),
            "waveform": self._waveform.snapshot(),
            "rhythm": None if self._rhythm is None else self._rhythm.snapshot(),
            "flags": [self._in_segment, self._fresh, self._torn, self._fibrillating],
            "place": [self._segment_at, self._origin, self._contract],
            "kept": self._kept.copy(),
            "pending": self._pending.copy(),
            "doubted": self._doubted.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._conditioner.restore(state["conditioner"])
        self._detector = self._make_detector()
        self._detector.restore(state["detector"])
        self.history.restore(state["history"])
        self._waveform.restore(state["waveform"])
        if self._rhythm is not None:
            self._rhythm.restore(state["rhythm"])
        self._in_segment, self._fresh, self._torn, self._fibrillating = state["flags"]
        self._segment_at, self._origin, self._contract = state["place"]
        self._kept = np.array(state["kept"], dtype=np.float64)
        self._pending = np.array(state["pending"], dtype=np.int64)
        self._doubted = np.array(state["doubted"], dtype=np.bool_)

    def _begin_segment(self, at: int) -> None:
        self._conditioner.reset(at)
        start = self._conditioner.next_output
        if self._fresh:
            self._origin, self._fresh = start, False
        else:
            self._detector.skip(start - self._contract)
        self._waveform.start(start)
        if self._rhythm is not None:
            self._rhythm.start(start)
        self._contract = start
        self._segment_at = at
        self._in_segment = True

    def _judge(self, y: NDArray[np.float64]) -> list[Observation]:
        """The windows that end within the conditioned samples `y` (n,), where worth a word."""
        out: list[Observation] = []
        for judged in self._waveform.process(y):
            before, self._fibrillating = self._fibrillating, judged.measures is not None
            if before or self._fibrillating:
                last = judged.end - 1
                window = np.array([judged.end - WAVEFORM, last])
                at, end = self.timeline.source_indices(window).tolist()
                decided = int(self.timeline.decided_indices(window)[-1])
                out.append(WaveformJudged(at, decided, end, judged.measures))
        return out

    def _hops(
        self, meter: RhythmMeter, y: NDArray[np.float64], beats: BeatsReady | None
    ) -> list[Observation]:
        """The hops of the rhythm within the conditioned samples `y` (n,)."""
        block = meter.process(y, None if beats is None else beats.block)
        if block is None:
            return []
        judged = self.timeline.source_indices(block.at - JUDGED_S * CONTRACT_RATE_HZ)
        decided = self.timeline.decided_indices(block.at - 1)
        return [RhythmReady(np.maximum(judged, 0), decided, block)]

    def _tell(self, found: Peaks, cut_at: int | None = None) -> list[Observation]:
        """New peaks, which wait for their windows; `cut_at`: no more samples will follow.

        Tentative ones are not told: they come with their windows alone.
        """
        self._wait(found.at + self._origin, found.tentative)
        firm = ~found.tentative
        peaks = found.at[firm] + self._origin
        decided = self.timeline.decided_indices(found.decided[firm] + self._origin)
        if cut_at is not None:
            decided = np.minimum(decided, cut_at)
        return [*map(PeakFound, self._source(peaks).tolist(), decided.tolist())]

    def _wait(self, peaks: NDArray[np.int64], tentative: NDArray[np.bool_]) -> None:
        """Add to the pending peaks; a tentative one may lie before a firm one of earlier."""
        both = np.concatenate([self._pending, peaks])
        order = np.argsort(both, kind="stable")
        self._pending = both[order]
        self._doubted = np.concatenate([self._doubted, tentative])[order]

    def _observe(self, n: int, cut_at: int | None = None) -> BeatsReady:
        """Put the `n` oldest pending beats in context; `cut_at`: no more samples will follow."""
        beats, self._pending = self._pending[:n], self._pending[n:]
        tentative, self._doubted = self._doubted[:n], self._doubted[n:]
        windows = cut_windows(self._kept, self._contract - len(self._kept), beats)
        decided = self.timeline.decided_indices(beats + (WINDOW_AFTER - 1))
        if cut_at is not None:
            decided = np.minimum(decided, cut_at)
        self._torn = False
        block = self.history.observe_block(windows, beats, tentative)
        return BeatsReady(self._source(beats), decided, block)

    def _source(self, contract: NDArray[np.int64]) -> NDArray[np.int64]:
        """Source indices (k,) of what this segment shows at `contract` (k,)."""
        # The filters' delay would place the very first samples before the segment.
        return np.maximum(self.timeline.source_indices(contract), self._segment_at)

    def _latency(self, contract_samples: int) -> int:
        behind = (contract_samples + self.timeline.delay) * self._rate / CONTRACT_RATE_HZ
        return ceil(behind + self.timeline.reach)
