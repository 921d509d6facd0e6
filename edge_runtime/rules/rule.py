"""The interface of a rule: facts in, findings out, time by deadline.

A rule is told every fact through one method each and answers with findings: a condition began or
ended. It knows no other rule; precedence, refractory time, latching and alarm numbers are the
arbiter's (`arbiter.py`). Its whole memory is `state`, a msgspec struct, so that a snapshot is
plain data. A rule that waits for something *not* to happen sets `deadline`; `on_time` is called
once that sample has been taken in and everything decided up to it has been told, so the answer
does not depend on how the samples were cut into chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from edge_runtime.events import AlarmKind, Priority, Rhythm
from edge_runtime.rules.facts import (
    Battery,
    Beat,
    Episode,
    Hole,
    Label,
    LeadsOff,
    Pace,
    Readability,
    Return,
    RhythmSeen,
    Silence,
    Waveform,
)

NEVER: Final = 2**62
"""A deadline that does not come: some 10^8 years at 1 kHz."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What can be wrong, apart from when: one per alarm text a person can meet.

    `rank`: place in the precedence of `catalogue.PRECEDENCE` (0 wins), None for a condition that
    stands beside all others. `rhythm`: recorded as an episode, whether it alarms or not.
    `refractory_s`: for so long after its end it is recorded but raises no new alarm.
    """

    name: str
    priority: Priority
    source: str
    kind: AlarmKind = AlarmKind.PHYSIOLOGICAL
    rhythm: Rhythm | None = None
    rank: int | None = None
    refractory_s: float = 0.0

    @property
    def latched(self) -> bool:
        """High-priority physiological alarms stay shown until reset (IEC 60601-1-8, 6.10)."""
        return self.priority is Priority.HIGH and self.kind is AlarmKind.PHYSIOLOGICAL


@dataclass(frozen=True, slots=True)
class Begin:
    """`condition` holds since `at`. `key` tells apart instances of one condition (a lead)."""

    condition: Condition
    at: int
    decided: int
    text: str
    sentence: str
    values: dict[str, float] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """`condition` held until `at`."""

    condition: Condition
    at: int
    decided: int
    reason: str
    key: str = ""


Finding = Begin | End
Findings = Sequence[Finding]
NOTHING: Final[Findings] = ()


class Rule:
    """A rule that never finds anything; each rule overrides what it listens to."""

    name: ClassVar[str]
    State: ClassVar[type[msgspec.Struct]]

    def __init__(self) -> None:
        self.state: Any = self.State()
        self.deadline: int = NEVER

    def begin(self, at: int) -> None:
        """The stream's first sample has index `at`."""

    def on_beat(self, beat: Beat) -> Findings:
        """An R peak, within the detector's latency."""
        return NOTHING

    def on_label(self, label: Label) -> Findings:
        """A class, after the beat's window and its context are complete."""
        return NOTHING

    def on_waveform(self, waveform: Waveform) -> Findings:
        """A window of signal was judged."""
        return NOTHING

    def on_rhythm(self, seen: RhythmSeen) -> Findings:
        """The rhythm half a minute ago was judged."""
        return NOTHING

    def on_pace(self, pace: Pace) -> Findings:
        """A pacemaker's pulse."""
        return NOTHING

    def on_battery(self, battery: Battery) -> Findings:
        """The device's charge."""
        return NOTHING

    def on_hole(self, hole: Hole) -> Findings:
        """Samples are missing."""
        return NOTHING

    def on_leads(self, leads: LeadsOff) -> Findings:
        """The set of electrodes reported off changed, or with it whether peaks can be seen."""
        return NOTHING

    def on_quality(self, quality: Readability) -> Findings:
        """The analysis lead can be read better or worse than before."""
        return NOTHING

    def on_silence(self, silence: Silence) -> Findings:
        """Nothing has come for a while; told again with every tick."""
        return NOTHING

    def on_return(self, back: Return) -> Findings:
        """The silence is over."""
        return NOTHING

    def on_episode(self, episode: Episode) -> Findings:
        """A ranked condition of another rule is over; its beats have spoken for themselves."""
        return NOTHING

    def on_time(self, now: int) -> Findings:
        """`deadline` has passed without a fact that moved it. `now` is at or after it."""
        return NOTHING

    @property
    def conditions(self) -> frozenset[str]:
        """Names of what it may find; most rules find one condition of their own name."""
        return frozenset({self.name})

    def retuned(self) -> None:
        """Its limits are others than those its memory was made with: cut what is too long for
        them, and set the deadline by them. Changes nothing where the limits are the same."""

    def snapshot(self) -> dict[str, Any]:
        """The rule's memory as plain data."""
        return {"state": msgspec.to_builtins(self.state), "deadline": self.deadline}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`. Raises `msgspec.ValidationError` on anything else."""
        self.state = msgspec.convert(snapshot["state"], self.State)
        self.deadline = int(snapshot["deadline"])
