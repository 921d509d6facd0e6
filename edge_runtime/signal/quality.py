"""How far each lead can be read, second by second, from the raw samples.

It annotates and chooses leads; it never stands between the signal and the rules for asystole and
ventricular fibrillation. A second is assessed when its last sample is there; a level becomes worse
after two such seconds in a row and better after five, so it does not flicker.

Faults (nothing, flat, at the rail, out of range) make a second unusable. Otherwise a small network
says how likely R peaks go wrong in it (`quality_risk.py`); where neither noise nor wander is to be
seen it makes a lead usable at worst: what looks strange and clean may be the heart (ventricular
flutter). A sudden loss of amplitude makes a lead usable at best (`quality_amplitude.py`).
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import QualityLevel
from edge_runtime.signal.observations import QualityChanged
from edge_runtime.signal.quality_amplitude import AmplitudeWatch
from edge_runtime.signal.quality_measures import NOISE, WANDER, Measurer
from edge_runtime.signal.quality_risk import QualityConstants, RecentSeconds, shipped_constants

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

LEVELS: Final = (
    QualityLevel.GOOD,
    QualityLevel.USABLE,
    QualityLevel.UNUSABLE,
    QualityLevel.LEAD_OFF,
)
"""From best to worst; a level's place here is its rank."""
_GOOD, _USABLE, _UNUSABLE, _LEAD_OFF = range(4)

_WORSE_AFTER: Final = 2
_BETTER_AFTER: Final = 5

_FLAT_MV: Final = 0.01
"""Below the noise of any real electrode; two steps of a coarse converter count as flat too."""
_SPAN_MV: Final = 12.0
"""More in one second is artefact: the tallest QRS are about 6 mV."""
_NOISE_MV: Final = 0.06
_WANDER_MV: Final = 2.5
"""Below both a second shows no disturbance worth the name."""
_RAIL_SHARE: Final = 0.1
_RAIL_DISTANCE_MV: Final = 0.5
_INVALID_SHARE: Final = 0.1

# Reasons in the order in which the first that holds is given.
_REASONS: Final = (
    "",
    "invalid samples",
    "flat line",
    "saturated",
    "amplitude out of range",
    "noise",
    "baseline wander",
    "amplitude collapsed",
)
_INVALID, _FLAT, _RAIL, _AMPLITUDE, _NOISE, _BASELINE, _COLLAPSED = range(1, 8)


