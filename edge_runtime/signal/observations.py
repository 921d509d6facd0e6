"""What the signal path sees. Every index is a source index of the reference ECG.

`at` is when it happened; `decided` is the last sample that was needed to say so. One call of
`SignalPath.feed` gives them in the order of `decided`, and no later call goes back behind it.
But for `Horizon`, which tells how far the path has come, nothing depends on the chunking.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import QualityLevel
from edge_runtime.signal.fibrillation import Measures
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.rhythm import RhythmBlock
from firmware_bridge.stream import GapReason


@dataclass(frozen=True, slots=True)
class PeakFound:
    """A firm R peak: final, never moved or withdrawn."""

    at: int
    decided: int


@dataclass(frozen=True, slots=True, eq=False)
class CompanionBeats:
    """The same k beats on a second lead: `lead` is its number, `analysis_lead` that of the first.

    Intervals are the same; a row is masked where the second lead is unreadable or unusable.
    """

    lead: int
    analysis_lead: int
    block: BeatBlock


@dataclass(frozen=True, slots=True, eq=False)
class BeatsReady:
    """k beats whose windows are complete, in order; firm ones were found as a peak before.

    Tentative ones (`block.tentative`) are peaks only if the classifier says so.
    `at` and `decided` (k,) are source indices; `block` holds the beats in context (its own `at`
    counts contract samples). A beat cut off by a gap or a lead switch is here too, not valid,
    decided when it was cut off. In a list of observations the block stands at its first `decided`.
    `companion` is there where the path looks at a second lead.
    """

    at: NDArray[np.int64]
    decided: NDArray[np.int64]
    block: BeatBlock
    companion: CompanionBeats | None = None


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """From `at` on, lead number `lead` is of another quality."""

    at: int
    decided: int
    lead: int
    level: QualityLevel
    reason: str


@dataclass(frozen=True, slots=True)
class LeadChanged:
    """Beats are taken from lead number `lead` from `at` on; no interval spans the switch."""

    at: int
    decided: int
    lead: int
    reason: str


@dataclass(frozen=True, slots=True)
class GapFound:
    """`n_missing` samples from `at` on cannot be analysed: they never came, or are no numbers.

    A stretch without numbers is told in pieces of at most a second, so that a long one is known
    while it lasts; where several short ones lie in one second, `n_missing` may count them together.
    """

    at: int
    decided: int
    n_missing: int
    exact: bool
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Horizon:
    """Every sample up to `decided` is taken in, and every firm peak before `at` has been told."""

    at: int
    decided: int


@dataclass(frozen=True, slots=True)
class WaveformJudged:
    """The analysis lead from `at` to `end` was judged by `fibrillation.FibrillationMeter`.

    `measures`: by what it looks like fibrillation; None: it no longer does, and the window before
    did. Windows in between are not told.
    """

    at: int
    decided: int
    end: int
    measures: Measures | None


@dataclass(frozen=True, slots=True, eq=False)
class RhythmReady:
    """k hops of the analysis lead's rhythm, in order, a second apart, where the path is asked.

    `at` (k,) is the source index whose rhythm each one judges.
    """

    at: NDArray[np.int64]
    decided: NDArray[np.int64]
    block: RhythmBlock


Observation = (
    PeakFound
    | BeatsReady
    | RhythmReady
    | QualityChanged
    | WaveformJudged
    | LeadChanged
    | GapFound
    | Horizon
)
