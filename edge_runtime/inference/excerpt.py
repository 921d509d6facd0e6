"""A stretch of raw signal inside the golden vectors, played as a source plays it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.stream import (
    Gap,
    GapReason,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
)

_SIGNAL: Final = "ecg"
_KEYS: Final = ("counts", "rate", "counts_per_unit", "baseline", "leads", "gaps", "mains_hz")


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """Raw counts (n, n_leads) int16 at `rate_hz`, in mV by `(counts - baseline) / counts_per_unit`.

    `gaps` (g, 2): after how many of the counts a gap begins, and how many samples it lasts. The
    source index goes on counting through a gap. `mains_hz`: of the place it was recorded at.
    """

    counts: NDArray[np.int16]
    rate_hz: Fraction
    counts_per_unit: tuple[float, ...]
    baseline: tuple[int, ...]
    leads: tuple[str, ...]
    gaps: NDArray[np.int64]
    mains_hz: int | None

    def __post_init__(self) -> None:
        if self.counts.dtype != np.int16 or self.counts.ndim != 2:
            raise ValueError("counts must be int16 of shape (n, n_leads)")
        if not len(self.leads) == len(self.baseline) == self.counts.shape[1]:
            raise ValueError("leads, baselines and columns differ in number")

    def physical(self, first: int, last: int) -> NDArray[np.float32]:
        """Samples (last - first, n_leads) in mV, positions in `counts`."""
        offset = self.counts[first:last].astype(np.float64) - np.array(self.baseline, np.float64)
        return (offset / np.array(self.counts_per_unit, np.float64)).astype(np.float32)

    def items(self, chunk: int = 250) -> Iterator[StreamItem]:
        """What a source would send: opened, then chunks of at most `chunk` samples and gaps."""
        yield StreamOpened(
            source="golden",
            family="golden",
            model="golden vectors",
            firmware="",
            loss=NoLossDetection(),
            signals=(self._signal(),),
        )
        index = position = 0
        for start, missing in [*self.gaps.tolist(), [len(self.counts), 0]]:
            for first in range(position, start, chunk):
                last = min(first + chunk, start)
                samples = self.physical(first, last)
                yield SampleChunk(_SIGNAL, SampleIndex(index + first - position), samples)
            index += start - position
            position = start
            if missing:
                yield Gap(_SIGNAL, SampleIndex(index), missing, True, GapReason.LOST_PACKET)
                index += missing

    def _signal(self) -> SignalInfo:
        return SignalInfo(
            id=_SIGNAL,
            kind=SignalKind.ECG,
            unit="mV",
            rate_hz=self.rate_hz,
            leads=self.leads,
            counts_per_unit=self.counts_per_unit,
            baseline=self.baseline,
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As stored in `golden.npz`."""
        rate = [self.rate_hz.numerator, self.rate_hz.denominator]
        values = (
            self.counts,
            np.array(rate, np.int64),
            np.array(self.counts_per_unit, np.float64),
            np.array(self.baseline, np.int64),
            np.array(self.leads, np.str_),
            self.gaps.astype(np.int64).reshape(-1, 2),
            np.array(self.mains_hz or 0),
        )
        return dict(zip(_KEYS, values, strict=True))

    @classmethod
    def from_arrays(cls, stored: Mapping[str, NDArray[Any]]) -> "Excerpt":
        """The inverse of `to_arrays`. Raises KeyError or ValueError on anything else."""
        return cls(
            counts=stored["counts"],
            rate_hz=Fraction(int(stored["rate"][0]), int(stored["rate"][1])),
            counts_per_unit=tuple(stored["counts_per_unit"].tolist()),
            baseline=tuple(stored["baseline"].tolist()),
            leads=tuple(stored["leads"].tolist()),
            gaps=stored["gaps"],
            mains_hz=int(stored["mains_hz"]) or None,
        )
