"""What rules are told, in the order in which it became certain.

Every index counts samples of the source's reference ECG. `decided` never goes back from one fact
to the next; a rule that waits for time to pass sets its `deadline` (see `rule.py`).
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from edge_runtime.events import BeatClass, QualityLevel


@dataclass(frozen=True, slots=True)
class SignalClock:
    """The one clock of the rules.

    `latency`: a firm peak at p is known at the latest when sample p + latency has been taken in;
    its class, and a tentative peak, when sample p + label_latency has. So a rule that waits for a
    beat not to come waits for `label_latency` more.
    `settle`: for so many samples after a gap the detector may overlook a peak.
    """

    rate_hz: Fraction
    latency: int
    label_latency: int
    settle: int = 0

    def samples(self, seconds: float) -> int:
        """The largest number of samples that lasts at most `seconds`.

        Two R peaks further apart than this are further apart than `seconds`.
        """
        return floor(Fraction(str(seconds)) * self.rate_hz)

    def seconds(self, samples: int) -> float:
        """How long `samples` last."""
        # The nearest float, as `float(samples / rate_hz)`, without making a fraction for it.
        return samples * self.rate_hz.denominator / self.rate_hz.numerator


@dataclass(frozen=True, slots=True)
class Beat:
    """An R peak. `rr`: samples since the one before, None across a gap or an unreadable stretch.

    A peak that was tentative is told with its class, and may lie before the last one told.
    """

    at: int
    decided: int
    rr: int | None


@dataclass(frozen=True, slots=True)
class Label:
    """The class of the beat at `at`.

    `label` is what is emitted (Q: refused). `best` is the class of the highest score whether
    refused or not, None where the beat was given no score: high-priority rules go by it, because
    poor quality must not silence them. `scores` are for an alarm's trace alone. `shape` numbers the
    look of a ventricular beat, None for others. `disputed` says why the rules doubt that a beat is
    ventricular (`second_opinion.py`), empty if they do not.
    """

    at: int
    decided: int
    label: BeatClass
    best: BeatClass | None
    scores: dict[str, float] = field(default_factory=dict)
    shape: int | None = None
    disputed: str = ""


@dataclass(frozen=True, slots=True)
class Waveform:
    """Whether the analysis lead from `at` to `end` looks like fibrillation, and by what.

    Told once a second while it does, and once when it no longer does.
    """

    at: int
    decided: int
    end: int
    fibrillatory: bool
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class RhythmSeen:
    """Whether the heart fibrillates at `at`, seen once a second from 30 s later.

    `chance` of AF there, `irregular` the share of the RR changes above 6 % that were seen with it.
    """

    at: int
    decided: int
    fibrillates: bool
    chance: float
    irregular: float


@dataclass(frozen=True, slots=True)
class Pace:
    """The device saw a pacemaker's pulse at `at`."""

    at: int
    decided: int


@dataclass(frozen=True, slots=True)
class Battery:
    """The device tells its charge."""

    at: int
    decided: int
    percent: float


@dataclass(frozen=True, slots=True)
class Hole:
    """Samples `at` to `end` never came; none where another lead is taken from `at` on. A peak may
    have gone by unseen."""

    at: int
    decided: int
    end: int


@dataclass(frozen=True, slots=True)
class LeadsOff:
    """The electrodes the device itself reports off, from `at` on; `blind` when the analysis
    lead is among them, so that no peak can be seen."""

    at: int
    decided: int
    off: frozenset[str]
    blind: bool


@dataclass(frozen=True, slots=True)
class Readability:
    """The quality of the analysis lead became `level`. `flat`: no electrical activity at all."""

    at: int
    decided: int
    level: QualityLevel
    flat: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came from `at` (the end of the last samples) until `decided`, by the source clock."""

    at: int
    decided: int


@dataclass(frozen=True, slots=True)
class Return:
    """Samples came again from `at` on, after a silence."""

    at: int
    decided: int


Fact = (
    Beat
    | Label
    | Waveform
    | RhythmSeen
    | Pace
    | Battery
    | Hole
    | LeadsOff
    | Readability
    | Silence
    | Return
)


@dataclass(frozen=True, slots=True)
class Episode:
    """A condition of `rank` in the precedence, found by another rule, held from `at` to `end` and
    is over. Told before the alarms that follow are decided."""

    at: int
    decided: int
    end: int
    rank: int
    text: str
