"""Ventricular runs, VT, ventricular rhythm and ventricular bradycardia: V beats in a row.

Source: VT is five or more V at more than 100/min (CinC Challenge 2015); runs, ventricular rhythm
and ventricular bradycardia as bedside monitors name them; 3 to 4 V above 100/min are
non-sustained VT. The rate is 60 / the mean interval of the run's last beats (at most `beats`).

A run of 3 or 4 ends with the first other beat; what lasted `beats` or more ends with the second
other beat in a row, so that one doubtful beat does not cut a tachycardia in two. Without any V for
`idle_s` it has ended as well (asystole then speaks). A gap makes a new count begin but does not
end what alarms. High priority goes by the best score even of refused beats; the medium forms
need every beat of the run to be accepted.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from edge_runtime.events import BeatClass, Priority, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Hole, Label, LeadsOff, SignalClock
from edge_runtime.rules.precedence import rank
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Finding, Findings, Rule

_RUN = "ventricular_run"
_NSVT = "nonsustained_vt"
_RHYTHM = "ventricular_rhythm"
_BRADYCARDIA = "ventricular_bradycardia"
_VT = "ventricular_tachycardia"

_SHORT = (_RUN, _NSVT)
_TEXTS = {
    _RUN: "Ventricular run",
    _NSVT: "Non-sustained VT",
    _RHYTHM: "Ventricular rhythm",
    _BRADYCARDIA: "Ventricular bradycardia",
    _VT: "Ventricular tachycardia",
}


@dataclass(frozen=True, slots=True)
class VentricularSettings:
    """`beats`, `above_bpm`: what makes it VT. `below_bpm`: bradycardia. `hysteresis_bpm`: VT is
    left for a slower rhythm only so far below `above_bpm`."""

    enabled: bool = True
    beats: int = bounded(5, 3, 15)
    run_beats: int = bounded(3, 3, 5)
    above_bpm: float = bounded(100.0, 100.0, 150.0)
    below_bpm: float = bounded(40.0, 20.0, 50.0)
    hysteresis_bpm: float = bounded(10.0, 0.0, 20.0)
    end_beats: int = bounded(2, 1, 5)
    idle_s: float = bounded(2.5, 2.0, 3.0)
    refractory_s: float = bounded(30.0, 0.0, 180.0)

    def __post_init__(self) -> None:
        check_bounds(self)


def _conditions(refractory_s: float) -> dict[str, Condition]:
    manuals = "bedside monitors' manuals"
    high, medium = Priority.HIGH, Priority.MEDIUM
    rows = (
        (_RUN, medium, f"{manuals}: 3 or more V at up to 100/min", Rhythm.VENTRICULAR_RUN),
        (_NSVT, medium, f"{manuals}: 3 to 4 V above 100/min", Rhythm.VENTRICULAR_RUN),
        (_RHYTHM, medium, f"{manuals}: 5 or more V at 40 to 100/min", Rhythm.IDIOVENTRICULAR),
        (_BRADYCARDIA, high, f"{manuals}: 5 or more V below 40/min", Rhythm.IDIOVENTRICULAR),
        (
            _VT,
            high,
            "CinC Challenge 2015: 5 or more V above 100/min",
            Rhythm.VENTRICULAR_TACHYCARDIA,
        ),
    )
    return {
        name: Condition(
            name,
            priority,
            source,
            rhythm=rhythm,
            rank=rank(name),
            refractory_s=refractory_s if priority is medium else 0.0,
        )
        for name, priority, source, rhythm in rows
    }


class _State(msgspec.Struct):
    recent: list[int] = []  # R peaks of the run's last beats, those without a score included
    count: int = 0  # V in the run
    refused: bool = False  # a beat of the run was refused or had no score
    others: int = 0  # beats of another class since the last V
    last_v: int = 0
    kind: str = ""  # the condition that holds, "" for none
    kind_at: int = 0


class Ventricular(Rule):
    """Counts V in a row and names the run by its length and rate."""

    name: ClassVar[str] = "ventricular"
    State = _State
    state: _State

    def __init__(self, settings: VentricularSettings, clock: SignalClock) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._conditions = _conditions(settings.refractory_s)
        self._idle = clock.samples(settings.idle_s) + clock.label_latency

    def on_label(self, label: Label) -> Findings:
        if label.best is BeatClass.VENTRICULAR:
            return self._extend(label)
        if self.state.count == 0 and not self.state.kind:
            return NOTHING
        if label.best is None:  # unknown: neither counts nor breaks, but its interval does count
            self.state.refused = True
            self._push(label.at)
            return NOTHING
        return self._interrupt(label)

    def on_hole(self, hole: Hole) -> Findings:
        self._restart_count()
        self.deadline = NEVER
        if self.state.kind:
            self.deadline = hole.end + self._idle
        return NOTHING

    def on_leads(self, leads: LeadsOff) -> Findings:
        if not leads.blind:
            return NOTHING
        self._restart_count()
        return self._end(leads.at, leads.decided, "the electrode is reported off")

    def on_time(self, now: int) -> Findings:
        self._restart_count()
        reason = f"no ventricular beat for {self._settings.idle_s:g} s"
        return self._end(self.state.last_v, now, reason)

    @property
    def conditions(self) -> frozenset[str]:
        return frozenset(self._conditions)

    def retuned(self) -> None:
        del self.state.recent[: -self._settings.beats]

    def _extend(self, label: Label) -> Findings:
        state = self.state
        state.count, state.others, state.last_v = state.count + 1, 0, label.at
        state.refused |= label.label is not BeatClass.VENTRICULAR
        self._push(label.at)
        self.deadline = label.at + self._idle
        if state.count < self._settings.run_beats:
            return NOTHING
        kind = self._name_run()
        return NOTHING if kind == state.kind else self._become(kind, label.decided)

    def _interrupt(self, label: Label) -> Findings:
        state = self.state
        state.others += 1
        self._restart_count()
        patience = 1 if state.kind in _SHORT else self._settings.end_beats
        if not state.kind:
            self.deadline = NEVER
        if not state.kind or state.others < patience:
            return NOTHING
        return self._end(state.last_v, label.decided, "other beats follow")

    def _push(self, at: int) -> None:
        recent = self.state.recent
        recent.append(at)
        if len(recent) > self._settings.beats:
            del recent[0]

    def _restart_count(self) -> None:
        self.state.recent.clear()
        self.state.count, self.state.refused = 0, False

    def _rate_bpm(self) -> float:
        recent = self.state.recent
        return 60.0 * (len(recent) - 1) / self._clock.seconds(recent[-1] - recent[0])

    def _name_run(self) -> str:
        """The condition the run deserves now; the present one where nothing changes."""
        state, settings, bpm = self.state, self._settings, self._rate_bpm()
        sustained = state.count >= settings.beats
        limit = settings.above_bpm - (settings.hysteresis_bpm if state.kind == _VT else 0.0)
        if bpm > limit:
            kind = _VT if sustained else _NSVT
        elif sustained:
            kind = _BRADYCARDIA if bpm < settings.below_bpm else _RHYTHM
        else:
            kind = _RUN
        if state.kind and not sustained and state.kind != _RUN:
            return state.kind  # a short run is only ever renamed upwards
        if state.refused and self._conditions[kind].priority is not Priority.HIGH:
            return state.kind
        return kind

    def _become(self, kind: str, decided: int) -> Findings:
        state, bpm = self.state, self._rate_bpm()
        first = state.recent[0]
        found: list[Finding] = []
        if state.kind:
            at = max(state.kind_at, first)
            text = f"became {_TEXTS[kind]}"
            found.append(End(self._conditions[state.kind], at, decided, text))
        state.kind, state.kind_at = kind, first
        found.append(
            Begin(
                self._conditions[kind],
                at=first,
                decided=decided,
                text=_TEXTS[kind] + (" or poor signal" if state.refused else ""),
                sentence=f"{state.count} ventricular beats in a row at {bpm:.0f}/min.",
                values={"beats": float(state.count), "rate_bpm": round(bpm, 1)},
            )
        )
        return found

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        state = self.state
        self.deadline = NEVER
        if not state.kind:
            return NOTHING
        ended, state.kind = self._conditions[state.kind], ""
        return (End(ended, max(at, state.kind_at), decided, reason),)
