"""From what the signal path observes to facts for the rules and events for everyone.

Keeps what lies between the two: RR intervals and their validity, the averaged heart rate, each
lead's quality, the electrodes reported off, and what follows from a beat's scores.

A firm peak is told at once. A tentative one is told with its class, if the scores say that it is a
beat and the lead can be read; otherwise nobody hears of it.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from operator import itemgetter
from typing import Any, Final, assert_never

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.advice import Advice
from edge_runtime.engine_stages import Classifier
from edge_runtime.events import (
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    Event,
    GapRecorded,
    QualityLevel,
    SignalQuality,
)
from edge_runtime.inference.rhythm import RhythmStep
from edge_runtime.link_loss import LinkLoss
from edge_runtime.rhythm_teller import RhythmTeller
from edge_runtime.rules.beat_label import Decision, LabelPolicy
from edge_runtime.rules.facts import Beat, Hole, Label, LeadsOff, Readability, Waveform
from edge_runtime.rules.heart_rate import HeartRate
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.second_opinion import EVIDENCE, objection
from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.observations import (
    BeatsReady,
    GapFound,
    Horizon,
    LeadChanged,
    Observation,
    PeakFound,
    QualityChanged,
    RhythmReady,
    WaveformJudged,
)
from edge_runtime.signal.shapes import ShapeBook
from firmware_bridge.stream import SignalInfo

FLAT: Final = "flat"
"""Word in a quality's reason that says: no electrical activity at all."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """One beat with its scores, one per class, and the leads they were taken from; `tentative`
    where it was not told as a peak."""

    at: int
    decided: int
    scores: list[float]
    tentative: bool
    leads: tuple[str, ...] | msgspec.UnsetType
    window: NDArray[np.float32]
    evidence: NDArray[np.float32]


_Single = (
    PeakFound
    | QualityChanged
    | WaveformJudged
    | GapFound
    | LeadChanged
    | Horizon
    | RhythmStep
    | _Scored
)
_Told = tuple[int, int, int, _Single]
_ORDER: Final = itemgetter(0, 1, 2)
_PEAKS_KEPT: Final = 8
"""More than fit between a tentative peak and its class: 0.6 s, 200 ms apart."""
_READABLE: Final = (QualityLevel.GOOD, QualityLevel.USABLE)
_EVIDENCE: Final = [[spec.name for spec in FEATURES].index(name) for name in EVIDENCE]


class _State(msgspec.Struct):
    lead: int
    peaks: list[tuple[int, int | None]] = []  # the last ones told, in order: where, and their RR
    rr_broken: bool = True
    levels: dict[int, tuple[QualityLevel, str]] = {}
    off: list[bool] = []
    no_contact: bool = False


class Narrator:
    """Tells the rule book in decided order and collects every event on the way."""

    def __init__(
        self,
        signal: SignalInfo,
        lead: int,
        labels: LabelPolicy,
        book: RuleBook,
        rhythm: RhythmTeller | None = None,
    ) -> None:
        self._signal = signal
        self._clock = book.clock
        self._labels = labels
        self._names = labels.names
        self._book = book
        self._rhythm = rhythm
        self._heart_rate = HeartRate(signal.rate_hz)
        self._advice = Advice(signal.leads)
        self._link_loss = LinkLoss(signal.rate_hz)
        self._shapes = ShapeBook()
        self._state = _State(lead, off=[False] * len(signal.leads))

    def tell_all(self, observed: Sequence[Observation], classifier: Classifier) -> list[Event]:
        """Observations of one call, in any order, to events in decided order."""
        told = [told for one in observed for told in self._spread(one, classifier)]
        told.sort(key=_ORDER)
        return [event for _, _, _, what in told for event in self._tell(what)]

    def tell_leads_off(self, at: int, decided: int, off: Sequence[bool]) -> list[Event]:
        """The device reports these leads off (True) or on."""
        self._state.off = list(off)
        return self._tell_off(at, decided)

    def tell_contact(self, at: int, decided: int, *, contact: bool) -> list[Event]:
        """The device as a whole has skin contact, or has not: then every lead is off."""
        self._state.no_contact = not contact
        return self._tell_off(at, decided)

    def tell_no_numbers(self, at: int, n_missing: int) -> list[Event]:
        """The source itself says that no lead holds numbers in `n_missing` samples from `at`."""
        seconds = self._clock.seconds(n_missing)
        return [*self._advice.on_no_numbers(at, at + n_missing - 1, seconds)]

    def snapshot(self) -> dict[str, Any]:
        """Its memory as plain data."""
        state = msgspec.to_builtins(self._state, str_keys=True)
        return {
            "state": state,
            "heart_rate": self._heart_rate.snapshot(),
            "advice": self._advice.snapshot(),
            "link_loss": self._link_loss.snapshot(),
            "shapes": self._shapes.snapshot(),
            "rhythm": None if self._rhythm is None else self._rhythm.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._state = msgspec.convert(snapshot["state"], _State, strict=False)
        self._heart_rate.restore(snapshot["heart_rate"])
        self._advice.restore(snapshot["advice"])
        self._link_loss.restore(snapshot["link_loss"])
        self._shapes.restore(snapshot["shapes"])
        if self._rhythm is not None:
            self._rhythm.restore(snapshot["rhythm"])

    def _spread(self, one: Observation, classifier: Classifier) -> Iterator[_Told]:
        """Single things with their sort key: decided, then kind (what a later one depends on
        comes first), then onset."""
        match one:
            case QualityChanged():
                yield one.decided, 0, one.at, one
            case PeakFound():
                yield one.decided, 1, one.at, one
            case BeatsReady():
                scores = classifier.classify(one.block, one.companion).tolist()
                told = zip(
                    one.at.tolist(),
                    one.decided.tolist(),
                    scores,
                    one.block.tentative.tolist(),
                    self._leads_of(one),
                    one.block.window,
                    one.block.features[:, _EVIDENCE],
                    strict=True,
                )
                for at, *values in told:
                    beat = _Scored(at, *values)
                    yield beat.decided, 2, at, beat
            case RhythmReady():
                for step in () if self._rhythm is None else self._rhythm.steps(one):
                    yield step.decided, 1, step.at, step
            case WaveformJudged():
                yield one.decided, 2, one.at, one
            case GapFound():
                yield one.decided, 3, one.at, one
            case LeadChanged():
                yield one.decided, 4, one.at, one
            case Horizon():
                yield one.decided, 5, one.at, one
            case _:
                assert_never(one)

    def _leads_of(self, ready: BeatsReady) -> list[tuple[str, ...] | msgspec.UnsetType]:
        """Names of the leads that each beat is readable on, by number; unset for one lead."""
        companion = ready.companion
        if companion is None:
            return [msgspec.UNSET] * len(ready.at)
        readable = {
            companion.analysis_lead: ready.block.valid,
            companion.lead: companion.block.valid,
        }
        names = self._signal.leads
        return [
            tuple(names[number] for number in sorted(readable) if readable[number][beat])
            for beat in range(len(ready.at))
        ]

    def _tell(self, what: _Single) -> list[Event]:  # noqa: PLR0911 - one for each kind
        match what:
            case PeakFound():
                return self._tell_peak(what.at, what.decided)
            case _Scored():
                return self._tell_label(what)
            case RhythmStep():
                return [] if self._rhythm is None else self._rhythm.tell(what, self._book)
            case QualityChanged():
                return self._tell_quality(what)
            case WaveformJudged():
                return self._tell_waveform(what)
            case LeadChanged():
                return self._tell_lead(what)
            case GapFound():
                return self._tell_gap(what)
            case Horizon():
                return self._book.advance(what.decided + 1)

    def _tell_peak(self, at: int, decided: int) -> list[Event]:
        peaks = self._state.peaks
        if peaks and at < peaks[-1][0]:
            rr, bpm = self._insert_peak(at), self._heart_rate.split(at)
        else:
            rr = self._append_peak(at)
            bpm = self._heart_rate.update(at, rr)
        del peaks[:-_PEAKS_KEPT]
        events = self._book.tell(Beat(at, decided, rr))
        detected = BeatDetected(
            at=at,
            decided=decided,
            lead=self._signal.leads[self._state.lead],
            rr_s=None if rr is None else self._clock.seconds(rr),
            heart_rate_bpm=bpm,
        )
        return _before(detected, events)

    def _append_peak(self, at: int) -> int | None:
        """The RR of a peak behind all that were told, None where it is not known."""
        state = self._state
        rr = None
        if state.peaks and not state.rr_broken:
            rr = at - state.peaks[-1][0]
        state.peaks.append((at, rr))
        state.rr_broken = not self._readable()
        return rr

    def _insert_peak(self, at: int) -> int | None:
        """The RR of a tentative peak known late: a part of the one that was told for the next."""
        peaks = self._state.peaks
        place = bisect(peaks, at, key=itemgetter(0))
        end, whole = peaks[place]
        rr = None
        if whole is not None:
            rr = whole - (end - at)
            peaks[place] = end, end - at
        peaks.insert(place, (at, rr))
        return rr

    def _tell_label(self, beat: _Scored) -> list[Event]:
        at, decided = beat.at, beat.decided
        fibrillates = self._rhythm is not None and self._rhythm.fibrillates
        decision = self._labels.decide(beat.scores, fibrillates=fibrillates)
        events: list[Event] = []
        if beat.tentative:
            if not (self._labels.is_beat(beat.scores) and self._readable()):
                return []
            events = self._tell_peak(at, decided)
        if not self._readable():
            # What the scores say is kept for VT, which poor quality must not silence.
            reason = "the electrode is off" if self._is_off() else "the signal is unusable"
            best = None if self._is_off() else decision.best
            decision = Decision(BeatClass.UNKNOWN, best, decision.reason or reason)
        known = not isnan(beat.scores[0])
        is_v = decision.label is BeatClass.VENTRICULAR
        disputed = _objection(beat.evidence) if is_v else ""
        classified = BeatClassified(
            at=at,
            decided=decided,
            label=decision.label,
            scores=dict(zip(self._names, beat.scores, strict=True)) if known else {},
            reason=decision.reason,
            leads=beat.leads,
            disputed=disputed or msgspec.UNSET,
        )
        shape = self._shapes.number(beat.window) if is_v else None
        label = Label(
            at, decided, decision.label, decision.best, classified.scores, shape, disputed
        )
        told = self._book.tell(label)
        return events + _before(classified, told)

    def _tell_quality(self, quality: QualityChanged) -> list[Event]:
        state = self._state
        state.levels[quality.lead] = (quality.level, quality.reason)
        changed = SignalQuality(
            at=quality.at,
            decided=quality.decided,
            lead=self._signal.leads[quality.lead],
            level=quality.level,
            reason=quality.reason,
        )
        if quality.lead == state.lead:
            events = _before(changed, self._tell_readability(quality.at, quality.decided))
        else:
            events = [*self._book.advance(quality.decided), changed]
        return events + self._advice.on_quality(quality)

    def _tell_waveform(self, judged: WaveformJudged) -> list[Event]:
        measures = {} if judged.measures is None else asdict(judged.measures)
        values = {name: round(value, 3) for name, value in measures.items()}
        return self._book.tell(
            Waveform(judged.at, judged.decided, judged.end, bool(measures), values)
        )

    def _tell_gap(self, gap: GapFound) -> list[Event]:
        self._state.rr_broken = True
        recorded = GapRecorded(
            at=gap.at,
            decided=gap.decided,
            n_missing=gap.n_missing,
            exact=gap.exact,
            reason=gap.reason.value,
        )
        end = gap.at + gap.n_missing
        told = self._book.tell(Hole(gap.at, gap.decided, end))
        return [recorded, *told, *self._link_loss.on_gap(gap)]

    def _tell_lead(self, change: LeadChanged) -> list[Event]:
        state = self._state
        state.lead, state.rr_broken = change.lead, True
        self._shapes = ShapeBook()
        changed = AnalysisLeadChanged(
            at=change.at,
            decided=change.decided,
            lead=self._signal.leads[change.lead],
            reason=change.reason,
        )
        # The detector begins anew on another lead and may overlook a peak, as after a gap.
        events = _before(changed, self._book.tell(Hole(change.at, change.decided, change.at)))
        events += self._tell_readability(change.at, change.decided)
        if any(self._off()):
            events += self._tell_off(change.at, change.decided)
        return events

    def _tell_readability(self, at: int, decided: int) -> list[Event]:
        level, reason = self._state.levels.get(self._state.lead, (QualityLevel.GOOD, ""))
        if not self._readable():
            self._state.rr_broken = True
        return self._book.tell(Readability(at, decided, level, FLAT in reason, reason))

    def _tell_off(self, at: int, decided: int) -> list[Event]:
        off = self._off()
        if not self._readable():
            self._state.rr_broken = True
        names = frozenset(n for n, is_off in zip(self._signal.leads, off, strict=True) if is_off)
        return self._book.tell(LeadsOff(at, decided, names, blind=off[self._state.lead]))

    def _off(self) -> list[bool]:
        return [is_off or self._state.no_contact for is_off in self._state.off]

    def _readable(self) -> bool:
        state = self._state
        known = state.levels.get(state.lead)
        return (known is None or known[0] in _READABLE) and not self._is_off()

    def _is_off(self) -> bool:
        return self._state.no_contact or self._state.off[self._state.lead]


def _before(event: Event, told: list[Event]) -> list[Event]:
    """`event` ahead of what the rules made of it, behind what was due before it."""
    if not told:
        return [event]
    place = sum(other.decided < event.decided for other in told)
    return [*told[:place], event, *told[place:]]


def _objection(evidence: NDArray[np.float32]) -> str:
    return objection(dict(zip(EVIDENCE, evidence.tolist(), strict=True)))
