"""What the scorer reads of an annotation file, and time in samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

# Both signal-quality bits of a `~` annotation's subtype set: no signal is readable.
_UNREADABLE = 0x30


class AnnotationFile(Protocol):
    """Annotations in order of time, as `firmware_bridge.records.Annotations` holds them."""

    @property
    def sample(self) -> NDArray[np.int64]:
        """Sample indices, shape (n,), not decreasing."""

    @property
    def symbol(self) -> Sequence[str]:
        """WFDB symbols, n of them."""

    @property
    def subtype(self) -> NDArray[np.integer]:
        """Subtypes, shape (n,)."""

    @property
    def aux(self) -> Sequence[str]:
        """Texts, n of them; a rhythm change holds its rhythm here."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Annotations in memory; `Marks.beats` is the short way when there are only beats."""

    sample: NDArray[np.int64]
    symbol: tuple[str, ...]
    subtype: NDArray[np.int64]
    aux: tuple[str, ...]

    @classmethod
    def beats(cls, sample: Sequence[int] | NDArray[np.int64], symbol: Sequence[str] = ()) -> Self:
        """Build from sample indices and symbols (`N` for every beat when left out)."""
        at = np.asarray(sample, dtype=np.int64)
        symbols = tuple(symbol) or ("N",) * len(at)
        return cls(at, symbols, np.zeros(len(at), dtype=np.int64), ("",) * len(at))


def is_unreadable(subtype: int) -> bool:
    """Tell whether a `~` annotation of this subtype begins a shutdown (all signals unreadable)."""
    return subtype & _UNREADABLE == _UNREADABLE


def in_samples(seconds: float, fs: float) -> int:
    """Convert a time to the nearest sample, halves upward, as WFDB's `strtim` does."""
    return math.floor(seconds * fs + 0.5)


def check_order(annotations: AnnotationFile) -> None:
    """Raise ValueError if the annotations are not in order of time or not of one length."""
    n = len(annotations.sample)
    if not n == len(annotations.symbol) == len(annotations.subtype) == len(annotations.aux):
        raise ValueError("samples, symbols, subtypes and texts of annotations differ in number")
    if n and bool(np.any(np.diff(annotations.sample) < 0)):
        raise ValueError("annotations are not in order of time")
