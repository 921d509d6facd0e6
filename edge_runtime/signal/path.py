"""From stream items to observations: the one path of live use, replay and training.

Ring and quality see every lead; conditioner, detector and history (`analysis.py`) see the analysis
lead. Whatever interrupts that lead ends a segment there: a gap, samples that are no numbers, a
switch of leads. Where it is asked for, a second lead (`companion.py`) is looked at around the same
beats.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.events import QualityLevel
from edge_runtime.signal.analysis import Detector, LeadAnalysis
from edge_runtime.signal.companion import CompanionLead
from edge_runtime.signal.electrodes import ElectrodeWatch
from edge_runtime.signal.holes import HoleTeller
from edge_runtime.signal.lead import AUTO, LeadChoice, Switch
from edge_runtime.signal.observations import (
    BeatsReady,
    CompanionBeats,
    GapFound,
    Horizon,
    LeadChanged,
    Observation,
    RhythmReady,
)
from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.quality import LEVELS, Assessment, QualityMeter
from edge_runtime.signal.ring import RingBuffer
from edge_runtime.signal.spec import ConditioningSpec
from firmware_bridge.stream import (
    Gap,
    LeadStatus,
    SampleChunk,
    StreamItem,
    StreamOpened,
)

_MV_PER_UNIT: Final = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "nV": 1e-6}


@dataclass(frozen=True, slots=True)
class PathConfig:
    """`mains_hz`: notch, None for none. `lead`: a name, a number, or "auto" (or None) for the best
    by quality. `batch_s`: `feed` collects shorter chunks to this length; no result depends on it.
    `companion`: look at a second lead too, where there is one. `rhythm`: measure the rhythm.
    """

    mains_hz: int | None = 50
    lead: str | int | None = AUTO
    ring_minutes: float = 10.0
    batch_s: float = 0.1
    companion: bool = False
    rhythm: bool = False


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
        self._analysis = LeadAnalysis(
            spec, signal.rate_hz, config.mains_hz, detector, rhythm=config.rhythm
        )
        self.timeline = self._analysis.timeline
        self._choice = LeadChoice(signal.leads, wanted, signal.rate_hz, paired=config.companion)
        steps = tuple(abs(self._scale / gain) if gain else 0.0 for gain in signal.counts_per_unit)
        self._quality = QualityMeter(signal.rate_hz, steps, config.mains_hz)
        self.ring = RingBuffer(ceil(config.ring_minutes * 60 * signal.rate_hz), len(signal.leads))
        self._electrodes = ElectrodeWatch(signal.rate_hz, signal.leads)
        self._waiting: list[SampleChunk] = []
        self._end: int | None = None  # source index after the last sample taken in
        self._lead, self._second_lead = self._choice.lead, self._choice.companion
        self._companion: CompanionLead | None = None
        if self._second_lead is not None:
            keep = self._analysis.keep
            self._companion = CompanionLead(spec, signal.rate_hz, config.mains_hz, keep)
        self._holes = HoleTeller(signal.rate_hz)

    @property
    def lead(self) -> int:
        """Number of the analysis lead."""
        return self._lead

    @property
    def companion(self) -> int | None:
        """Number of the second lead that is looked at, None for none."""
        return self._second_lead

    @property
    def latency(self) -> int:
        """A firm peak at p is told at the latest with source sample p + latency."""
        return self._analysis.latency

    @property
    def label_latency(self) -> int:
        """A beat at p is ready at the latest with source sample p + label_latency."""
        return self._analysis.label_latency

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
                out = self.flush() + self._skip(item.first, item.n_missing)
                last = self.position - 1
                out.append(GapFound(item.first, last, item.n_missing, item.exact, item.reason))
                return [*out, self._horizon()]
            case LeadStatus() if item.signal == self.signal.id:
                return [*self.flush(), *self._set_leads_off(item.off, item.at)]
            case _:
                return []

    def flush(self) -> list[Observation]:
        """Process what was collected for a batch."""
        if not self._waiting:
            return []
        first = self._waiting[0].first
        samples = np.concatenate([chunk.samples for chunk in self._waiting])
        self._waiting = []
        return [*self._process(first, samples), self._horizon()]

    def finish(self) -> list[Observation]:
        """The stream has ended: what was collected, and the beats whose windows stay incomplete."""
        out = self.flush()
        out += self._holes.finish(self.position)
        return out + self._interrupt(self.position - 1)

    def _process(self, first: int, samples: NDArray[np.float32]) -> list[Observation]:
        """The next samples (n, n_leads), at once; returns everything decided within them."""
        self.ring.write(first, samples)
        self._end = first + len(samples)
        millivolts = samples.astype(np.float64)
        if self._scale != 1.0:
            millivolts *= self._scale
        self._electrodes.feed(first, millivolts)
        quality = self._quality.feed(first, millivolts)
        out: list[Observation] = list(quality.changes)
        at = first
        for switch in self._choice.consider(quality.ranks, quality.ends):
            self._analyse(at, millivolts[at - first : switch.at - first], quality, out)
            self._change_leads(switch, out, quality)
            at = switch.at
        self._analyse(at, millivolts[at - first :], quality, out)
        # Stable: observations decided by the same sample stay in the order quality, then the rest.
        out.sort(key=_first_decided)
        return out

    def _skip(self, first: int, n_missing: int) -> list[Observation]:
        """A gap after the last sample; returns what it cuts off, decided by its first sample."""
        self._check_place(first)
        self._end = first + n_missing
        self.ring.skip_to(self._end)
        return [*self._holes.finish(first), *self._interrupt(first)]

    def _set_leads_off(self, off: tuple[bool, ...], at: int) -> list[Observation]:
        """The device's own sensor reports these leads off (True) or on, since `at`."""
        now = self.position
        changes = self._quality.electrodes(off, min(at, now), now)
        out: list[Observation] = []
        switch = self._choice.consider_off(off, self._quality.ranks(), now)
        if switch is not None:
            self._change_leads(switch, out)
        return [*out, *changes]

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

    def _analyse(
        self,
        first: int,
        samples: NDArray[np.float64],
        quality: Assessment,
        out: list[Observation],
    ) -> None:
        """Take samples (n, n_leads), which may hold stretches without numbers."""
        x = samples[:, self._lead]
        finite = np.isfinite(x)
        if self._companion is None:
            for start, end in _runs(finite):
                self._take_run(first, start, end, x, quality, out)
            return
        y = samples[:, self._second_lead]
        second_finite = np.isfinite(y)
        for start, end in _runs(finite + 2 * second_finite):
            if finite[start] and second_finite[start]:
                self._companion.take(first + start, y[start:end])
            else:
                self._companion.lose()
            self._take_run(first, start, end, x, quality, out)

    def _take_run(
        self,
        first: int,
        start: int,
        end: int,
        x: NDArray[np.float64],
        quality: Assessment,
        out: list[Observation],
    ) -> None:
        """Take `x[start:end]` of the analysis lead: all finite, or none."""
        if np.isfinite(x[start]):
            out += self._holes.valid(first + start, first + end)
            seen = self._pair(self._analysis.take(first + start, x[start:end]), quality)
            out += seen
            out += self._electrodes.observe(seen, self._lead, quality.level_at)
        else:
            out += self._interrupt(first + start, quality)
            out += self._holes.invalid(first + start, first + end)

    def _interrupt(self, decided: int, quality: Assessment | None = None) -> list[Observation]:
        """Nothing follows the last sample directly; known with source sample `decided`."""
        seen = self._pair(self._analysis.interrupt(decided), quality)
        if self._companion is not None:
            self._companion.interrupt()
        return seen

    def _pair(self, seen: list[Observation], quality: Assessment | None) -> list[Observation]:
        """Beats with what the second lead shows of them. `quality` None: as it is at present."""
        companion, second = self._companion, self._second_lead
        if companion is None or second is None:
            return seen
        for place, one in enumerate(seen):
            if isinstance(one, BeatsReady):
                usable = np.array([self._usable(second, d, quality) for d in one.decided.tolist()])
                beats = companion.observe(one.block, usable)
                paired = CompanionBeats(second, self._lead, beats)
                seen[place] = replace(one, companion=paired)
        return seen

    def _usable(self, lead: int, decided: int, quality: Assessment | None) -> bool:
        if quality is None:
            level = LEVELS[self._quality.ranks()[lead]]
        else:
            level = quality.level_at(lead, decided)
        return level in (QualityLevel.GOOD, QualityLevel.USABLE)

    def _change_leads(
        self, switch: Switch, out: list[Observation], quality: Assessment | None = None
    ) -> None:
        known = switch.at - 1
        changed = switch.lead != self._lead
        if changed:
            out += self._holes.finish(switch.at)
            out += self._interrupt(known, quality)
            self._analysis.change_lead()
            self._electrodes.lead_changed()
        self._hand_over(switch)
        self._lead, self._second_lead = switch.lead, switch.companion
        if changed:
            out.append(LeadChanged(switch.at, known, switch.lead, switch.reason))

    def _hand_over(self, switch: Switch) -> None:
        """Each lead that stays in use keeps its history; a new one takes over intervals only."""
        if self._companion is None:
            self._analysis.history.forget_shapes()
            return
        self._companion.lose()
        before, now = (self._lead, self._second_lead), (switch.lead, switch.companion)
        kept = dict(zip(before, (self._analysis.history, self._companion.history), strict=True))
        spare = [kept[number] for number in before if number not in now]
        for history in spare:
            history.forget_shapes()
        self._analysis.history, self._companion.history = (
            kept[number] if number in kept else spare.pop() for number in now
        )

    def _horizon(self) -> Horizon:
        return Horizon(self._analysis.horizon(self.position), self.position - 1)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs but the ring, in numbers, arrays, lists and dicts."""
        return {
            "analysis": self._analysis.snapshot(),
            "quality": self._quality.snapshot(),
            "choice": self._choice.snapshot(),
            "electrodes": self._electrodes.snapshot(),
            "waiting": [(int(chunk.first), chunk.samples) for chunk in self._waiting],
            "holes": self._holes.snapshot(),
            "companion": None if self._companion is None else self._companion.snapshot(),
            "place": [self._end, self._lead, self._second_lead],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken, in a path made alike; the ring starts empty."""
        self._analysis.restore(state["analysis"])
        self._quality.restore(state["quality"])
        self._choice.restore(state["choice"])
        self._electrodes.restore(state["electrodes"])
        self._waiting = [
            SampleChunk(self.signal.id, first, samples) for first, samples in state["waiting"]
        ]
        self._holes.restore(state["holes"])
        self._end, self._lead, self._second_lead = state["place"]
        if self._companion is not None:
            self._companion.restore(state["companion"])


def _runs(state: NDArray[np.int_] | NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where (start, end) `state` (n,) stays the same."""
    if not len(state) or (state == state[0]).all():
        return [(0, len(state))] if len(state) else []
    edges = np.flatnonzero(np.diff(state)) + 1
    return list(pairwise([0, *edges.tolist(), len(state)]))


def _first_decided(observation: Observation) -> int:
    if isinstance(observation, BeatsReady | RhythmReady):
        return int(observation.decided[0])
    return observation.decided