@dataclass(slots=True)
class _Lead:
    """One lead's level (None: nothing known yet) and its last seconds as (start, rank, reason)."""

    rank: int | None = None
    recent: list[tuple[int, int, int]] = field(default_factory=list)
    highest: float = -math.inf
    lowest: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What new samples told: the rank of each lead `before`; changes in order; the rank of each
    lead (b, n_leads) at each of the b seconds that ended, and the index just after each (b,)."""

    before: tuple[int, ...]
    changes: list[QualityChanged]
    ranks: Codes
    ends: Codes

    def level_at(self, lead: int, decided: int) -> QualityLevel:
        """The level of a lead as it was known with source sample `decided`."""
        known = [c.level for c in self.changes if c.lead == lead and c.decided <= decided]
        return known[-1] if known else LEVELS[self.before[lead]]


class QualityMeter:
    """Assesses all leads of one ECG.

    Args:
        rate_hz: of the source.
        step_mv: one converter step of each lead.
        mains_hz: left out of the noise (the conditioner's notch takes it away); None: counted.
        constants: without, the shipped ones.
    """

    def __init__(
        self,
        rate_hz: Fraction,
        step_mv: tuple[float, ...],
        mains_hz: int | None = None,
        constants: QualityConstants | None = None,
    ) -> None:
        self._rate = rate_hz
        self._length = math.floor(rate_hz)
        self._flat = np.maximum(_FLAT_MV, 2.0 * np.array(step_mv))
        self._measure = Measurer(rate_hz, self._length, mains_hz)
        self._constants = constants or shipped_constants()
        self._seconds = RecentSeconds(len(step_mv))
        self._leads = [_Lead() for _ in step_mv]
        self._amplitude = AmplitudeWatch(len(step_mv))
        self._begun = np.zeros((0, len(step_mv)))
        self._begun_at = 0

    def feed(self, first: int, samples: Array) -> Assessment:
        """Take samples (n, n_leads) in mV, NaN allowed; `first` shows whether a gap was before."""
        if first != self._begun_at + len(self._begun):
            self._begun, self._begun_at = samples, first
        else:
            self._begun = np.concatenate([self._begun, samples])
        starts = self._second_starts(self._begun_at + len(self._begun))
        if not len(starts):
            nothing = np.zeros((0, len(self._leads)), np.int64)
            return Assessment(self.ranks(), [], nothing, starts)
        rows = (starts - self._begun_at)[:, None] + np.arange(self._length)
        seconds = np.ascontiguousarray(self._begun.T[:, rows])
        ranks, reasons = self._assess(seconds)
        keep = int(starts[-1]) + self._length - self._begun_at
        self._begun, self._begun_at = self._begun[keep:].copy(), self._begun_at + keep
        return self._follow(starts, ranks, reasons)

    def electrodes(self, off: tuple[bool, ...], at: int, decided: int) -> list[QualityChanged]:
        """The device's own sensor reports which leads are off from `at` on."""
        changes = []
        for number, (lead, is_off) in enumerate(zip(self._leads, off, strict=True)):
            if is_off == (lead.rank == _LEAD_OFF):
                continue
            lead.rank = _LEAD_OFF if is_off else _UNUSABLE
            lead.recent = []
            self._amplitude.forget(number)
            self._seconds.forget(number)
            reason = "reported off by the device" if is_off else "electrode back, settling"
            changes.append(QualityChanged(at, decided, number, LEVELS[lead.rank], reason))
        return changes

    def ranks(self) -> tuple[int, ...]:
        """The present rank of each lead; a lead of which nothing is known counts as good."""
        return tuple(lead.rank or 0 for lead in self._leads)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "begun": self._begun.copy(),
            "begun_at": self._begun_at,
            "amplitude": self._amplitude.snapshot(),
            "seconds": self._seconds.snapshot(),
            "leads": [[x.rank, list(x.recent), x.highest, x.lowest] for x in self._leads],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._begun = np.array(state["begun"], dtype=np.float64)
        self._begun_at = int(state["begun_at"])
        self._amplitude.restore(state["amplitude"])
        self._seconds.restore(state["seconds"])
        self._leads = [
            _Lead(rank, [(a, b, c) for a, b, c in recent], highest, lowest)
            for rank, recent, highest, lowest in state["leads"]
        ]

    def _second_starts(self, end: int) -> Codes:
        """Where the seconds start (b,) of which all samples have begun and lie before `end`."""
        samples, per = self._rate.numerator, self._rate.denominator
        first = (self._begun_at - 1) * per // samples + 1
        numbers = np.arange(first, (end - self._length) * per // samples + 1)
        return -(-numbers * samples // per)

    def _assess(self, seconds: Array) -> tuple[Codes, Codes]:
        """Rank and reason (n_leads, b) of each second (n_leads, b, length)."""
        finite = np.isfinite(seconds)
        share = (self._length - np.count_nonzero(finite, axis=2)) / self._length
        x = np.where(finite, seconds, 0.0) if share.any() else seconds
        highest, lowest = x.max(axis=2), x.min(axis=2)
        span = highest - lowest
        measures = self._measure(x)
        faults = (
            (span > _SPAN_MV, _AMPLITUDE),
            (self._at_rail(x, highest, lowest), _RAIL),
            (span <= self._flat[:, None], _FLAT),
            (share > _INVALID_SHARE, _INVALID),
        )
        faulty = np.logical_or.reduce([fault for fault, _ in faults])
        ranks, reasons = self._grade(measures, ~faulty)
        # From the least to the most telling, so that the last word is the first reason.
        for fault, reason in faults:
            ranks[fault], reasons[fault] = _UNUSABLE, reason
        some = (share > 0) & (share <= _INVALID_SHARE) & (ranks < _UNUSABLE)
        ranks[some], reasons[some] = _USABLE, _INVALID
        # Usable, not worse: beats that go on at a small amplitude are still found and named.
        small = self._amplitude.collapsed(span, ranks < _UNUSABLE)
        ranks[small], reasons[small] = _USABLE, _COLLAPSED
        return ranks, reasons

    def _grade(self, measures: Array, measurable: NDArray[np.bool_]) -> tuple[Codes, Codes]:
        """Rank and reason (n_leads, b) by the network, of seconds without a fault."""
        scores = self._constants.scores(self._seconds.inputs(measures, measurable))
        noise = measures[..., NOISE] / _NOISE_MV
        wander = measures[..., WANDER] / _WANDER_MV
        ranks = (scores > self._constants.usable).astype(np.int64)
        ranks += (scores > self._constants.unusable) & (np.maximum(noise, wander) > 1.0)
        ranks[~measurable] = _GOOD
        return ranks, np.where(ranks == _GOOD, 0, np.where(wander > noise, _BASELINE, _NOISE))

    def _at_rail(self, x: Array, highest: Array, lowest: Array) -> NDArray[np.bool_]:
        """A tenth of the second lies on one value, away from the rest, none has gone beyond."""
        # The extremes of the session as they stood at each of these seconds.
        top = np.maximum.accumulate(highest, axis=1)
        bottom = np.minimum.accumulate(lowest, axis=1)
        for number, lead in enumerate(self._leads):
            top[number] = np.maximum(top[number], lead.highest)
            bottom[number] = np.minimum(bottom[number], lead.lowest)
            lead.highest, lead.lowest = float(top[number, -1]), float(bottom[number, -1])
        high, low = highest >= top, lowest <= bottom
        place = (high | low).nonzero()  # in few seconds only
        row, peak, trough = x[place], highest[place], lowest[place]
        middle = np.partition(row, self._length // 2, axis=1)[:, self._length // 2]
        enough = _RAIL_SHARE * self._length
        at_peak = np.count_nonzero(row == peak[:, None], axis=1) >= enough
        at_trough = np.count_nonzero(row == trough[:, None], axis=1) >= enough
        high[place] &= at_peak & (peak - middle > _RAIL_DISTANCE_MV)
        low[place] &= at_trough & (middle - trough > _RAIL_DISTANCE_MV)
        railed: NDArray[np.bool_] = high | low
        return railed

    def _follow(self, starts: Codes, ranks: Codes, reasons: Codes) -> Assessment:
        """Apply the hysteresis, second by second."""
        before = self.ranks()
        changes: list[QualityChanged] = []
        levels = np.zeros((len(starts), len(self._leads)), dtype=np.int64)
        seconds = zip(starts.tolist(), ranks.T.tolist(), reasons.T.tolist(), strict=True)
        for i, (start, ranks_now, reasons_now) in enumerate(seconds):
            decided = start + self._length - 1
            for number, lead in enumerate(self._leads):
                changed = _advance(lead, (start, ranks_now[number], reasons_now[number]))
                if changed is not None:
                    at, reason = changed
                    level = LEVELS[lead.rank or 0]
                    changes.append(QualityChanged(at, decided, number, level, _REASONS[reason]))
                levels[i, number] = lead.rank or 0
        return Assessment(before, changes, levels, starts + self._length)


def _advance(lead: _Lead, second: tuple[int, int, int]) -> tuple[int, int] | None:
    """Take in one second; where the level changes, since when and why."""
    if lead.rank == _LEAD_OFF:
        return None  # only the device takes this back
    lead.recent = [*lead.recent[1 - _BETTER_AFTER :], second]
    last = lead.recent[-_WORSE_AFTER:]
    if len(last) == _WORSE_AFTER:
        worse = min(last, key=lambda s: s[1])
        if lead.rank is None or worse[1] > lead.rank:
            lead.rank = worse[1]
            return last[0][0], worse[2]
    if lead.rank and len(lead.recent) == _BETTER_AFTER:
        worst = max(lead.recent, key=lambda s: s[1])
        if worst[1] < lead.rank:
            lead.rank = worst[1]
            return lead.recent[0][0], worst[2]
    return None
