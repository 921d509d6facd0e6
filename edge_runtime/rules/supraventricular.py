"""Supraventricular runs and supraventricular tachycardia: S beats in a row.

Source: bedside monitors' manuals (Philips ST/AR: "SVT: run of SVPBs >= 5 at >= 150/min"; a run of
three or more SVPBs). The rate is 60 / the mean interval of the run's last five beats. All beats
must be accepted as S; the first other beat, a gap or an unreadable stretch ends the run.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from edge_runtime.events import BeatClass, Priority, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Label, SignalClock
from edge_runtime.rules.rule import NOTHING, Begin, Condition, End, Finding, Findings
from edge_runtime.rules.sequence import SequenceRule, SequenceState

_RUN: Final = "sveb_run"
_SVT: Final = "svt"


@dataclass(frozen=True, slots=True)
class SupraventricularSettings:
    """`run_beats`: what makes a run. `svt_beats` at `svt_bpm` or more: tachycardia."""

    enabled: bool = True
    run_beats: int = bounded(3, 3, 10)
    svt_beats: int = bounded(5, 3, 20)
    svt_bpm: float = bounded(150.0, 120.0, 220.0)
    refractory_s: float = bounded(30.0, 0.0, 180.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(SequenceState):
    run: list[int] = msgspec.field(
        default_factory=list
    )  # R peaks of the S in a row, the last `svt_beats` of them
    first: int = 0
    count: int = 0
    kind: str = ""


class Supraventricular(SequenceRule):
    """Counts S in a row and names the run."""

    name: ClassVar[str] = "supraventricular"
    State = _State
    state: _State

    def __init__(self, settings: SupraventricularSettings, clock: SignalClock) -> None:
        super().__init__(clock)
        self._settings = settings
        source = "bedside monitors' manuals"
        self._conditions = {
            _RUN: Condition(
                _RUN,
                Priority.LOW,
                f"{source}: {settings.run_beats} or more S in a row",
                refractory_s=settings.refractory_s,
            ),
            _SVT: Condition(
                _SVT,
                Priority.MEDIUM,
                f"{source}: {settings.svt_beats} or more S at {settings.svt_bpm:g}/min or more",
                rhythm=Rhythm.SUPRAVENTRICULAR_TACHYCARDIA,
                refractory_s=settings.refractory_s,
            ),
        }

    @property
    def conditions(self) -> frozenset[str]:
        """The run and the tachycardia."""
        return frozenset(self._conditions)

    def retuned(self) -> None:
        """Cut what is remembered of the run."""
        del self.state.run[: -self._settings.svt_beats]

    def _see(self, label: Label, rr: int | None) -> Findings:
        state = self.state
        if label.label is not BeatClass.SUPRAVENTRICULAR:
            at = state.run[-1] if state.run else label.at
            self._lose()
            return self._over(at, label.decided, "other beats follow")
        if not state.run:
            state.first = label.at
        state.count += 1
        state.run.append(label.at)
        if len(state.run) > self._settings.svt_beats:
            del state.run[0]
        kind = self._kind()
        return NOTHING if kind == state.kind else self._become(kind, label.decided)

    def _kind(self) -> str:
        """A run, once named a tachycardia, stays one until it ends."""
        state, settings = self.state, self._settings
        fast = len(state.run) == settings.svt_beats and self._bpm() >= settings.svt_bpm
        if fast or state.kind == _SVT:
            return _SVT
        return _RUN if state.count >= settings.run_beats else ""

    def _bpm(self) -> float:
        run = self.state.run
        if len(run) < 2:
            return 0.0
        return 60.0 * (len(run) - 1) / self._clock.seconds(run[-1] - run[0])

    def _become(self, kind: str, decided: int) -> Findings:
        state, bpm = self.state, self._bpm()
        found: list[Finding] = [*self._over(state.first, decided, "became a tachycardia")]
        state.kind = kind
        text = "Supraventricular tachycardia" if kind == _SVT else "Supraventricular run"
        sentence = f"{state.count} supraventricular beats in a row at {bpm:.0f}/min."
        values = {"beats": float(state.count), "rate_bpm": round(bpm, 1)}
        found.append(Begin(self._conditions[kind], state.first, decided, text, sentence, values))
        return found

    def _lose(self) -> None:
        self.state.run = []
        self.state.count = 0

    def _over(self, at: int, decided: int, reason: str) -> Findings:
        kind, self.state.kind = self.state.kind, ""
        if not kind:
            return NOTHING
        return (End(self._conditions[kind], max(at, self.state.first), decided, reason),)
