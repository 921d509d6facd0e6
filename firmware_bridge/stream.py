"""The values that flow from a device: one `StreamOpened`, then items in source order.

Axis 0 of every array is time, axis 1 is leads, as in WFDB's `p_signal`; arrays are read-only.
A hole is a `Gap`, never silence; a stalled link still sends `Tick`. `firmware_bridge.conformance`
checks any driver's stream against these rules.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NewType

import numpy as np
from numpy.typing import NDArray

SampleIndex = NewType("SampleIndex", int)
"""Position on the source clock of one signal, at that signal's nominal rate. Gaps advance it."""


class SignalKind(StrEnum):
    """What a signal measures. RR has no samples: its index counts time, and RrIntervals fill it."""

    ECG = "ecg"
    RR = "rr"
    PPG = "ppg"
    PCG = "pcg"
    ACC = "acc"


class GapReason(StrEnum):
    """Why samples are missing."""

    LOST_PACKET = "lost packet"
    RECONNECT = "reconnect"
    OVERFLOW = "overflow"
    INVALID = "invalid samples"


@dataclass(frozen=True, slots=True)
class CounterLoss:
    """Loss is counted by a frame counter that wraps at `modulus` samples."""

    modulus: int


@dataclass(frozen=True, slots=True)
class StampLoss:
    """Loss is told by the sensor's own time stamps."""


@dataclass(frozen=True, slots=True)
class NoLossDetection:
    """The format cannot tell lost samples; only a deviation of the rate can."""


LossDetection = CounterLoss | StampLoss | NoLossDetection


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """One signal of a device: `counts = physical * counts_per_unit + baseline`, per lead."""

    id: str
    kind: SignalKind
    unit: str
    rate_hz: Fraction
    leads: tuple[str, ...]
    counts_per_unit: tuple[float, ...]
    baseline: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.leads) == len(self.counts_per_unit) == len(self.baseline):
            raise ValueError(f"signal {self.id}: leads, gains and baselines differ in number")
        if self.rate_hz <= 0:
            raise ValueError(f"signal {self.id}: rate {self.rate_hz} Hz is not positive")


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """What the device is. The first item of every stream, and only the first."""

    source: str
    family: str
    model: str
    firmware: str
    loss: LossDetection
    signals: tuple[SignalInfo, ...]

    @property
    def reference(self) -> SignalInfo:
        """The signal on whose index events, ticks and marks are counted: the first ECG, or of a
        strap without any its RR. Raises StopIteration where there is neither."""
        heart = {s.kind: s for s in reversed(self.signals)}
        return next(heart[k] for k in (SignalKind.ECG, SignalKind.RR) if k in heart)


@dataclass(frozen=True, slots=True, eq=False)
class SampleChunk:
    """Consecutive samples of one signal, float32 of shape (n_samples, n_leads), in its unit."""

    signal: str
    first: SampleIndex
    samples: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError("samples must be float32 of shape (n_samples, n_leads)")
        self.samples.flags.writeable = False

    @property
    def end(self) -> SampleIndex:
        """Index just after the last sample."""
        return SampleIndex(self.first + len(self.samples))


@dataclass(frozen=True, slots=True)
class Gap:
    """`n_missing` samples from `first` on never came. `exact`: counted, not estimated."""

    signal: str
    first: SampleIndex
    n_missing: int
    exact: bool
    reason: GapReason


@dataclass(frozen=True, slots=True)
class RrIntervals:
    """RR intervals in seconds as a strap reports them; the last one ends at `at`."""

    at: SampleIndex
    intervals_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LeadStatus:
    """Which leads of `signal` the device's own sensor reports off, from `at` on."""

    signal: str
    at: SampleIndex
    off: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class PaceMark:
    """The device saw a pacemaker pulse."""

    at: SampleIndex


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """Battery in percent and skin contact, each None where the device does not tell."""

    at: SampleIndex
    battery_percent: float | None = None
    contact: bool | None = None


@dataclass(frozen=True, slots=True)
class UserMark:
    """The wearer pressed the button."""

    at: SampleIndex
    text: str = ""


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """Sample `index` was taken at `source_ns` by the sensor's clock (None: it has none) and
    arrived at `host_ns` on the host's monotonic clock."""

    index: SampleIndex
    source_ns: int | None
    host_ns: int


@dataclass(frozen=True, slots=True)
class Alignment:
    """Sample `index` of `signal`, which is not the reference, was taken together with sample `at`
    of the reference. Signals of one device are paced by different crystals: their indices drift
    apart by what these tell."""

    signal: str
    index: SampleIndex
    at: SampleIndex


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link went down or came back; `reason` is for a person."""

    at: SampleIndex
    up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class BytesSkipped:
    """`n_bytes` in `n_frames` pieces made no sense and were skipped since the last such report;
    `detail` is for a person. Drivers send it at most once in ten seconds."""

    at: SampleIndex
    n_frames: int
    n_bytes: int
    detail: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing arrived, but the source clock has come to about `at`. Moves deadlines only."""

    at: SampleIndex


StreamItem = (
    StreamOpened
    | SampleChunk
    | Gap
    | RrIntervals
    | LeadStatus
    | PaceMark
    | DeviceStatus
    | UserMark
    | ClockAnchor
    | Alignment
    | LinkChanged
    | BytesSkipped
    | Tick
)
